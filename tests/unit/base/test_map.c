#include "../span_check.h"

#include "base/map.h"

enum { KEYS = 300 };
static struct map_slot small[512], large[2048];
static uint32_t model[KEYS]; /* value + 1, 0 when not in */

static void like_a_table(void **state)
{
    (void)state;
    memset(model, 0, sizeof model);
    memset(small, 0xff, sizeof small);
    memset(large, 0xff, sizeof large);
    struct map m = map_on(small, 512, 42);
    uint32_t x = 3;
    for (int step = 0; step < 60000; step++) {
        x = x * 1664525 + 1013904223;
        uint32_t k = (x >> 8) % KEYS, v = x >> 20;
        uint64_t key = (uint64_t)k << (k % 2 ? 0 : 40);
        if (step == 30000) {
            struct map to = map_on(large, 2048, 43);
            map_move(&m, &to);
            m = to;
        }
        if (x >> 31) {
            assert_int_equal(map_remove(&m, key), model[k] != 0);
            model[k] = 0;
        } else {
            assert_true(map_set(&m, key, v));
            model[k] = v + 1;
        }
        uint32_t *got = map_get(&m, key);
        assert_int_equal(got != NULL, model[k] != 0);
        if (got) assert_int_equal(*got, model[k] - 1);
    }
    size_t n = 0, at = 0, want = 0;
    for (uint32_t k = 0; k < KEYS; k++) { /* removal has lost nobody */
        want += model[k] != 0;
        assert_int_equal(map_get(&m, (uint64_t)k << (k % 2 ? 0 : 40)) != NULL, model[k] != 0);
    }
    while (map_next(&m, &at))
        n++;
    assert_int_equal(n, want);
    assert_int_equal(m.n, want);
}

static void full_is_said(void **state)
{
    (void)state;
    struct map m = map_on(small, 15, 0); /* 8 slots */
    assert_int_equal(m.slots, 8);
    for (uint64_t k = 0; k < 6; k++)
        assert_true(map_set(&m, k, 1));
    assert_false(map_set(&m, 6, 1));
    assert_true(map_set(&m, 5, 9)); /* a key that is in may change */
    assert_int_equal(*map_get(&m, 5), 9);
    assert_null(map_get(&m, 6));
    assert_true(map_remove(&m, 0));
    assert_true(map_set(&m, 6, 1));
    assert_int_equal(m.n, 6);
}

static void nothing_at_all(void **state)
{
    (void)state;
    struct map m = map_on(NULL, 0, 0);
    size_t at = 0;
    assert_null(map_get(&m, 0));
    assert_false(map_set(&m, 0, 0));
    assert_false(map_remove(&m, 0));
    assert_null(map_next(&m, &at));
    m = map_on(small, 2, 0);
    assert_true(map_set(&m, 0, 0));
    assert_false(map_set(&m, 1, 0)); /* one slot stays free: a search always ends */
    assert_null(map_get(&m, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_a_table),
        cmocka_unit_test(full_is_said),
        cmocka_unit_test(nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
