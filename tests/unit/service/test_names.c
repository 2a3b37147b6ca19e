#include "service/names.h"

#include "../mailbox_list.h"

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
             "root: alice\nteam: :include:%s\nlost: :include:/nonexistent/list\nbad: nobody@example.net, "
             "alice\nv@strange.test: "
             "bob\n",
             list);
    assert_true(names_load(&n, config, mailbox_list(config_arena, "alice@example.org bob@example.org"),
                           span_str(aliases)));
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
        unreadable += p->place.line == 3 && p->place.column == 7 &&
                      span_eq(p->subject, SPAN("/nonexistent/list")) &&
                      span_eq(p->place.file, config->aliases_file) &&
                      strcmp(p->text, "cannot be read: No such file or directory") == 0;
        dead += p->place.line == 4 && span_eq(p->subject, SPAN("nobody@example.net"));
        strange += p->place.line == 5;
    }
    assert_int_equal(unreadable, 1);
    assert_int_equal(dead, 1);
    assert_int_equal(strange, 1);
    assert_int_equal(n.problems.count, 3);
    names_free(&n);
    unlink(list);
}

/* All that is said of an aliases file, a line each. */
static const char *say(const char *aliases)
{
    static char memory[4000];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct names n;
    assert_true(names_load(&n, config,
                           mailbox_list(config_arena, "alice@example.org bob@example.org carol@example.net"),
                           span_str(aliases)));
    for (const struct problem *p = n.problems.first; p; p = p->next) {
        assert_true(p->odd);
        buf_u64(&b, p->place.line);
        buf_byte(&b, ':');
        buf_u64(&b, p->place.column);
        buf_byte(&b, ' ');
        buf_put(&b, p->subject);
        buf_byte(&b, ' ');
        buf_str(&b, p->text);
        buf_byte(&b, '\n');
    }
    names_free(&n);
    assert_false(b.over);
    memory[b.n] = 0;
    return memory;
}

static void i8_who_reaches_nobody_is_named(void **state)
{
    (void)state;
    assert_string_equal(say("a: b\nb: c, bob\nc: a, x@elsewhere.test\npostmaster: alice"), "");
    assert_string_equal(say("a: b\nb: c\nc: a\nd: b, alice"), "1:1 a reaches nobody: a -> b -> c -> a\n"
                                                              "2:1 b reaches nobody: b -> c -> a -> b\n"
                                                              "3:1 c reaches nobody: c -> a -> b -> c\n");
    assert_string_equal(
        say("a: gone@example.org\nb: a\nself: self"),
        "1:1 a reaches nobody: a -> gone@example.org\n"
        "2:1 b reaches nobody: b -> a -> gone@example.org\n"
        "3:1 self reaches nobody in example.com and 2 more domains: self -> self@example.org -> self\n");
    assert_string_equal(say("x: gone, y\ny: z, x\nz: gone2"),
                        "1:1 x reaches nobody in example.com and 2 more domains: x -> y -> x\n"
                        "2:1 y reaches nobody in example.com and 2 more domains: y -> z -> gone2\n"
                        "3:1 z reaches nobody in example.com and 2 more domains: z -> gone2\n");
    assert_string_equal(
        say("x: gone, alice\ny: carol, bob\nz: alice, gone@example.org"),
        "1:4 gone is named by an alias, but nobody has that name in example.com and 2 more domains\n"
        "2:4 carol is named by an alias, but nobody has that name in example.com and 1 more domain\n"
        "3:11 gone@example.org is named by an alias, but nobody has that name\n");
    assert_string_equal(say("info: carol\none@example.net: carol\ntwo@example.org: carol"),
                        "1:1 info reaches nobody in example.com and 1 more domain: info -> carol\n"
                        "3:1 two@example.org reaches nobody: two -> carol\n");
    assert_string_equal(
        say("a@example.org: a@example.net\na@example.net: a@example.org\nb@strange.test: alice"),
        "1:1 a@example.org reaches nobody: a -> a@example.net -> a\n"
        "2:1 a@example.net reaches nobody: a -> a@example.org -> a\n"
        "3:1 b@strange.test is of a domain that is not served here\n");
    assert_string_equal(
        say("l0: l1\nl1: l2\nl2: l3\nl3: l4\nl4: l5\nl5: l6\nl6: l7\nl7: l8\nl8: l9\nl9: l10\n"
            "l10: alice"),
        "1:1 l0 reaches nobody: l0 -> l1 -> l2 -> l3 -> l4 -> l5 -> l6 -> l7 -> l8 -> l9 -> l10 -> ...\n");
}

/* Names of every domain that reach somebody in some of them only. */
static void i8_each_domain_has_its_own_answer(void **state)
{
    (void)state;
    struct names n;
    assert_true(
        names_load(&n, config, mailbox_list(config_arena, "carol@example.net info@example.org"),
                   SPAN("info: carol\nhalf: bob\nbob@example.net: carol\nbob@example.com: x@else.test\n"
                        "all: info\nall@bench.test: gone@example.org\n")));
    assert_int_equal(recipients_find(&n.map, SPAN("info@example.net")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("info@example.org")),
                     RECIPIENTS_UNKNOWN); /* whatever mailbox */
    assert_int_equal(recipients_find(&n.map, SPAN("info+x@example.org")), RECIPIENTS_UNKNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("info@bench.test")),
                     RECIPIENTS_KNOWN); /* carol may be anybody */
    assert_int_equal(recipients_find(&n.map, SPAN("info@example.com")), RECIPIENTS_UNKNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("half@example.net")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("half@example.com")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("half@example.org")), RECIPIENTS_UNKNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("all@example.net")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("all@bench.test")),
                     RECIPIENTS_UNKNOWN); /* whatever `any` */
    names_free(&n);
}

static void nothing_there(void **state)
{
    (void)state;
    struct names n;
    assert_true(names_load(&n, config, mailbox_list(config_arena, ""), SPAN("")));
    assert_int_equal(n.problems.count, 0);
    assert_int_equal(recipients_find(&n.map, SPAN("postmaster@example.org")), RECIPIENTS_KNOWN);
    assert_string_equal(expand(&n, "postmaster"),
                        "postmaster@example.org"); /* somebody can make a reader for it later */
    names_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_files), cmocka_unit_test(i8_who_reaches_nobody_is_named),
        cmocka_unit_test(i8_each_domain_has_its_own_answer), cmocka_unit_test(nothing_there)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
