#include "directory/users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canonical.h"

static struct arena *arena;
static struct problems problems;

static struct users *parse(const char *text)
{
    arena_destroy(&arena);
    arena = arena_create(1 << 24);
    problems = (struct problems){.count = 0};
    struct users *u = users_parse(arena, SPAN("users"), span_str(text), canonical, &problems);
    assert_non_null(u);
    return u;
}

static void sound(void **state)
{
    (void)state;
    struct users *u =
        parse("# users\n\nAlice@Example.org\t$y$secret\tquota=1G\nbob@example.net\t-\r\ncy@example.org\t\t");
    assert_int_equal(problems.count, 0);
    assert_int_equal(u->count, 3);
    assert_true(span_eq(u->keys[0], SPAN("alice@example.org")));
    assert_true(span_eq(u->keys[1], SPAN("bob@example.net")));
    assert_true(span_eq(users_first(u, SPAN("example.net")), SPAN("bob@example.net")));
    assert_true(span_eq(users_first(u, SPAN("example.com")), SPAN("alice@example.org")));
    assert_int_equal(users_first(parse(""), SPAN("x")).n, 0);
}

static void both_forms_of_a_domain(void **state)
{
    (void)state;
    struct users *u = parse("a@B\xc3\xbc"
                            "cher.example\t-\na@xn--bcher-kva.example\t-\n");
    assert_int_equal(problems.count, 1); /* stands twice */
    assert_int_equal(u->count, 1);
    assert_true(span_eq(u->keys[0], SPAN("a@xn--bcher-kva.example")));
}

static void hostile(void **state)
{
    (void)state;
    static const char *const bad[] = {"alice@example.org",
                                      "alice\tx",
                                      "../x@example.org\tx",
                                      "a/b@example.org\tx",
                                      "@example.org\tx",
                                      "a@\tx",
                                      "a@../x\tx",
                                      "a b@x\tx",
                                      "a@x\tx\x01y",
                                      ".a@x\tx",
                                      " a@x\tx",
                                      "a@x y\tx",
                                      "a@@x\tx",
                                      "\"a\"@x\tx"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "one@x\t-\n%s\ntwo@x\t-\n", bad[i]);
        struct users *u = parse(text);
        if (u->count != 2 || problems.count != 1 || problems.first->place.line != 2) fail_msg("%s", bad[i]);
        assert_true(span_eq(u->keys[1], SPAN("two@x")));
    }
    struct users *u = parse("a@x\t1\nA@X\t2\n");
    assert_int_equal(u->count, 1);
    assert_int_equal(problems.count, 1);
}

static void places(void **state)
{
    static const struct {
        const char *text;
        uint32_t line, column;
    } t[] = {{"# x\n\nbad name@x\t-\n", 3, 1},
             {"\xc3\xbc@x\t$y$\x01\t\n", 1, 8}, /* of the control character, in characters */
             {"a@x\t-\na@x\t-\r\n", 2, 1},
             {"a@x", 1, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        parse(t[i].text);
        assert_int_equal(problems.count, 1);
        assert_true(span_eq(problems.first->place.file, SPAN("users")));
        assert_int_equal(problems.first->place.line, t[i].line);
        assert_int_equal(problems.first->place.column, t[i].column);
    }
}

/* I10: a problem shows the name, never the verifier behind it. */
static void i10_no_secret_in_a_problem(void **state)
{
    (void)state;
    static const char *const lines[] = {"bad name@x\tSECRET\t\n", "SECRETnotab\n", "a@x\tSECRET\x01\t\n"};
    for (size_t i = 0; i < 3; i++) {
        parse(lines[i]);
        assert_int_equal(problems.count, 1);
        struct span s = problems.first->subject;
        for (size_t k = 0; k + 6 <= s.n; k++)
            assert_memory_not_equal(s.p + k, "SECRET", 6);
    }
}

static void many(void **state)
{
    (void)state;
    size_t n = 0, max = 40000 * 40;
    char *text = malloc(max);
    assert_non_null(text);
    for (unsigned i = 0; i < 30000; i++)
        n += (size_t)snprintf(text + n, max - n, "user%u@example.org\t-\t\n", i % 29999);
    struct users *u = parse(text);
    assert_int_equal(u->count, 29999);
    assert_int_equal(problems.count, 1);
    free(text);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound),  cmocka_unit_test(both_forms_of_a_domain),     cmocka_unit_test(hostile),
        cmocka_unit_test(places), cmocka_unit_test(i10_no_secret_in_a_problem), cmocka_unit_test(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
