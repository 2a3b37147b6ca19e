#include "../span_check.h"

#include "base/arena.h"

static void ceiling_holds(void **state)
{
    (void)state;
    struct arena *a = arena_create(1024);
    size_t n = 0;
    while (arena_take(a, 16))
        n++;
    assert_int_equal(n, 64);
    assert_int_equal(arena_used(a), 1024);
    assert_null(arena_take(a, 1));
    arena_destroy(&a);
    assert_null(a);
    arena_destroy(&a);
}

static void hostile_sizes(void **state)
{
    (void)state;
    struct arena *a = arena_create(1 << 20);
    assert_null(arena_take(a, SIZE_MAX));
    assert_null(arena_take(a, SIZE_MAX - 8));
    assert_null(arena_take_array(a, SIZE_MAX / 2, 3));
    assert_null(arena_take_array(a, (size_t)1 << 33, (size_t)1 << 33));
    assert_null(arena_take(a, (1 << 20) + 1));
    assert_int_equal(arena_used(a), 0);
    assert_non_null(arena_take(a, 1 << 20)); /* exactly the ceiling */
    arena_destroy(&a);
    a = arena_create(0);
    assert_null(arena_take(a, 0));
    arena_destroy(&a);
}

static void zeroed_aligned_apart(void **state)
{
    (void)state;
    struct arena *a = arena_create(1 << 22);
    uint8_t *last = NULL;
    for (size_t n = 0; n < 3000; n += 7) {
        uint8_t *p = arena_take(a, n);
        assert_non_null(p);
        assert_ptr_not_equal(p, last);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, n); /* a later take must not see this */
        last = p;
    }
    arena_destroy(&a);
}

static void copies(void **state)
{
    (void)state;
    struct arena *a = arena_create(64);
    struct span s = arena_copy(a, SPAN("a\0b"));
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "a\0b", 4); /* the NUL behind it */
    s = arena_copy(a, (struct span){NULL, 0});
    assert_non_null(s.p);
    assert_int_equal(s.n, 0);
    assert_null(arena_copy(a, span_of("", SIZE_MAX)).p);
    assert_null(arena_copy(a, SPAN("more than the arena still has to give")).p);
    arena_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ceiling_holds),
        cmocka_unit_test(hostile_sizes),
        cmocka_unit_test(zeroed_aligned_apart),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
