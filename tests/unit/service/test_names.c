#include "service/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *config_arena;
static const struct config *config;

static int setup(void **state)
{
    (void)state;
    static const char text[] =
        "hostname mail.example.org\n"
        "recipients bench.test any\n"
        "server mx { listen 127.0.0.1:2525 recipients example.org example.net }\n"
        "server sub { role submission listen 127.0.0.1:2526 recipients example.com }\n";
    struct config_source s = {.name = SPAN("/tmp/x/sallyport.conf"), .text = span_str(text)};
    struct config_problem *problems = NULL;
    struct span missing;
    config_arena = arena_create(LIMIT_CONFIG_MEMORY_OCTETS);
    config = config_parse(config_arena, &s, 1, &problems, &missing);
    for (struct config_problem *p = problems; p; p = p->next)
        fprintf(stderr, "%u: %.*s\n", p->place.line, SPAN_ARG(p->text));
    return config ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(&config_arena);
    return 0;
}

static const char *expand(const struct names *n, const char *recipient)
{
    static char memory[1000];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct expansion e;
    struct arena *a = arena_create(1 << 20);
    enum expand_status status = names_expand(n, span_str(recipient), a, &e);
    if (status != EXPAND_OK) buf_u64(&b, status);
    for (uint32_t i = 0; i < e.count; i++) {
        if (i) buf_byte(&b, ' ');
        buf_put(&b, e.targets[i].path);
    }
    arena_destroy(&a);
    memory[b.n] = 0;
    return memory;
}

static void from_files(void **state)
{
    (void)state;
    struct names n;
    char list[] = "/tmp/names-test-XXXXXX", aliases[300];
    int fd = mkstemp(list);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "bob\nx@elsewhere.test\n", 21), 21);
    close(fd);
    snprintf(aliases, sizeof aliases,
             "root: alice\nteam: :include:%s\nlost: :include:/nonexistent/list\nbad: nobody\nv@strange.test: "
             "bob\n",
             list);
    assert_true(
        names_load(&n, config, SPAN("alice@example.org\t-\t\nbob@example.org\t-\t\n"), span_str(aliases)));
    assert_true(span_eq(n.home, SPAN("example.org")));
    assert_int_equal(recipients_find(&n.map, SPAN("root@example.net")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("alice@example.net")), RECIPIENTS_UNKNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("zoe@bench.test")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("v@strange.test")), RECIPIENTS_NOT_SERVED);
    assert_int_equal(recipients_find(&n.mailboxes, SPAN("root@example.org")), RECIPIENTS_UNKNOWN);
    assert_string_equal(expand(&n, "ROOT@Example.NET"), "alice@example.org");
    assert_string_equal(expand(&n, "\"team\"@example.com"), "bob@example.org x@elsewhere.test");
    assert_string_equal(expand(&n, "Postmaster"), "alice@example.org");
    assert_string_equal(expand(&n, "lost@example.org"), "4");
    assert_string_equal(expand(&n, "not an address"), "1");
    unsigned unreadable = 0, dead = 0, strange = 0;
    for (const struct problem *p = n.problems.first; p; p = p->next) {
        unreadable += p->line == 0 && span_eq(p->file, SPAN("/nonexistent/list"));
        dead += p->line == 4 && span_eq(p->subject, SPAN("nobody"));
        strange += p->line == 5;
    }
    assert_int_equal(unreadable, 1);
    assert_int_equal(dead, 1);
    assert_int_equal(strange, 1);
    assert_int_equal(n.problems.count, 3);
    names_free(&n);
    unlink(list);
}

static void nothing_there(void **state)
{
    (void)state;
    struct names n;
    assert_true(names_load(&n, config, SPAN(""), SPAN("")));
    assert_int_equal(n.problems.count, 0);
    assert_int_equal(recipients_find(&n.map, SPAN("postmaster@example.org")), RECIPIENTS_KNOWN);
    assert_string_equal(expand(&n, "postmaster"),
                        "postmaster@example.org"); /* somebody can make a reader for it later */
    names_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(from_files), cmocka_unit_test(nothing_there)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
