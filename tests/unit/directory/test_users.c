#include "directory/users.h"

#include "../span_check.h"

#include <stdio.h>

static void many_are_kept_in_their_order(void **state)
{
    struct arena *a = arena_create(1 << 20);
    struct users u = {.count = 0};
    char name[48];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "u%d@%s", i, i < 500 ? "example.org" : "example.net");
        assert_true(users_add(&u, a, span_str(name)));
    }
    assert_int_equal(u.count, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "u%d@%s", i, i < 500 ? "example.org" : "example.net");
        assert_span(u.keys[i], name);
    }
    assert_span(users_first(&u, SPAN("example.net")), "u500@example.net");
    assert_span(users_first(&u, SPAN("example.com")), "u0@example.org");
    arena_destroy(&a);
}

static void none_is_none(void **state)
{
    struct users u = {.count = 0};
    (void)state;
    assert_int_equal(users_first(&u, SPAN("example.org")).n, 0);
}

static void memory_has_an_end(void **state)
{
    struct arena *a = arena_create(2048);
    struct users u = {.count = 0};
    bool ok = true;
    (void)state;
    for (int i = 0; i < 1000 && ok; i++)
        ok = users_add(&u, a, SPAN("somebody@example.org"));
    assert_false(ok);
    arena_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_are_kept_in_their_order),
                                       cmocka_unit_test(none_is_none), cmocka_unit_test(memory_has_an_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
