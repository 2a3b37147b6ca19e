#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "system/tls_arena.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNKS 64
#define REGION (CHUNKS * (size_t)TLS_ARENA_CHUNK_OCTETS)

static int setup(void **state)
{
    (void)state;
    return tls_arena_map(REGION + 1000) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tls_arena_unmap();
    return 0;
}

static void test_map_limits(void **state)
{
    (void)state;
    assert_int_equal(tls_arena_count().max, REGION);
    assert_false(tls_arena_map(REGION)); /* one only */
    tls_arena_unmap();
    assert_false(tls_arena_map(TLS_ARENA_CHUNK_OCTETS - 1));
    assert_null(tls_arena_take(1));
    assert_true(tls_arena_map(REGION));
}

static void test_every_size_is_aligned_and_apart(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40000; n += 1 + n / 50) {
        uint8_t *a = tls_arena_take(n), *b = tls_arena_take(n);
        assert_non_null(a);
        assert_non_null(b);
        assert_int_equal((uintptr_t)a % 16, 0);
        memset(a, 1, n);
        memset(b, 2, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(a[i], 1);
        tls_arena_give(a);
        tls_arena_give(b);
    }
    assert_int_equal(tls_arena_count().used, 0);
    assert_int_equal(tls_arena_count().chunks, 0);
    assert_null(tls_arena_take(0));
}

static void test_resize_keeps_content(void **state)
{
    (void)state;
    uint8_t *p = NULL;
    size_t n = 0;
    static const size_t sizes[] = {1, 16, 17, 500, 30000, 32768, 32769, 200000, 70000, 100, 5};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        p = tls_arena_resize(p, sizes[i]);
        assert_non_null(p);
        for (size_t j = 0; j < n && j < sizes[i]; j++)
            assert_int_equal(p[j], (uint8_t)j);
        n = sizes[i];
        for (size_t j = 0; j < n; j++)
            p[j] = (uint8_t)j;
    }
    assert_null(tls_arena_resize(p, 0));
    assert_int_equal(tls_arena_count().used, 0);
}

static void test_ceiling(void **state)
{
    (void)state;
    void *chunk[CHUNKS];
    for (unsigned i = 0; i < CHUNKS; i++)
        assert_non_null(chunk[i] = tls_arena_take(TLS_ARENA_CHUNK_OCTETS));
    assert_null(tls_arena_take(16));
    assert_null(tls_arena_take(65536));
    assert_int_equal(tls_arena_count().refused, 2);
    assert_null(tls_arena_resize(chunk[5], TLS_ARENA_CHUNK_OCTETS + 1)); /* the old one stays */
    memset(chunk[5], 7, TLS_ARENA_CHUNK_OCTETS);
    tls_arena_give(chunk[5]);
    tls_arena_give(chunk[6]);
    tls_arena_give(chunk[8]);
    assert_null(tls_arena_take(3 * TLS_ARENA_CHUNK_OCTETS)); /* not joined: 7 lies between */
    void *two = tls_arena_take(2 * TLS_ARENA_CHUNK_OCTETS);
    assert_ptr_equal(two, chunk[5]);
    void *small = tls_arena_take(32);
    assert_ptr_equal(small, chunk[8]);
    assert_null(tls_arena_take(SIZE_MAX));
    tls_arena_give(two);
    tls_arena_give(small);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i != 5 && i != 6 && i != 8) tls_arena_give(chunk[i]);
    assert_int_equal(tls_arena_count().chunks, 0);
    assert_int_equal(tls_arena_count().peak, REGION);
}

/* A long random life; each object is filled with its own octet and looked at again. */
static void test_random_life(void **state)
{
    (void)state;
    enum { SLOTS = 600 };
    static struct {
        uint8_t *p, fill;
        size_t n;
    } slot[SLOTS];
    uint32_t seed = 12345;
    for (unsigned step = 0; step < 60000; step++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % SLOTS;
        if (slot[i].p) {
            for (size_t j = 0; j < slot[i].n; j += 7)
                assert_int_equal(slot[i].p[j], slot[i].fill);
            tls_arena_give(slot[i].p);
            slot[i].p = NULL;
            continue;
        }
        seed = seed * 1664525 + 1013904223;
        unsigned kind = (seed >> 20) % 100;
        slot[i].n = kind < 90   ? 1 + (seed >> 7) % 2000
                    : kind < 98 ? 1 + (seed >> 7) % 32768
                                : 1 + (seed >> 7) % 150000;
        slot[i].fill = (uint8_t)step;
        slot[i].p = tls_arena_take(slot[i].n);
        if (slot[i].p) memset(slot[i].p, slot[i].fill, slot[i].n);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        tls_arena_give(slot[i].p);
    assert_int_equal(tls_arena_count().used, 0);
    assert_int_equal(tls_arena_count().chunks, 0);
    assert_true(tls_arena_trim() > 0);
    assert_int_equal(tls_arena_trim(), 0);
    assert_non_null(tls_arena_take(100));
}

static void dies(void (*fn)(void))
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka's own handler would swallow it */
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void give_foreign(void)
{
    static uint8_t foreign[64];
    tls_arena_give(foreign);
}

static void give_inner(void)
{
    uint8_t *p = tls_arena_take(100);
    tls_arena_give(p + 16);
}

static void give_twice(void)
{
    void *p = tls_arena_take(40000);
    tls_arena_give(p);
    tls_arena_give(p);
}

static void overwrite_link(void)
{
    void *p = tls_arena_take(64), *q = tls_arena_take(64);
    tls_arena_give(p);
    memset(p, 0xee, 8);
    (void)q;
    tls_arena_take(64);
}

static void test_wrong_pointers_end_the_process(void **state)
{
    (void)state;
    dies(give_foreign);
    dies(give_inner);
    dies(give_twice);
    dies(overwrite_link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_map_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_size_is_aligned_and_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resize_keeps_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ceiling, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_pointers_end_the_process, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
