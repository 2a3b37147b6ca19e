#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "spool/id_map.h"

#define N 20000

static int values[N];

static uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9U;
    return (v ^ (v >> 27)) * 0x94d049bb133111ebU | 1;
}

static void empty(void **state)
{
    (void)state;
    struct id_map m = {0};
    uint64_t id;
    assert_null(id_map_find(&m, 1));
    assert_null(id_map_remove(&m, 1));
    assert_null(id_map_after(&m, 0, &id));
    id_map_destroy(&m);
}

/* Against a plain array, in random order, with removals in between. */
static void like_an_array(void **state)
{
    (void)state;
    static uint64_t ids[N];
    static bool in[N];
    struct id_map m = {0};
    size_t count = 0;
    for (int i = 0; i < N; i++)
        ids[i] = i % 3 ? mix((uint64_t)i + 1) : (uint64_t)i * 1000 + 2;
    for (int round = 0; round < 4 * N; round++) {
        size_t i = mix((uint64_t)round + 7) % N;
        if (in[i]) {
            assert_ptr_equal(id_map_find(&m, ids[i]), &values[i]);
            assert_false(id_map_insert(&m, ids[i], &values[0]));
            assert_ptr_equal(id_map_remove(&m, ids[i]), &values[i]);
        } else {
            assert_null(id_map_find(&m, ids[i]));
            assert_true(id_map_insert(&m, ids[i], &values[i]));
        }
        in[i] = !in[i];
        count += in[i] ? 1 : (size_t)-1;
        assert_int_equal(m.count, count);
    }
    uint64_t id = 0, before = 0;
    size_t walked = 0;
    while (id_map_after(&m, id, &id)) {
        assert_true(id > before);
        before = id;
        walked++;
    }
    assert_int_equal(walked, count);
    id_map_destroy(&m);
}

static void ascending_pages_stay_full(void **state)
{
    (void)state;
    struct id_map m = {0};
    for (uint64_t i = 1; i <= 5120; i++)
        assert_true(id_map_insert(&m, i, &values[i]));
    assert_int_equal(m.n_pages, 10);
    for (uint64_t i = 1; i <= 5120; i++)
        if (i % 64) assert_ptr_equal(id_map_remove(&m, i), &values[i]);
    assert_int_equal(m.count, 80);
    assert_true(m.n_pages <= 2); /* memory follows use */
    uint64_t id = 0;
    assert_ptr_equal(id_map_after(&m, 64, &id), &values[128]);
    assert_ptr_equal(id_map_after(&m, 63, &id), &values[64]);
    assert_null(id_map_after(&m, 5120, &id));
    assert_null(id_map_after(&m, UINT64_MAX, &id));
    id_map_destroy(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(empty), cmocka_unit_test(like_an_array),
                                       cmocka_unit_test(ascending_pages_stay_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
