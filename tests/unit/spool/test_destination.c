#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "spool/destination.h"

static const struct destination_limits *const usual = &destination_limits_default;

static uint32_t put(struct destinations *t, const char *key, uint64_t id, uint64_t now_ms)
{
    uint32_t ticket = destinations_add(t, span_str(key), usual, id, 0, 0, now_ms);
    assert_int_not_equal(ticket, READY_NONE);
    return ticket;
}

static void done(struct destinations *t, uint32_t destination, enum destination_outcome outcome,
                 uint64_t now_ms)
{
    struct destination_result r = {
        .destination = destination, .outcome = (uint8_t)outcome, .connected = true};
    r.failure = (struct destination_failure){
        .unix_ms = now_ms, .enhanced = "4.4.1", .text = SPAN("connection refused"), .host = SPAN("h")};
    destinations_done(t, &r, now_ms);
}

static struct destination_view view(struct destinations *t, const char *key)
{
    struct destination_view v;
    assert_true(destinations_view(t, destinations_find(t, span_str(key)), &v));
    return v;
}

static void one_message_one_transaction(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(1, 100);
    struct destination_transaction take;
    for (uint32_t i = 0; i < 250; i++)
        assert_int_not_equal(destinations_add(t, SPAN("a"), usual, 1, i, 0, 0), READY_NONE);
    assert_int_not_equal(destinations_add(t, SPAN("a"), usual, 2, 0, 0, 0), READY_NONE);
    assert_int_equal(destinations_next_ms(t, false), 0);
    assert_true(destinations_take(t, 0, false, &take));
    assert_int_equal(take.id, 1);
    assert_int_equal(take.n, 10); /* nobody knows whether it ever answers */
    for (uint32_t i = 0; i < take.n; i++)
        assert_int_equal(take.recipients[i], i);
    assert_true(destinations_take(t, 0, false, &take));
    assert_int_equal(take.n, 10);
    assert_false(destinations_take(t, 0, false, &take)); /* nothing is known of it: two sessions */
    assert_int_equal(destinations_next_ms(t, false), UINT64_MAX);
    done(t, take.destination, DESTINATION_REACHED, 10);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(destinations_take(t, 10, false, &take));
        assert_int_equal(take.n, LIMIT_RELAY_RECIPIENTS);
    }
    assert_true(destinations_take(t, 10, false, &take));
    assert_int_equal(take.n, 30);
    assert_true(destinations_take(t, 10, false, &take));
    assert_int_equal(take.id, 2);
    assert_int_equal(take.n, 1);
    destinations_destroy(&t);
    assert_null(t);
}

/* Members of a list with an owner leave with its reverse-path, the others with that of the message. */
static void one_sender_one_transaction(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(1, 100);
    struct destination_transaction take;
    static const uint32_t senders[] = {0, 0, 7, 7, 7, 0}, runs[] = {2, 3, 1};
    for (uint32_t i = 0; i < 6; i++)
        assert_int_not_equal(destinations_add(t, SPAN("a"), usual, 1, i, senders[i], 0), READY_NONE);
    for (uint32_t run = 0, at = 0; run < 3; at += runs[run++]) {
        assert_true(destinations_take(t, 0, false, &take));
        assert_int_equal(take.n, runs[run]);
        assert_int_equal(take.recipients[0], at);
        done(t, take.destination, DESTINATION_REACHED, 0);
    }
    destinations_destroy(&t);
}

static void sessions_grow_and_shrink(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(1, 1000);
    struct destination_transaction take;
    for (uint32_t i = 0; i < 1000; i++)
        put(t, "a", i, 0);
    assert_true(destinations_take(t, 0, false, &take));
    done(t, take.destination, DESTINATION_REACHED, 0);
    assert_int_equal(view(t, "a").sessions, 5);
    for (uint32_t n = 6; n < 40; n++) {
        assert_true(destinations_take(t, 0, false, &take));
        done(t, take.destination, DESTINATION_REACHED, 0);
        assert_int_equal(view(t, "a").sessions, n < 20 ? n : 20);
    }
    for (uint32_t i = 0; i < 20; i++)
        assert_true(destinations_take(t, 0, false, &take));
    assert_false(destinations_take(t, 0, false, &take));
    done(t, take.destination, DESTINATION_MISSED, 0); /* one of many: it goes on with fewer */
    assert_int_equal(view(t, "a").sessions, 10);
    assert_int_equal(view(t, "a").standing, DESTINATION_PROVEN);
    done(t, take.destination, DESTINATION_MISSED, 0);
    assert_int_equal(view(t, "a").sessions, 5);
    done(t, take.destination, DESTINATION_MISSED, 0); /* three in a row */
    assert_int_equal(view(t, "a").standing, DESTINATION_FAILED);
    assert_true(view(t, "a").backing_off);
    done(t, take.destination, DESTINATION_MISSED, 0); /* begun before: it does not wait longer for it */
    assert_in_range(view(t, "a").until_ms, 240000, 360000);
    done(t, take.destination, DESTINATION_REACHED, 0);
    assert_int_equal(view(t, "a").standing, DESTINATION_PROVEN);
    assert_int_equal(view(t, "a").sessions, 5);
    destinations_destroy(&t);
}

static void a_dead_one_is_probed(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 1000);
    struct destination_transaction take, other;
    for (uint32_t i = 0; i < 50; i++)
        put(t, "a", i, 0);
    uint64_t now = 0, wait = 300000;
    for (int round = 0; round < 8; round++) {
        assert_true(destinations_take(t, now, false, &take));
        if (round) assert_false(destinations_take(t, now, false, &other)); /* one probe at a time */
        done(t, take.destination, DESTINATION_MISSED, now);
        uint64_t next = destinations_next_ms(t, false);
        bool longest = wait == 4200000; /* and never longer */
        assert_in_range(next - now, longest ? wait / 5 * 3 : wait - wait / 5,
                        longest ? wait : wait + wait / 5);
        assert_false(destinations_take(t, next - 1, false, &take));
        now = next;
        wait = wait * 2 < 4200000 ? wait * 2 : 4200000;
    }
    struct destination_view v = view(t, "a");
    assert_int_equal(v.failures, 8);
    assert_true(span_eq(v.failure->text, SPAN("connection refused")));
    assert_true(destinations_take(t, now, false, &take));
    done(t, take.destination, DESTINATION_REACHED, now);
    for (int i = 0; i < 5; i++)
        assert_true(destinations_take(t, now, false, &take));
    destinations_destroy(&t);
}

static void flushed(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 1000);
    struct destination_transaction take;
    put(t, "a", 1, 0);
    put(t, "a", 2, 0);
    assert_true(destinations_take(t, 0, false, &take));
    done(t, take.destination, DESTINATION_MISSED, 0);
    assert_false(destinations_take(t, 5, false, &take));
    destinations_flush(t, DESTINATION_NONE, 5);
    assert_int_equal(destinations_next_ms(t, false), 0);
    assert_true(destinations_take(t, 5, false, &take));
    assert_int_equal(take.id, 2);
    destinations_destroy(&t);
}

/* However many are dead, one that lives is served at once: proven or new. */
static void the_dead_hold_nobody_up(void **state)
{
    (void)state;
    enum { DEAD = 1000, SLOTS = 64 };
    struct destinations *t = destinations_create(3, SLOTS);
    struct destination_transaction take;
    char key[16];
    put(t, "live", 1, 0);
    assert_true(destinations_take(t, 0, false, &take));
    done(t, take.destination, DESTINATION_REACHED, 0);
    for (uint32_t i = 0; i < DEAD; i++) {
        struct buf b = buf_on(key, sizeof key);
        buf_str(&b, "dead");
        buf_u64(&b, i);
        assert_int_not_equal(destinations_add(t, buf_span(&b), usual, i, 0, 0, 0), READY_NONE);
    }
    unsigned taken = 0;
    while (destinations_take(t, 0, false, &take))
        taken++;
    assert_int_equal(taken, SLOTS / 2);
    put(t, "live", 2, 1);
    assert_true(destinations_take(t, 1, false, &take));
    assert_int_equal(take.id, 2);
    assert_false(destinations_take(t, 1, false, &take));
    /* all of them failed before and are due again: a new one has room beside them */
    destinations_destroy(&t);
    t = destinations_create(3, SLOTS);
    for (uint32_t i = 0; i < DEAD; i++) {
        struct buf b = buf_on(key, sizeof key);
        buf_str(&b, "dead");
        buf_u64(&b, i);
        assert_int_not_equal(destinations_add(t, buf_span(&b), usual, i, 0, 0, 0), READY_NONE);
        assert_int_not_equal(destinations_add(t, buf_span(&b), usual, i + DEAD, 0, 0, 0), READY_NONE);
        assert_true(destinations_take(t, 0, false, &take));
        done(t, take.destination, DESTINATION_MISSED, 0);
    }
    for (taken = 0; destinations_take(t, 400000, false, &take);)
        taken++;
    assert_int_equal(taken, SLOTS / 8);
    put(t, "new", 5, 400000);
    assert_true(destinations_take(t, 400000, false, &take));
    assert_int_equal(take.id, 5);
    destinations_destroy(&t);
}

static void they_take_turns(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_transaction take;
    for (uint32_t i = 0; i < 30; i++) {
        put(t, "a", 100 + i, 0);
        put(t, "b", 200 + i, 0);
        put(t, "c", 300 + i, 0);
    }
    unsigned count[4] = {0};
    for (unsigned i = 0; i < 6; i++) {
        assert_true(destinations_take(t, 0, false, &take));
        count[take.id / 100]++;
        assert_in_range(count[take.id / 100], i / 3, i / 3 + 1);
    }
    destinations_destroy(&t);
}

static void rates(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_limits l = destination_limits_default;
    struct destination_transaction take;
    l.messages = (struct destination_rate){3, 1000};
    for (uint32_t i = 0; i < 10; i++)
        assert_int_not_equal(destinations_add(t, SPAN("a"), &l, i, 0, 0, 0), READY_NONE);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(destinations_take(t, 500, false, &take));
        done(t, take.destination, DESTINATION_REACHED, 500);
    }
    assert_false(destinations_take(t, 500, false, &take));
    assert_int_equal(destinations_next_ms(t, false), 1500);
    assert_int_equal(view(t, "a").until_ms, 1500);
    assert_false(view(t, "a").backing_off);
    assert_true(destinations_take(t, 1500, false, &take));
    destinations_destroy(&t);
}

static void connections_of_an_interval(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_limits l = destination_limits_default;
    struct destination_transaction take;
    l.connections = (struct destination_rate){1, 1000};
    for (uint32_t i = 0; i < 4; i++)
        assert_int_not_equal(destinations_add(t, SPAN("a"), &l, i, 0, 0, 0), READY_NONE);
    assert_true(destinations_take(t, 2000, false, &take));
    assert_false(destinations_take(t, 2000, false, &take));
    assert_int_equal(destinations_next_ms(t, false), 3000);
    done(t, take.destination, DESTINATION_REACHED, 2000);
    assert_true(destinations_take(t, 2100, false, &take)); /* its session is still there: no new connection */
    done(t, take.destination, DESTINATION_UNTRIED, 2100);
    assert_false(destinations_take(t, 2999, false, &take));
    assert_true(destinations_take(t, 3000, false, &take));
    done(t, take.destination, DESTINATION_REACHED, 3000);
    assert_true(destinations_take(t, 3500, false, &take));
    done(t, take.destination, DESTINATION_UNTRIED, 3500);
    assert_int_equal(destinations_counters(t).queued, 0);
    destinations_destroy(&t);
}

static void groups(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_limits of_group = destination_limits_default;
    struct destination_transaction take;
    uint32_t taken[20], n = 0;
    of_group.sessions_max = 3;
    for (uint32_t i = 0; i < 20; i++) {
        put(t, "a", i, 0);
        put(t, "b", 100 + i, 0);
    }
    assert_true(destinations_take(t, 0, false, &take));
    assert_true(destinations_group(t, take.destination, SPAN("big"), &of_group, 0));
    done(t, take.destination, DESTINATION_REACHED, 0);
    while (destinations_take(t, 0, false, &take)) /* the other one is not known to belong to it */
        taken[n++] = take.destination;
    assert_int_equal(n, 5);
    for (uint32_t i = 0; i < n; i++) /* what is in hand counts */
        assert_true(destinations_group(t, taken[i], SPAN("big"), &of_group, 0));
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(destinations_take(t, 0, false, &take));
        done(t, taken[i], DESTINATION_REACHED, 0);
    }
    assert_true(destinations_take(t, 0, false, &take));
    assert_false(destinations_take(t, 0, false, &take));
    assert_int_equal(destinations_next_ms(t, false), UINT64_MAX);
    done(t, take.destination, DESTINATION_REACHED, 0);
    bool both[2] = {false, false}; /* they take turns within the group, too */
    for (unsigned i = 0; i < 6 && destinations_take(t, 0, false, &take); i++) {
        both[take.id >= 100] = true;
        done(t, take.destination, DESTINATION_REACHED, 0);
    }
    assert_true(both[0] && both[1]);
    destinations_destroy(&t);
}

static void rate_of_a_group(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_limits of_group = destination_limits_default;
    struct destination_transaction take;
    of_group.messages = (struct destination_rate){3, 1000};
    for (uint32_t i = 0; i < 20; i++) {
        put(t, "a", i, 0);
        put(t, "b", 100 + i, 0);
    }
    assert_true(destinations_group(t, destinations_find(t, SPAN("a")), SPAN("big"), &of_group, 0));
    assert_true(destinations_group(t, destinations_find(t, SPAN("b")), SPAN("big"), &of_group, 0));
    unsigned began = 0;
    for (; destinations_take(t, 10, false, &take); began++)
        done(t, take.destination, DESTINATION_REACHED, 10);
    assert_int_equal(began, 3);
    assert_int_equal(destinations_next_ms(t, false), 1010);
    assert_int_equal(view(t, "a").until_ms, 1010);
    assert_true(destinations_group(t, destinations_find(t, SPAN("a")), (struct span){0}, &of_group, 20));
    assert_true(destinations_take(t, 20, false, &take)); /* it has left: only its own limits count */
    assert_true(take.id < 100);
    for (began = 0; destinations_take(t, 1010, false, &take) && began < 30; began++)
        done(t, take.destination, DESTINATION_REACHED, 1010);
    assert_in_range(began, 20, 22); /* all of one, three of the other */
    destinations_destroy(&t);
}

static void forgotten_when_empty(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_transaction take;
    destinations_remove(t, put(t, "a", 1, 0), 0);
    assert_int_equal(destinations_counters(t).destinations, 0);
    put(t, "a", 1, 0);
    put(t, "b", 2, 0);
    assert_true(destinations_take(t, 0, false, &take));
    done(t, take.destination, DESTINATION_REACHED, 0);
    assert_true(destinations_take(t, 0, false, &take));
    done(t, take.destination, DESTINATION_MISSED, 0);
    assert_int_equal(destinations_counters(t).destinations, 2);
    assert_false(destinations_take(t, 3600000, false, &take));
    assert_int_equal(destinations_counters(t).destinations, 1); /* a failure is remembered longer */
    assert_false(destinations_take(t, 9000000, false, &take));
    assert_int_equal(destinations_counters(t).destinations, 0);
    assert_int_equal(destinations_counters(t).memory_octets > 0, 1);
    destinations_destroy(&t);
}

static struct span named(const char *name, uint32_t i)
{
    static uint8_t memory[32];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, name);
    buf_u64(&b, i);
    return buf_span(&b);
}

static void prove(struct destinations *t, struct span key, uint64_t now_ms)
{
    struct destination_transaction take;
    assert_int_not_equal(destinations_add(t, key, usual, 1, 0, 0, now_ms), READY_NONE);
    assert_true(destinations_take(t, now_ms, false, &take));
    done(t, take.destination, DESTINATION_REACHED, now_ms);
}

/* A thousand that answered, and drip from now on, beside as many that never did: one that lives goes on at once. */
static void tarpits_hold_nobody_up(void **state)
{
    (void)state;
    enum { TARPITS = 1000, SLOTS = 4096 };
    struct destinations *t = destinations_create(3, SLOTS);
    struct destination_transaction take;
    prove(t, SPAN("live"), 0);
    for (uint32_t i = 0; i < TARPITS; i++)
        prove(t, named("tarpit", i), 0);
    for (uint32_t i = 0; i < TARPITS; i++)
        for (uint32_t n = 0; n < 100; n++)
            assert_int_not_equal(destinations_add(t, named("tarpit", i), usual, 100 + n, 0, 0, 0),
                                 READY_NONE);
    for (uint32_t i = 0; i < 3 * SLOTS; i++)
        assert_int_not_equal(destinations_add(t, named("unknown", i), usual, i, 0, 0, 0), READY_NONE);
    unsigned taken = 0;
    while (destinations_take(t, 0, false, &take))
        taken++;
    assert_int_equal(taken, SLOTS / 4 + SLOTS / 2 + TARPITS);
    for (unsigned i = 0; i < 20; i++) { /* one after the other: each a first one */
        assert_true(destinations_next_ms(t, false) > 2000);
        assert_int_not_equal(destinations_add(t, SPAN("live"), usual, 7000 + i, 0, 0, 2000), READY_NONE);
        assert_int_equal(destinations_next_ms(t, false), 0);
        assert_true(destinations_take(t, 2000, true, &take));
        assert_int_equal(take.id, 7000 + i);
        done(t, take.destination, DESTINATION_REACHED, 2000);
    }
    destinations_destroy(&t);
}

/* First ones come before second ones, and where it is crowded there are no second ones, nor many recipients. */
static void first_ones_go_first(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_transaction take;
    prove(t, SPAN("a"), 0);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_not_equal(destinations_add(t, SPAN("a"), usual, i / 20 + 1, i, 0, 0), READY_NONE);
    assert_true(destinations_take(t, 0, true, &take));
    assert_int_equal(take.n, DESTINATION_FEW);
    assert_int_equal(destinations_next_ms(t, true), UINT64_MAX);
    assert_false(destinations_take(t, 0, true, &take));
    assert_int_equal(destinations_next_ms(t, false), 0);
    put(t, "b", 7, 0);
    assert_true(destinations_take(t, 0, false, &take));
    assert_int_equal(take.id, 7);
    assert_true(destinations_take(t, 0, false, &take));
    assert_int_equal(take.id, 1);
    assert_int_equal(take.n, 10);
    destinations_destroy(&t);
}

/* What rests is bounded, however many next hops are dead. */
static void the_oldest_are_forgotten(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    struct destination_transaction take;
    for (uint32_t i = 0; i < LIMIT_DESTINATIONS_IDLE + 10; i++) {
        assert_int_not_equal(destinations_add(t, named("dead", i), usual, i, 0, 0, 0), READY_NONE);
        assert_true(destinations_take(t, 0, false, &take));
        done(t, take.destination, DESTINATION_MISSED, 0);
    }
    put(t, "waits", 1, 0);
    assert_int_equal(destinations_counters(t).destinations, LIMIT_DESTINATIONS_IDLE + 1);
    assert_int_equal(destinations_find(t, named("dead", 9)), DESTINATION_NONE);
    assert_int_not_equal(destinations_find(t, named("dead", 10)), DESTINATION_NONE);
    assert_int_not_equal(destinations_find(t, named("dead", LIMIT_DESTINATIONS_IDLE + 9)), DESTINATION_NONE);
    assert_true(destinations_counters(t).memory_octets < 1024 * LIMIT_DESTINATIONS_IDLE);
    /* who has something to do again does not rest, and is not forgotten */
    assert_int_not_equal(destinations_add(t, named("dead", 10), usual, 1, 0, 0, 0), READY_NONE);
    for (uint32_t i = 0; i < 2; i++)
        prove(t, named("new", i), 0);
    assert_int_not_equal(destinations_find(t, named("dead", 10)), DESTINATION_NONE);
    assert_int_equal(destinations_find(t, named("dead", 11)), DESTINATION_NONE);
    assert_int_not_equal(destinations_find(t, named("dead", 12)), DESTINATION_NONE);
    destinations_destroy(&t);
}

static void a_million_in_one(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 100);
    for (uint32_t i = 0; i < 1000000; i++)
        put(t, "a", i, 0);
    assert_true(destinations_counters(t).memory_octets <= 33000000);
    assert_int_equal(destinations_counters(t).queued, 1000000);
    destinations_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_message_one_transaction),
                                       cmocka_unit_test(one_sender_one_transaction),
                                       cmocka_unit_test(sessions_grow_and_shrink),
                                       cmocka_unit_test(a_dead_one_is_probed),
                                       cmocka_unit_test(flushed),
                                       cmocka_unit_test(the_dead_hold_nobody_up),
                                       cmocka_unit_test(they_take_turns),
                                       cmocka_unit_test(rates),
                                       cmocka_unit_test(connections_of_an_interval),
                                       cmocka_unit_test(groups),
                                       cmocka_unit_test(rate_of_a_group),
                                       cmocka_unit_test(forgotten_when_empty),
                                       cmocka_unit_test(tarpits_hold_nobody_up),
                                       cmocka_unit_test(first_ones_go_first),
                                       cmocka_unit_test(the_oldest_are_forgotten),
                                       cmocka_unit_test(a_million_in_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
