#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/slab.h"

static void given_back_is_taken_again(void **state)
{
    (void)state;
    struct slab s = {0};
    void *a = slab_take(&s, 100);
    assert_int_equal((uintptr_t)a % SLAB_STEP, 0);
    slab_give(&s, a, 100);
    assert_ptr_equal(slab_take(&s, 97), a); /* the same class */
    assert_int_equal(s.used, 112);
    slab_give(&s, a, 97);
    assert_int_equal(s.used, 0);
    slab_destroy(&s);
}

static void blocks_do_not_overlap(void **state)
{
    (void)state;
    static uint8_t *blocks[20000];
    struct slab s = {0};
    for (size_t i = 0; i < 20000; i++) {
        size_t n = 1 + i * 37 % 3000;
        blocks[i] = slab_take(&s, n);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)(i & 255), n);
    }
    for (size_t i = 0; i < 20000; i++) {
        size_t n = 1 + i * 37 % 3000;
        assert_int_equal(blocks[i][0], i & 255);
        assert_int_equal(blocks[i][n - 1], i & 255);
        slab_give(&s, blocks[i], n);
    }
    assert_int_equal(s.used, 0);
    slab_give(&s, NULL, 5);
    slab_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(given_back_is_taken_again),
                                       cmocka_unit_test(blocks_do_not_overlap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
