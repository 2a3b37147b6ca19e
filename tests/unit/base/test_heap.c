#include "../span_check.h"

#include "base/heap.h"

enum { MAX = 500 };
static struct heap_entry entry[MAX], larger_entry[2 * MAX];
static uint32_t place[MAX], larger_place[2 * MAX];
static uint64_t model[2 * MAX]; /* key + 1, 0 when not in */

static uint32_t next(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

static void agrees(const struct heap *h, uint32_t max)
{
    uint64_t least = UINT64_MAX;
    uint32_t n = 0;
    for (uint32_t i = 0; i < max; i++) {
        assert_int_equal(heap_has(h, i), model[i] != 0);
        n += model[i] != 0;
        if (model[i] && model[i] - 1 < least) least = model[i] - 1;
    }
    assert_int_equal(h->n, n);
    if (n == 0)
        assert_null(heap_first(h));
    else
        assert_int_equal(heap_first(h)->key, least);
}

/* Against a plain table, over thousands of random operations. */
static void like_a_table(void **state)
{
    (void)state;
    memset(model, 0, sizeof model);
    memset(place, 0xff, sizeof place);
    struct heap h = heap_on(entry, place, MAX);
    uint32_t x = 7, max = MAX;
    for (int step = 0; step < 20000; step++) {
        uint32_t item = next(&x) % max, what = next(&x) % 4;
        uint64_t key = next(&x) % 97;
        if (step == 10000) {
            memset(larger_place, 0xff, sizeof larger_place);
            heap_move(&h, larger_entry, larger_place, 2 * MAX);
            max = 2 * MAX;
        }
        if (what == 0) {
            assert_int_equal(heap_remove(&h, item), model[item] != 0);
            model[item] = 0;
        } else if (what == 1 && heap_first(&h)) {
            item = heap_first(&h)->item;
            assert_true(heap_remove(&h, item));
            model[item] = 0;
        } else {
            assert_true(heap_set(&h, item, key));
            model[item] = key + 1;
        }
        if (step % 16 == 0) agrees(&h, max);
    }
    uint64_t last = 0;
    while (heap_first(&h)) { /* comes out in order */
        assert_true(heap_first(&h)->key >= last);
        last = heap_first(&h)->key;
        assert_true(heap_remove(&h, heap_first(&h)->item));
    }
}

static void edges(void **state)
{
    (void)state;
    struct heap h = heap_on(entry, place, 2);
    assert_null(heap_first(&h));
    assert_false(heap_set(&h, 2, 1)); /* beyond max */
    assert_false(heap_set(&h, UINT32_MAX, 1));
    assert_false(heap_remove(&h, 0));
    assert_false(heap_remove(&h, UINT32_MAX));
    assert_true(heap_set(&h, 0, UINT64_MAX));
    assert_true(heap_set(&h, 1, 0));
    assert_true(heap_set(&h, 0, 0));
    assert_int_equal(h.n, 2);
    struct heap none = heap_on(NULL, NULL, 0);
    assert_false(heap_set(&none, 0, 1));
    assert_null(heap_first(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_a_table), cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
