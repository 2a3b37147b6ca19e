/* Whose login is next: networks in turn, whatever one of them brings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "process/directory_turns.h"

static struct turns *t;

static int begin(void **state)
{
    (void)state;
    t = turns_create();
    return t ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    turns_free(&t);
    return 0;
}

static struct address at(const char *text)
{
    struct address a;
    assert_true(address_parse(span_str(text), &a));
    return a;
}

static void stands(struct turn *turn, const char *from, enum login_queue line)
{
    struct address a = at(from);
    assert_true(turns_enter(t, turn, &a));
    assert_false(turn_stands(turn));
    turns_stand(t, turn, line);
    assert_true(turn_stands(turn));
}

static void next_is(struct turn *turn, enum login_queue line)
{
    assert_ptr_equal(turns_next(t, line), turn);
    if (turn) assert_false(turn_stands(turn));
}

static void test_networks_in_turn(void **state)
{
    struct turn a[4], b[2], c;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        stands(&a[i], "192.0.2.1", LOGIN_SLOW);
    stands(&b[0], "198.51.100.1", LOGIN_SLOW);
    stands(&b[1], "198.51.100.77", LOGIN_SLOW); /* next door: the same network */
    next_is(&a[0], LOGIN_SLOW);
    stands(&c, "2001:db8::1", LOGIN_SLOW); /* the last to come, one turn of each later */
    next_is(&b[0], LOGIN_SLOW);
    next_is(&a[1], LOGIN_SLOW);
    next_is(&c, LOGIN_SLOW);
    next_is(&b[1], LOGIN_SLOW);
    next_is(&a[2], LOGIN_SLOW);
    next_is(&a[3], LOGIN_SLOW);
    next_is(NULL, LOGIN_SLOW);
    for (size_t i = 0; i < 4; i++)
        turns_leave(t, &a[i]);
    turns_leave(t, &b[0]);
    turns_leave(t, &b[1]);
    turns_leave(t, &c);
}

static void test_lines_know_nothing_of_each_other(void **state)
{
    struct turn slow, quick, outside;
    (void)state;
    stands(&slow, "192.0.2.1", LOGIN_SLOW);
    stands(&outside, "192.0.2.1", LOGIN_OUTSIDE);
    stands(&quick, "192.0.2.1", LOGIN_QUICK);
    next_is(&quick, LOGIN_QUICK);
    next_is(NULL, LOGIN_QUICK);
    turns_stand(t, &quick, LOGIN_SLOW); /* its next step is of another kind */
    next_is(&slow, LOGIN_SLOW);
    next_is(&quick, LOGIN_SLOW);
    next_is(&outside, LOGIN_OUTSIDE);
    turns_leave(t, &slow);
    turns_leave(t, &quick);
    turns_leave(t, &outside);
}

static void test_who_leaves_has_no_turn(void **state)
{
    struct turn a[3], b, never = {.source = NULL};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        stands(&a[i], "192.0.2.1", LOGIN_SLOW);
    stands(&b, "198.51.100.1", LOGIN_SLOW);
    turns_leave(t, &a[0]);
    turns_leave(t, &a[2]);
    turns_leave(t, &a[2]); /* twice is once */
    turns_leave(t, &never);
    next_is(&a[1], LOGIN_SLOW);
    turns_leave(t, &b);
    next_is(NULL, LOGIN_SLOW);
    turns_leave(t, &a[1]);
    stands(&b, "198.51.100.1", LOGIN_SLOW);
    next_is(&b, LOGIN_SLOW);
    turns_leave(t, &b);
}

static void test_a_network_has_no_more_than_its_share(void **state)
{
    static struct turn many[LIMIT_LOGINS_PER_SOURCE];
    struct turn more = {.source = NULL}, other;
    struct address a = at("192.0.2.255"), b = at("192.0.3.1");
    (void)state;
    for (size_t i = 0; i < LIMIT_LOGINS_PER_SOURCE; i++)
        stands(&many[i], "192.0.2.1", LOGIN_SLOW);
    assert_false(turns_enter(t, &more, &a));
    turns_leave(t, &more);
    assert_true(turns_enter(t, &other, &b));
    turns_leave(t, &many[7]);
    assert_true(turns_enter(t, &more, &a));
    turns_leave(t, &more);
    turns_leave(t, &other);
    for (size_t i = 0; i < LIMIT_LOGINS_PER_SOURCE; i++)
        turns_leave(t, &many[i]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(test_networks_in_turn),
        CASE(test_lines_know_nothing_of_each_other),
        CASE(test_who_leaves_has_no_turn),
        CASE(test_a_network_has_no_more_than_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
