#include "policy/sources.h"

#include "policy/network.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct sources table(uint32_t slots)
{
    struct sources t;
    size_t n = sources_octets(slots);
    void *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(m, MAP_FAILED);
    sources_init(m, slots, 0x1234567);
    assert_true(sources_open(&t, m, n));
    return t;
}

static void drop(struct sources *t)
{
    assert_int_equal(munmap(t->memory, sources_octets(t->slots)), 0);
}

/* The key of 10.a.b.c */
static const uint8_t *key(uint32_t i)
{
    static __thread uint8_t k[16];
    const uint8_t made[16] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
    memcpy(k, made, 16);
    return k;
}

static const uint8_t *key6(uint64_t prefix)
{
    static __thread uint8_t k[16];
    memset(k, 0, sizeof k);
    for (unsigned i = 0; i < 8; i++)
        k[i] = (uint8_t)(prefix >> (56 - 8 * i));
    return k;
}

static enum sources_answer enter(struct sources *t, unsigned edge, const uint8_t *k, uint32_t per_source,
                                 uint32_t total)
{
    return sources_enter(t, edge, SPAN("mx"), k, per_source, total);
}

static void leave(struct sources *t, unsigned edge, const uint8_t *k)
{
    sources_leave(t, edge, SPAN("mx"), k);
}

static void servers_have_counts_of_their_own(void **state)
{
    (void)state;
    struct sources t = table(256);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(enter(&t, i % 3, key(1), 5, 6), SOURCES_OK);
    assert_int_equal(sources_enter(&t, 0, SPAN("printers"), key(1), 1, 2), SOURCES_OK);
    assert_int_equal(sources_enter(&t, 0, SPAN("printers"), key(1), 1, 2), SOURCES_SOURCE_FULL);
    assert_int_equal(sources_enter(&t, 1, SPAN("printers"), key(2), 1, 2), SOURCES_OK);
    assert_int_equal(sources_enter(&t, 2, SPAN("printers"), key(3), 1, 2), SOURCES_SERVER_FULL);
    assert_int_equal(enter(&t, 2, key(2), 5, 6), SOURCES_OK);
    assert_int_equal(sources_total(&t), 8);
    sources_leave(&t, 1, SPAN("printers"), key(2));
    sources_leave(&t, 1, SPAN("printers"), key(2)); /* it is gone already */
    assert_int_equal(sources_enter(&t, 2, SPAN("printers"), key(3), 1, 2), SOURCES_OK);
    assert_int_equal(enter(&t, 2, key(2), 5, 6), SOURCES_SERVER_FULL);
    drop(&t);
}

static void principals_beside_sources(void **state)
{
    (void)state;
    struct sources t = table(256);
    const struct span joe = SPAN("joe@example.org"), mx = SPAN("mx");
    assert_int_equal(enter(&t, 0, key(1), 1, 1), SOURCES_OK);
    assert_int_equal(sources_hold(&t, 0, mx, joe, 2), SOURCES_OK);
    assert_int_equal(sources_hold(&t, 1, mx, joe, 2), SOURCES_OK);
    assert_int_equal(sources_hold(&t, 2, mx, joe, 2), SOURCES_SOURCE_FULL);
    assert_int_equal(sources_hold(&t, 2, SPAN("submission"), joe, 2), SOURCES_OK);
    assert_int_equal(sources_hold(&t, SOURCES_EDGES, mx, SPAN("ann@example.org"), 2), SOURCES_SERVER_FULL);
    assert_int_equal(sources_total(&t), 1);
    sources_release(&t, 2, mx, joe); /* another edge's */
    assert_int_equal(sources_hold(&t, 2, mx, joe, 2), SOURCES_SOURCE_FULL);
    sources_release(&t, 1, mx, joe);
    assert_int_equal(sources_hold(&t, 2, mx, joe, 2), SOURCES_OK);
    drop(&t);
}

static void limits_hold(void **state)
{
    (void)state;
    struct sources t = table(256);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(enter(&t, i % 3, key(1), 5, 100), SOURCES_OK); /* counted over all edges */
    assert_int_equal(enter(&t, 7, key(1), 5, 100), SOURCES_SOURCE_FULL);
    assert_int_equal(sources_total(&t), 5);
    assert_int_equal(enter(&t, 7, key(2), 5, 5), SOURCES_SERVER_FULL);
    assert_int_equal(sources_total(&t), 5);
    assert_int_equal(enter(&t, 7, key(2), 5, 6), SOURCES_OK);
    leave(&t, 0, key(1));
    assert_int_equal(enter(&t, 7, key(1), 5, 6), SOURCES_OK);
    assert_int_equal(enter(&t, 7, key(1), 0, 100), SOURCES_SOURCE_FULL); /* zero is not unlimited */
    assert_int_equal(enter(&t, 7, key(1), 100, 0), SOURCES_SERVER_FULL);
    assert_int_equal(enter(&t, SOURCES_EDGES, key(1), 100, 100), SOURCES_SERVER_FULL);
    drop(&t);
}

static void leave_never_goes_below_zero(void **state)
{
    (void)state;
    struct sources t = table(256);
    leave(&t, 0, key(1));
    assert_int_equal(enter(&t, 0, key(1), 2, 100), SOURCES_OK);
    leave(&t, 1, key(1)); /* another edge's column */
    leave(&t, 99, key(1));
    assert_int_equal(sources_total(&t), 1);
    leave(&t, 0, key(1));
    leave(&t, 0, key(1));
    assert_int_equal(sources_total(&t), 0);
    assert_int_equal(enter(&t, 0, key(1), 1, 1), SOURCES_OK);
    drop(&t);
}

static void prefixes_that_look_like_marks(void **state)
{
    (void)state;
    struct sources t = table(256);
    /* ::/64 has the prefix zero, which must not be taken for an empty slot; ::1 is in it */
    assert_int_equal(enter(&t, 0, key6(0), 1, 100), SOURCES_OK);
    assert_int_equal(enter(&t, 0, key6(0), 1, 100), SOURCES_SOURCE_FULL);
    assert_int_equal(enter(&t, 0, key6(1), 1, 100), SOURCES_OK);
    assert_int_equal(enter(&t, 0, key6(0x20010db800000000u), 1, 100), SOURCES_OK);
    leave(&t, 0, key6(0));
    assert_int_equal(enter(&t, 0, key6(0), 1, 100), SOURCES_OK);
    assert_int_equal(sources_total(&t), 3);
    drop(&t);
}

static void dead_edge_is_cleared(void **state)
{
    (void)state;
    struct sources t = table(256);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(enter(&t, i & 1, key(i % 4), 10, 100), SOURCES_OK);
    sources_clear_edge(&t, 1);
    assert_int_equal(sources_total(&t), 20);
    assert_int_equal(enter(&t, 0, key(1), 10, 100), SOURCES_OK);
    leave(&t, 1, key(1)); /* a late leave of the dead */
    assert_int_equal(sources_total(&t), 21);
    sources_clear_edge(&t, 0);
    assert_int_equal(sources_total(&t), 0);
    drop(&t);
}

/* More sources at once than there is room for: refused, nobody else's counts move, and room comes back. */
static void full_table_refuses(void **state)
{
    (void)state;
    struct sources t = table(64);
    unsigned in = 0, refused = 0;
    bool *entered = calloc(1000, sizeof *entered);
    assert_non_null(entered);
    for (uint32_t i = 0; i < 1000; i++) {
        enum sources_answer a = enter(&t, 0, key(i), 1, 100000);
        assert_int_not_equal(a, SOURCES_SOURCE_FULL);
        entered[i] = a == SOURCES_OK;
        in += entered[i];
        refused += !entered[i];
    }
    assert_int_equal(in, 63); /* and one slot for the server */
    assert_int_equal(refused, 1000 - 63);
    assert_int_equal(sources_total(&t), 63);
    for (uint32_t i = 0; i < 1000; i++)
        if (entered[i]) leave(&t, 0, key(i));
    assert_int_equal(sources_total(&t), 0);
    for (uint32_t i = 5000; i < 5016; i++)
        assert_int_equal(enter(&t, 1, key(i), 1, 100000), SOURCES_OK);
    free(entered);
    drop(&t);
}

/* Far more sources over time than slots: those that left make room, and counts stay exact. */
static void slots_are_used_again(void **state)
{
    (void)state;
    struct sources t = table(256);
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(enter(&t, i % 8, key(i), 1, 64), SOURCES_OK);
        if (i >= 40) leave(&t, (i - 40) % 8, key(i - 40));
    }
    assert_int_equal(sources_total(&t), 40);
    drop(&t);
}

static void memory_is_not_trusted(void **state)
{
    (void)state;
    struct sources t = table(256), u;
    size_t n = sources_octets(256);
    assert_false(sources_open(&u, t.memory, n - 1));
    assert_false(sources_open(&u, t.memory, 0));
    assert_false(sources_open(&u, NULL, n));
    assert_false(sources_open(&u, t.memory + 8, n));
    /* an edge that writes anything anywhere spoils counts only: no slot outside the table is touched, nobody hangs */
    srandom(3);
    for (unsigned round = 0; round < 200; round++) {
        for (size_t i = 0; i < n; i++)
            t.memory[i] = (uint8_t)(round & 1 ? random() : 0xfd);
        for (uint32_t i = 0; i < 10; i++) {
            enter(&t, i % SOURCES_EDGES, key(i), 1000, 1000);
            leave(&t, i % SOURCES_EDGES, key(i));
        }
        sources_total(&t);
    }
    assert_false(sources_open(&u, t.memory, n));
    drop(&t);
}

struct worker {
    struct sources *t;
    unsigned edge;
    uint32_t per_source, sources;
    uint64_t ok, refused;
};

/* Sessions come and go; never may more than per_source of one source be in. The edges count for themselves in `inside`. */
static uint32_t inside[64];

static void *hammer(void *context)
{
    struct worker *w = context;
    uint64_t x = w->edge * 7919 + 1;
    uint32_t held[64] = {0};
    for (unsigned i = 0; i < 60000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        uint32_t k = (uint32_t)(x >> 33) % w->sources;
        bool in = (x >> 60) & 1;
        if (in && enter(w->t, w->edge, key(k), w->per_source, 100000) == SOURCES_OK) {
            uint32_t now = __atomic_add_fetch(&inside[k], 1, __ATOMIC_SEQ_CST);
            w->refused += now > w->per_source;
            held[k]++;
            w->ok++;
        } else if (!in && held[k]) {
            __atomic_sub_fetch(&inside[k], 1, __ATOMIC_SEQ_CST);
            held[k]--;
            leave(w->t, w->edge, key(k));
        }
    }
    for (uint32_t k = 0; k < w->sources; k++)
        while (held[k]) {
            __atomic_sub_fetch(&inside[k], 1, __ATOMIC_SEQ_CST);
            held[k]--;
            leave(w->t, w->edge, key(k));
        }
    return NULL;
}

static void edges_in_parallel(void **state)
{
    (void)state;
    struct sources t = table(256);
    struct worker w[6];
    pthread_t thread[6];
    memset(inside, 0, sizeof inside);
    for (unsigned i = 0; i < 6; i++) {
        w[i] = (struct worker){&t, i, 3, 40, 0, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, &w[i]), 0);
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(w[i].refused, 0); /* the limit was never passed */
        assert_true(w[i].ok > 1000);
    }
    assert_int_equal(sources_total(&t), 0);
    for (uint32_t k = 0; k < 40; k++) /* and every counter is back at zero: the full allowance is there */
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(enter(&t, 0, key(k), 3, 100000), SOURCES_OK);
    drop(&t);
}

/* Slots change owners all the time under several edges, more sources than slots: totals come out even. */
static void *churn(void *context)
{
    struct worker *w = context;
    for (uint32_t i = 0; i < 40000; i++) {
        uint32_t k = w->edge * 1000000 + i;
        if (enter(w->t, w->edge, key(k), 1, 100000) != SOURCES_OK) {
            w->refused++;
            continue;
        }
        w->ok++;
        leave(w->t, w->edge, key(k));
    }
    return NULL;
}

static void slots_change_owners_in_parallel(void **state)
{
    (void)state;
    struct sources t = table(64);
    struct worker w[4];
    pthread_t thread[4];
    for (unsigned i = 0; i < 4; i++) {
        w[i] = (struct worker){&t, i, 1, 0, 0, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, churn, &w[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_true(w[i].refused <
                    400); /* of 40000: only when a slot is left and taken at the very same moment */
    }
    assert_int_equal(sources_total(&t), 0);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(enter(&t, 0, key(i), 1, 100), SOURCES_OK);
    drop(&t);
}

/* Edges are killed in the middle of what they do: after clearing their columns nothing of them is left, and a slot they
 * were renaming does not block others. */
static void killed_edges(void **state)
{
    (void)state;
    struct sources t = table(64);
    for (unsigned round = 0; round < 60; round++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (uint32_t i = 0;; i++) {
                enter(&t, 3, key(i), 100, 100000);
                leave(&t, 3, key(i * 7 % 1000));
            }
        }
        usleep(1000 + round * 37);
        for (uint32_t i = 0; i < 200; i++)
            if (enter(&t, 0, key(1000000 + i), 1, 100000) == SOURCES_OK) leave(&t, 0, key(1000000 + i));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        sources_clear_edge(&t, 3);
        assert_int_equal(sources_total(&t), 0);
    }
    unsigned in = 0;
    for (uint32_t i = 0; i < 1000; i++)
        in += enter(&t, 0, key(i), 1, 100000) == SOURCES_OK;
    assert_int_equal(in, 63); /* every slot is usable again, one of them by the server */
    drop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_have_counts_of_their_own),
        cmocka_unit_test(principals_beside_sources),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(leave_never_goes_below_zero),
        cmocka_unit_test(prefixes_that_look_like_marks),
        cmocka_unit_test(dead_edge_is_cleared),
        cmocka_unit_test(full_table_refuses),
        cmocka_unit_test(slots_are_used_again),
        cmocka_unit_test(memory_is_not_trusted),
        cmocka_unit_test(edges_in_parallel),
        cmocka_unit_test(slots_change_owners_in_parallel),
        cmocka_unit_test(killed_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
