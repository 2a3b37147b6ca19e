#include "directory/aliases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "canonical.h"

static struct arena *arena;
static struct problems problems;

static struct aliases *parse(const char *text)
{
    struct aliases_source s = {SPAN("/etc/aliases"), span_str(text), NULL};
    arena_destroy(&arena);
    arena = arena_create(1 << 24);
    problems = (struct problems){.count = 0};
    struct aliases *a = aliases_parse(arena, &s, 1, canonical, &problems);
    assert_non_null(a);
    return a;
}

/* "L:x" a bare name, "F:x" a final one, "A:x" an address, "I:x" a list, parted by blanks; "!" when broken. */
static const char *show(const struct alias_entry *e)
{
    static char memory[1000];
    struct buf b = buf_on(memory, sizeof memory - 1);
    if (!e) return "(none)";
    if (e->broken) buf_str(&b, "! ");
    for (const struct alias_target *t = e->targets; t; t = t->next) {
        buf_str(&b, t->final ? "F:" : t->kind == ALIAS_LOCAL ? "L:" : t->kind == ALIAS_ADDRESS ? "A:" : "I:");
        buf_put(&b, t->text);
        if (t->next) buf_byte(&b, ' ');
    }
    memory[b.n] = 0;
    return memory;
}

static const char *of(const struct aliases *a, const char *local, const char *domain)
{
    return show(aliases_find(a, span_str(local), span_str(domain)));
}

static void format(void **state)
{
    (void)state;
    struct aliases *a = parse("# comment\n"
                              "   # another\n"
                              "postmaster: root\n"
                              "Root:\tAlice, bob@Example.org ,\n"
                              "   \\carol,\n"
                              "# in between\n"
                              "\n"
                              "\tdave\r\n"
                              "\"quoted name\" : \"other name\"@example.org, \"plain\"\n"
                              "\"plain2\": \":include:/lists/a b\"\n"
                              "list: :include:/lists/one, :include: /lists/two\n"
                              "info@example.net: alice\n"
                              "info: bob\n"
                              "odd: \"a,b\", \"a:b\"@x");
    assert_int_equal(problems.count, 0);
    assert_int_equal(a->n_names, 8);
    assert_int_equal(a->n_lists, 3);
    assert_string_equal(of(a, "postmaster", "anything"), "L:root");
    assert_string_equal(of(a, "root", "x"), "L:alice A:bob@example.org F:carol L:dave");
    assert_string_equal(of(a, "\"quoted name\"", "x"), "A:\"other name\"@example.org L:plain");
    assert_string_equal(of(a, "plain2", "x"), "I:/lists/a b");
    assert_string_equal(of(a, "list", "x"), "I:/lists/one I:/lists/two");
    assert_string_equal(of(a, "info", "example.net"), "L:alice");
    assert_string_equal(of(a, "info", "example.com"), "L:bob");
    assert_string_equal(of(a, "odd", "x"), "L:\"a,b\" A:\"a:b\"@x");
    assert_string_equal(of(a, "alice", "x"), "(none)");
}

/* Nothing here executes, whatever the spelling. */
static void commands_and_files_are_refused(void **state)
{
    (void)state;
    static const char *const t[] = {"|/bin/sh",
                                    "\"|/bin/sh -c x\"",
                                    "\"|\"",
                                    "| x",
                                    "/var/mail/x",
                                    "\"/var/mail/x\"",
                                    "/dev/null",
                                    "alice, |x",
                                    "|x, alice",
                                    "\\|x",
                                    "\\/x",
                                    "\"\\|x\"",
                                    ":include:relative",
                                    ":include:",
                                    "file:/x",
                                    "a b",
                                    "a@",
                                    "@b",
                                    "a@b@c",
                                    "<a@b>",
                                    "A <a@b>",
                                    "a@b;c@d",
                                    "\"a",
                                    "a\"b\"",
                                    "(c) a",
                                    "a\x01"};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "good: x\nbad: alice,\n %s\nlater: y\n", t[i]);
        struct aliases *a = parse(text);
        const struct alias_entry *e = aliases_find(a, SPAN("bad"), SPAN("x"));
        if (!e || !e->broken || problems.count == 0 || problems.first->place.line != 3)
            fail_msg("%s: %s", t[i], show(e));
        assert_string_equal(of(a, "good", "x"), "L:x");
        assert_string_equal(of(a, "later", "x"), "L:y");
    }
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
    } t[] = {{"  alice\n", 1},
             {"x: y\nno colon\n", 2},
             {": x\n", 1},
             {"x:\n", 1},
             {"x: ,,\ny: z", 1},
             {"x: y\nX: z\n", 2},
             {"a b: c", 1},
             {"@example.org: x", 1},
             {"a@b@c: x", 1},
             {"\"x: y\n", 1},
             {"x@example.org: a\nx@EXAMPLE.org: b", 2}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        parse(t[i].text);
        if (problems.count != 1 || problems.first->place.line != t[i].line)
            fail_msg("%s: %u", t[i].text, problems.count);
    }
    struct aliases *a = parse("bad name: alice\n  bob\n, carol: x\n");
    assert_int_equal(a->n_names, 0); /* what follows a refused name goes to nobody */
}

/* "LINE:COLUMN SUBJECT" of every problem, the file before them where it is a list. Columns count characters. */
static const char *places(void)
{
    static char memory[1000];
    struct buf b = buf_on(memory, sizeof memory - 1);
    for (const struct problem *p = problems.first; p; p = p->next) {
        if (!span_eq(p->place.file, SPAN("/etc/aliases"))) buf_put(&b, p->place.file);
        if (!span_eq(p->place.file, SPAN("/etc/aliases"))) buf_byte(&b, ':');
        buf_u64(&b, p->place.line);
        buf_byte(&b, ':');
        buf_u64(&b, p->place.column);
        buf_byte(&b, ' ');
        buf_put(&b, p->subject);
        buf_byte(&b, '\n');
    }
    memory[b.n] = 0;
    return memory;
}

static void places_of_words(void **state)
{
    (void)state;
    parse("x: a,  |evil ,b c\n\n  bob,\t/file\r\n\xc3\xbc\xc3\xa9: \xc3\xa4, |q\nx@y: z\nX : d\n@nope: "
          "e\nempty:  \n  # more\n"
          "nocolon\nl: a, :include:rel");
    assert_string_equal(places(),
                        "1:8 |evil\n1:15 b c\n3:8 /file\n4:8 |q\n6:1 X\n7:1 @nope\n8:1 empty\n10:1 nocolon\n"
                        "11:7 :include:rel\n");
    parse("  lost, b\n");
    assert_string_equal(places(), "1:3 lost, b\n");
    struct aliases_source s[3] = {{SPAN("/etc/aliases"),
                                   SPAN("x: a,\n  b, :include:/l/gone\ny: :include:/l/gone, :include:/l/b\n"),
                                   NULL},
                                  {SPAN("/l/gone"), SPAN(""), "it is away"},
                                  {SPAN("/l/b"), SPAN("ok\n:include:/l/gone,  |x\n"), NULL}};
    problems = (struct problems){.count = 0};
    assert_non_null(aliases_parse(arena, s, 3, canonical, &problems));
    assert_string_equal(places(), "2:6 /l/gone\n/l/b:2:20 |x\n"); /* where it is named first */
    assert_string_equal(problems.first->text, "cannot be read: it is away");
}

static void lists(void **state)
{
    (void)state;
    struct aliases_source s[4] = {
        {SPAN("/etc/aliases"), SPAN("staff: :include:/l/staff, root\nx: :include:/l/gone\n"), NULL},
        {SPAN("/l/staff"), SPAN("# people\nalice\nbob, carol@example.com\n:include:/l/more\n"), NULL},
        {SPAN("/l/gone"), SPAN(""), "it is away"},
        {SPAN("/l/more"), SPAN("dave\n|evil\n"), NULL}};
    arena_destroy(&arena);
    arena = arena_create(1 << 20);
    problems = (struct problems){.count = 0};
    struct aliases *a = aliases_parse(arena, s, 1, canonical, &problems);
    assert_true(a->missing.n > 0);
    a = aliases_parse(arena, s, 3, canonical, &problems);
    assert_true(span_eq(a->missing, SPAN("/l/more")));
    problems = (struct problems){.count = 0};
    a = aliases_parse(arena, s, 4, canonical, &problems);
    assert_int_equal(a->missing.n, 0);
    assert_string_equal(show(aliases_list(a, SPAN("/l/staff"))),
                        "L:alice L:bob A:carol@example.com I:/l/more");
    assert_string_equal(show(aliases_list(a, SPAN("/l/more"))), "! L:dave");
    assert_string_equal(show(aliases_list(a, SPAN("/l/gone"))), "! ");
    assert_int_equal(problems.count, 2);
    assert_true(span_eq(problems.first->place.file, SPAN("/etc/aliases")));
    assert_true(span_eq(problems.first->next->place.file, SPAN("/l/more")));
    assert_int_equal(problems.first->next->place.line, 2);
}

static void bounds(void **state)
{
    (void)state;
    size_t n = 0, max = 1 << 20;
    char *text = malloc(max);
    assert_non_null(text);
    for (unsigned i = 0; i < 400; i++)
        n += (size_t)snprintf(text + n, max - n, "a%u: :include:/l/%u\n", i, i);
    struct aliases *a = parse(text);
    assert_int_equal(a->n_lists, LIMIT_ALIAS_INCLUDES);
    assert_int_equal(problems.count, 400 - LIMIT_ALIAS_INCLUDES);
    for (n = 0; n < max - 1; n++)
        text[n] = n % 2 ? '\n' : 'x';
    text[n] = 0;
    parse(text);
    assert_true(problems.count > LIMIT_PROBLEMS); /* all are counted, few are kept */
    struct arena *small = arena_create(600);
    struct aliases_source s = {SPAN("f"), SPAN("a: b\nc: d\ne: f\ng: h\ni: j\n"), NULL};
    struct problems p = {.count = 0};
    assert_null(aliases_parse(small, &s, 1, canonical, &p));
    arena_destroy(&small);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format),    cmocka_unit_test(commands_and_files_are_refused),
        cmocka_unit_test(bad_lines), cmocka_unit_test(places_of_words),
        cmocka_unit_test(lists),     cmocka_unit_test(bounds)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(&arena);
    return failed;
}
