#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/race.h"

enum {
    STAGGER = LIMIT_CONNECT_STAGGER_MS,
    BETTER = LIMIT_CONNECT_PREFERENCE_MS,
    LOOKUP = LIMIT_CONNECT_LOOKUP_MS
};

static uint64_t until;

static void starts(struct race *r, uint64_t now, uint32_t wanted)
{
    uint32_t i = UINT32_MAX;
    assert_int_equal(race_next(r, now, &i, &until), RACE_START);
    assert_int_equal(i, wanted);
}

static void waits(struct race *r, uint64_t now, uint64_t wanted)
{
    uint32_t i;
    assert_int_equal(race_next(r, now, &i, &until), RACE_WAIT);
    assert_int_equal(until, wanted);
}

static void gives(struct race *r, uint64_t now, enum race_step wanted)
{
    uint32_t i;
    assert_int_equal(race_next(r, now, &i, &until), wanted);
}

static void test_equals(void **state)
{
    (void)state;
    struct race r = {.n = 0};
    for (unsigned i = 0; i < 3; i++)
        assert_true(race_add(&r, 10));
    starts(&r, 1000, 0);
    waits(&r, 1000, 1000 + STAGGER);
    waits(&r, 1000 + STAGGER - 1, 1000 + STAGGER);
    starts(&r, 1000 + STAGGER, 1);
    waits(&r, 1000 + STAGGER, 1000 + 2 * STAGGER);
    starts(&r, 5000, 2);
    waits(&r, 5000, UINT64_MAX);
    for (unsigned i = 0; i < 3; i++)
        r.runners[i].state = RACE_LOST;
    gives(&r, 6000, RACE_OVER);
}

/* What failed is no reason to wait. */
static void test_failure_is_quick(void **state)
{
    (void)state;
    struct race r = {.n = 0};
    race_add(&r, 10), race_add(&r, 10), race_add(&r, 20);
    starts(&r, 1000, 0);
    r.runners[0].state = RACE_LOST;
    starts(&r, 1001, 1);
    r.runners[1].state = RACE_LOST;
    starts(&r, 1002, 2);
    waits(&r, 1002, UINT64_MAX);
}

/* RFC 5321 5.1: a worse host has its turn when the better ones had theirs. */
static void test_preference(void **state)
{
    (void)state;
    struct race r = {.n = 0};
    race_add(&r, 10), race_add(&r, 20), race_add(&r, 20);
    starts(&r, 1000, 0);
    waits(&r, 1000 + STAGGER, 1000 + BETTER);
    starts(&r, 1000 + BETTER, 1);
    waits(&r, 1000 + BETTER, 1000 + BETTER + STAGGER);
    /* one that comes late and is better goes first */
    race_add(&r, 10);
    starts(&r, 1000 + BETTER + STAGGER, 3);
}

static void test_hosts(void **state)
{
    (void)state;
    struct race r = {.more = true, .more_preference = 10};
    gives(&r, 1000, RACE_NEED); /* the first host */
    r.more_preference = 20;     /* the second is worse */
    waits(&r, 1000, 1000 + LOOKUP);
    race_add(&r, 10);
    r.pending = 0;
    starts(&r, 1100, 0);
    waits(&r, 1100, 1100 + BETTER); /* it is not looked up before it can be tried */
    r.runners[0].state = RACE_LOST;
    gives(&r, 1200, RACE_NEED);
    r.more = false;
    waits(&r, 1200, UINT64_MAX); /* a look-up is open */
    r.pending = 0;
    gives(&r, 1300, RACE_OVER);
}

/* A host whose name servers are dead does not hold up the next. */
static void test_slow_names(void **state)
{
    (void)state;
    struct race r = {.more = true, .more_preference = 10};
    gives(&r, 1000, RACE_NEED);
    gives(&r, 1000 + LOOKUP, RACE_NEED);
    assert_int_equal(r.pending, 2);
    r.more = false;
    race_add(&r, 10);
    starts(&r, 2100, 0);
}

static void test_cut(void **state)
{
    (void)state;
    struct race r = {.more = true, .more_preference = 30};
    race_add(&r, 10), race_add(&r, 20);
    starts(&r, 1000, 0);
    race_cut(&r, 20); /* we are the host of preference 20 */
    waits(&r, 1000 + 2 * BETTER, UINT64_MAX);
    r.runners[0].state = RACE_LOST;
    gives(&r, 1000 + 2 * BETTER, RACE_OVER);
}

static void test_room(void **state)
{
    (void)state;
    struct race r = {.n = 0};
    for (unsigned i = 0; i < RACE_RUNNERS; i++)
        assert_true(race_add(&r, 10));
    assert_false(race_add(&r, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals),     cmocka_unit_test(test_failure_is_quick),
        cmocka_unit_test(test_preference), cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_slow_names), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
