#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/rates.h"

enum { SLOTS = 64 };

static struct rates table(void)
{
    struct rates t;
    void *memory = aligned_alloc(64, rates_octets(SLOTS));
    assert_non_null(memory);
    memset(memory, 0, rates_octets(SLOTS));
    rates_init(memory, SLOTS, 4711);
    assert_true(rates_open(&t, memory, rates_octets(SLOTS)));
    assert_false(rates_open(&t, memory, rates_octets(SLOTS) - 64));
    return t;
}

static const struct rate_key alice = {RATE_PRINCIPAL_MESSAGES, SPAN("s"), SPAN("alice@example.org")};

static void limits_hold(void **state)
{
    (void)state;
    struct rates t = table();
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rates_count(&t, &alice, 5, 60, 1000000), 0);
    assert_true(rates_count(&t, &alice, 5, 60, 1000000) > 0);
    assert_true(rates_count(&t, &alice, 5, 60, 1059999) > 0); /* for the whole time */
    assert_int_equal(rates_count(&t, &alice, 5, 60, 1072000), 0);
    free(t.memory);
}

static void counts_apart(void **state)
{
    (void)state;
    struct rates t = table();
    const struct rate_key others[] = {
        {RATE_PRINCIPAL_RECIPIENTS, SPAN("s"), SPAN("alice@example.org")},
        {RATE_PRINCIPAL_MESSAGES, SPAN("r"), SPAN("alice@example.org")},
        {RATE_PRINCIPAL_MESSAGES, SPAN("s"), SPAN("alice@example.or")},
        {RATE_PRINCIPAL_MESSAGES, SPAN("sa"), SPAN("lice@example.org")},
    };
    assert_int_equal(rates_count(&t, &alice, 1, 60, 5000), 0);
    assert_true(rates_count(&t, &alice, 1, 60, 5000) > 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(rates_count(&t, &others[i], 1, 60, 5000), 0);
    free(t.memory);
}

/* Whoever comes back when he was told is served, and not much earlier. */
static void says_when(void **state)
{
    (void)state;
    struct rates t = table();
    uint64_t now = 7000123;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(rates_count(&t, &alice, 10, 3600, now + i * 60000), 0);
    now += 10 * 60000;
    uint32_t wait = rates_count(&t, &alice, 10, 3600, now);
    assert_in_range(wait, 3000, 3600);
    assert_int_equal(rates_count(&t, &alice, 10, 3600, now + wait * 1000ull), 0);
    t.seed++;
    for (uint64_t at = now; at < now + 1000ull * 3000; at += 60000) { /* what is refused is not counted */
        wait = rates_count(&t, &alice, 1, 3600, at);
        assert_true(at == now ? wait == 0 : wait > 0 && wait <= 3600);
    }
    free(t.memory);
}

/* What came to nothing does not count, and takes nothing else away; what is refused keeps nobody waiting longer. */
static void gives_back(void **state)
{
    (void)state;
    struct rates t = table();
    uint64_t now = 7200000;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(rates_count(&t, &alice, 1, 3600, now + i), 0);
        rates_give_back(&t, &alice, 3600, now + i);
    }
    assert_int_equal(rates_count(&t, &alice, 1, 3600, now + 100), 0);
    rates_give_back(&t, &alice, 3600, now + 3600000); /* nothing was counted then */
    for (unsigned i = 0; i < 700; i++)
        assert_in_range(rates_count(&t, &alice, 1, 3600, now + 101 + i * 1000), 3600 - i, 3600 - i);
    assert_true(rates_count(&t, &alice, 1, 3600, now + 3600099) > 0);
    assert_int_equal(rates_count(&t, &alice, 1, 3600, now + 3600100), 0);
    free(t.memory);
}

/* In no time of that length more than the limit, however it is spread. */
static void never_more_in_a_window(void **state)
{
    (void)state;
    struct rates t = table();
    static uint64_t accepted[4096];
    unsigned n = 0;
    uint32_t seed = 1;
    for (uint64_t now = 100000; now < 700000; now += (seed = seed * 1664525u + 1013904223u) >> 22) {
        if (rates_count(&t, &alice, 20, 10, now)) continue;
        assert_true(n < 4096);
        accepted[n++] = now;
        if (n > 20) assert_true(now - accepted[n - 21] >= 10000);
    }
    assert_true(n > 600); /* and it is worth something: 20 in 12 s are about 1000 */
    free(t.memory);
}

/* A full table: who was quiet longest is forgotten, not who is busy. */
static void forgets_the_quiet(void **state)
{
    (void)state;
    struct rates t = table();
    char name[32];
    uint64_t now = 100000;
    assert_int_equal(rates_count(&t, &alice, 1, 3600, now), 0);
    for (unsigned i = 0; i < 5000; i++) {
        struct rate_key k = {RATE_SOURCE_MESSAGES, SPAN("s"), SPAN("")};
        snprintf(name, sizeof name, "%u", i);
        k.who = span_str(name);
        assert_int_equal(rates_count(&t, &k, 1, 1, now += 1000), 0);
        if (i < 1000 && rates_count(&t, &alice, 1000000, 3600, now)) fail();
    }
    assert_int_equal(rates_count(&t, &alice, 1, 3600, now), 0); /* forgotten by now */
    free(t.memory);
}

static void busy_stays(void **state)
{
    (void)state;
    struct rates t = table();
    char name[32];
    uint64_t now = 100000;
    for (unsigned i = 0; i < 2000; i++) {
        struct rate_key k = {RATE_SOURCE_MESSAGES, SPAN("s"), SPAN("")};
        snprintf(name, sizeof name, "%u", i);
        k.who = span_str(name);
        assert_int_equal(rates_count(&t, &k, 1, 1, now += 1000), 0);
        uint32_t wait = rates_count(&t, &alice, 1000, 86400, now);
        assert_true(i < 1000 ? wait == 0 : wait > 0);
    }
    free(t.memory);
}

struct race {
    struct rates t;
    unsigned accepted;
};

static void *one_edge(void *context)
{
    struct race *r = context;
    for (unsigned i = 0; i < 20000; i++)
        if (rates_count(&r->t, &alice, 5000, 60, 1000000 + i) == 0)
            __atomic_fetch_add(&r->accepted, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* Edges that count side by side never let more through than one would. */
static void edges_together(void **state)
{
    (void)state;
    struct race r = {.t = table()};
    pthread_t edges[4];
    assert_int_equal(rates_count(&r.t, &alice, 5000, 60, 1000000), 0); /* it has its slot */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&edges[i], NULL, one_edge, &r), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_join(edges[i], NULL), 0);
    assert_in_range(r.accepted, 4900, 4999);
    free(r.t.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(counts_apart),
        cmocka_unit_test(says_when),
        cmocka_unit_test(gives_back),
        cmocka_unit_test(never_more_in_a_window),
        cmocka_unit_test(forgets_the_quiet),
        cmocka_unit_test(busy_stays),
        cmocka_unit_test(edges_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
