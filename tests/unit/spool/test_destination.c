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
    assert_int_equal(destinations_next_ms(t), 0);
    assert_true(destinations_take(t, 0, &take));
    assert_int_equal(take.id, 1);
    assert_int_equal(take.n, 10); /* nobody knows whether it ever answers */
    for (uint32_t i = 0; i < take.n; i++)
        assert_int_equal(take.recipients[i], i);
    assert_true(destinations_take(t, 0, &take));
    assert_int_equal(take.n, 10);
    assert_false(destinations_take(t, 0, &take)); /* nothing is known of it: two sessions */
    assert_int_equal(destinations_next_ms(t), UINT64_MAX);
    done(t, take.destination, DESTINATION_REACHED, 10);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(destinations_take(t, 10, &take));
        assert_int_equal(take.n, LIMIT_RELAY_RECIPIENTS);
    }
    assert_true(destinations_take(t, 10, &take));
    assert_int_equal(take.n, 30);
    assert_true(destinations_take(t, 10, &take));
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
        assert_true(destinations_take(t, 0, &take));
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
    assert_true(destinations_take(t, 0, &take));
    done(t, take.destination, DESTINATION_REACHED, 0);
    assert_int_equal(view(t, "a").sessions, 5);
    for (uint32_t n = 6; n < 40; n++) {
        assert_true(destinations_take(t, 0, &take));
        done(t, take.destination, DESTINATION_REACHED, 0);
        assert_int_equal(view(t, "a").sessions, n < 20 ? n : 20);
    }
    for (uint32_t i = 0; i < 20; i++)
        assert_true(destinations_take(t, 0, &take));
    assert_false(destinations_take(t, 0, &take));
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
        assert_true(destinations_take(t, now, &take));
        if (round) assert_false(destinations_take(t, now, &other)); /* one probe at a time */
        done(t, take.destination, DESTINATION_MISSED, now);
        uint64_t next = destinations_next_ms(t);
        assert_in_range(next - now, wait - wait / 5, wait + wait / 5);
        assert_false(destinations_take(t, next - 1, &take));
        now = next;
        wait = wait * 2 < 4200000 ? wait * 2 : 4200000;
    }
    struct destination_view v = view(t, "a");
    assert_int_equal(v.failures, 8);
    assert_true(span_eq(v.failure->text, SPAN("connection refused")));
    assert_true(destinations_take(t, now, &take));
    done(t, take.destination, DESTINATION_REACHED, now);
    for (int i = 0; i < 5; i++)
        assert_true(destinations_take(t, now, &take));
    destinations_destroy(&t);
}

static void flushed(void **state)
{
    (void)state;
    struct destinations *t = destinations_create(3, 1000);
    struct destination_transaction take;
    put(t, "a", 1, 0);
    put(t, "a", 2, 0);
    assert_true(destinations_take(t, 0, &take));
    done(t, take.destination, DESTINATION_MISSED, 0);
    assert_false(destinations_take(t, 5, &take));
    destinations_flush(t, DESTINATION_NONE, 5);
    assert_int_equal(destinations_next_ms(t), 0);
    assert_true(destinations_take(t, 5, &take));
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
    assert_true(destinations_take(t, 0, &take));
    done(t, take.destination, DESTINATION_REACHED, 0);
    for (uint32_t i = 0; i < DEAD; i++) {
        struct buf b = buf_on(key, sizeof key);
        buf_str(&b, "dead");
        buf_u64(&b, i);
        assert_int_not_equal(destinations_add(t, buf_span(&b), usual, i, 0, 0, 0), READY_NONE);
    }
    unsigned taken = 0;
    while (destinations_take(t, 0, &take))
        taken++;
    assert_int_equal(taken, SLOTS - SLOTS / 4);
    put(t, "live", 2, 1);
    assert_true(destinations_take(t, 1, &take));
    assert_int_equal(take.id, 2);
    assert_false(destinations_take(t, 1, &take));
    /* all of them failed before and are due again: a new one has room beside them */
    destinations_destroy(&t);
    t = destinations_create(3, SLOTS);
    for (uint32_t i = 0; i < DEAD; i++) {
        struct buf b = buf_on(key, sizeof key);
        buf_str(&b, "dead");
        buf_u64(&b, i);
        assert_int_not_equal(destinations_add(t, buf_span(&b), usual, i, 0, 0, 0), READY_NONE);
        assert_int_not_equal(destinations_add(t, buf_span(&b), usual, i + DEAD, 0, 0, 0), READY_NONE);
        assert_true(destinations_take(t, 0, &take));
        done(t, take.destination, DESTINATION_MISSED, 0);
    }
    for (taken = 0; destinations_take(t, 400000, &take);)
        taken++;
    assert_int_equal(taken, SLOTS / 4);
    put(t, "new", 5, 400000);
    assert_true(destinations_take(t, 400000, &take));
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
        assert_true(destinations_take(t, 0, &take));
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
        assert_true(destinations_take(t, 500, &take));
        done(t, take.destination, DESTINATION_REACHED, 500);
    }
    assert_false(destinations_take(t, 500, &take));
    assert_int_equal(destinations_next_ms(t), 1500);
    assert_int_equal(view(t, "a").until_ms, 1500);
    assert_false(view(t, "a").backing_off);
    assert_true(destinations_take(t, 1500, &take));
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
    assert_true(destinations_take(t, 2000, &take));
    assert_false(destinations_take(t, 2000, &take));
    assert_int_equal(destinations_next_ms(t), 3000);
    done(t, take.destination, DESTINATION_REACHED, 2000);
    assert_true(destinations_take(t, 2100, &take)); /* its session is still there: no new connection */
    done(t, take.destination, DESTINATION_UNTRIED, 2100);
    assert_false(destinations_take(t, 2999, &take));
    assert_true(destinations_take(t, 3000, &take));
    done(t, take.destination, DESTINATION_REACHED, 3000);
    assert_true(destinations_take(t, 3500, &take));
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
    assert_true(destinations_take(t, 0, &take));
    assert_true(destinations_group(t, take.destination, SPAN("big"), &of_group, 0));
    done(t, take.destination, DESTINATION_REACHED, 0);
    while (destinations_take(t, 0, &take)) /* the other one is not known to belong to it */
        taken[n++] = take.destination;
    assert_int_equal(n, 5);
    for (uint32_t i = 0; i < n; i++) /* what is in hand counts */
        assert_true(destinations_group(t, taken[i], SPAN("big"), &of_group, 0));
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(destinations_take(t, 0, &take));
        done(t, taken[i], DESTINATION_REACHED, 0);
    }
    assert_true(destinations_take(t, 0, &take));
    assert_false(destinations_take(t, 0, &take));
    assert_int_equal(destinations_next_ms(t), UINT64_MAX);
    done(t, take.destination, DESTINATION_REACHED, 0);
    bool both[2] = {false, false}; /* they take turns within the group, too */
    for (unsigned i = 0; i < 6 && destinations_take(t, 0, &take); i++) {
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
    for (; destinations_take(t, 10, &take); began++)
        done(t, take.destination, DESTINATION_REACHED, 10);
    assert_int_equal(began, 3);
    assert_int_equal(destinations_next_ms(t), 1010);
    assert_int_equal(view(t, "a").until_ms, 1010);
    assert_true(destinations_group(t, destinations_find(t, SPAN("a")), (struct span){0}, &of_group, 20));
    assert_true(destinations_take(t, 20, &take)); /* it has left: only its own limits count */
    assert_true(take.id < 100);
    for (began = 0; destinations_take(t, 1010, &take) && began < 30; began++)
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
    assert_true(destinations_take(t, 0, &take));
    done(t, take.destination, DESTINATION_REACHED, 0);
    assert_true(destinations_take(t, 0, &take));
    done(t, take.destination, DESTINATION_MISSED, 0);
    assert_int_equal(destinations_counters(t).destinations, 2);
    assert_false(destinations_take(t, 60000, &take));
    assert_int_equal(destinations_counters(t).destinations, 1); /* a failure is remembered longer */
    assert_false(destinations_take(t, 9000000, &take));
    assert_int_equal(destinations_counters(t).destinations, 0);
    assert_int_equal(destinations_counters(t).memory_octets > 0, 1);
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

/* --- a naive model: what may be taken is computed anew each time --- */

enum { KEYS = 40, WAITING = 400 };

struct waiting {
    uint64_t id;
    uint32_t recipient, sender, ticket;
};

struct model_destination {
    struct waiting waiting[WAITING];
    uint32_t n, active, group; /* 0: none */
};

struct model {
    struct model_destination all[KEYS];
    struct destinations *t;
    struct destination_limits limits;
    uint32_t slots;
    uint64_t now_ms, next_id, random;
};

static uint64_t random_below(struct model *m, uint64_t n)
{
    m->random = m->random * 6364136223846793005U + 1442695040888963407U;
    return (m->random >> 33) % n;
}

static struct span key_of(uint32_t k)
{
    static uint8_t text[KEYS][24];
    struct buf b = buf_on(text[k], sizeof text[k]);
    buf_str(&b, "mx example");
    buf_u64(&b, k);
    return buf_span(&b);
}

static uint32_t key_number(struct span key)
{
    for (uint32_t k = 0; k < KEYS; k++)
        if (span_eq(key_of(k), key)) return k;
    fail();
    return 0;
}

enum { GROUP_SESSIONS = 5 };

static bool group_has_room(const struct model *m, uint32_t group)
{
    uint32_t active = 0;
    for (uint32_t k = 0; k < KEYS; k++)
        if (m->all[k].group == group) active += m->all[k].active;
    return group == 0 || active < GROUP_SESSIONS;
}

static void model_group(struct model *m)
{
    uint32_t k = (uint32_t)random_below(m, KEYS), number = destinations_find(m->t, key_of(k));
    struct destination_limits l = destination_limits_default;
    if (number == DESTINATION_NONE) return;
    l.sessions_max = GROUP_SESSIONS;
    m->all[k].group = (uint32_t)random_below(m, 4);
    struct span names[] = {{0}, SPAN("one"), SPAN("two"), SPAN("three")};
    assert_true(destinations_group(m->t, number, names[m->all[k].group], &l, m->now_ms));
}

/* What a destination shows must agree with what went in and out; whether it may go on follows from that alone. */
static bool may_begin(struct model *m, uint32_t k)
{
    struct model_destination *d = &m->all[k];
    struct destination_view v;
    uint32_t number = destinations_find(m->t, key_of(k));
    if (!destinations_view(m->t, number, &v)) {
        assert_int_equal(d->n + d->active, 0);
        d->group = 0; /* forgotten, as it is */
        return false;
    }
    assert_int_equal(v.queued, d->n);
    assert_int_equal(v.active, d->active);
    assert_true(v.sessions >= 1 && v.sessions <= m->limits.sessions_max);
    if (v.standing == DESTINATION_FAILED) assert_true(v.failures > 0);
    if (v.backing_off) assert_int_equal(v.standing, DESTINATION_FAILED);
    struct destination_counters c = destinations_counters(m->t);
    uint32_t failed = c.active[DESTINATION_FAILED], unproven = failed + c.active[DESTINATION_FRESH];
    bool slot = unproven + c.active[DESTINATION_PROVEN] < m->slots;
    if (v.standing != DESTINATION_PROVEN) slot = slot && unproven < m->slots - m->slots / 4;
    if (v.standing == DESTINATION_FAILED) slot = slot && failed < m->slots / 4;
    return d->n > 0 && d->active < v.sessions && group_has_room(m, d->group) && v.until_ms <= m->now_ms &&
           slot;
}

static void model_take(struct model *m)
{
    bool may[KEYS], any = false;
    for (uint32_t k = 0; k < KEYS; k++) {
        may[k] = may_begin(m, k);
        any = any || may[k];
    }
    struct destination_transaction take;
    bool taken = destinations_take(m->t, m->now_ms, &take);
    assert_int_equal(taken, any);
    if (!taken) {
        assert_true(destinations_next_ms(m->t) > m->now_ms);
        return;
    }
    uint32_t k = key_number(take.key);
    struct model_destination *d = &m->all[k];
    assert_true(may[k]);
    uint32_t n = 0;
    while (n < d->n && n < m->limits.recipients && d->waiting[n].id == d->waiting[0].id &&
           d->waiting[n].sender == d->waiting[0].sender)
        n++;
    assert_int_equal(take.id, d->waiting[0].id);
    assert_int_equal(take.n, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(take.recipients[i], d->waiting[i].recipient);
    d->n -= n;
    memmove(d->waiting, d->waiting + n, d->n * sizeof *d->waiting);
    d->active++;
}

static void model_add(struct model *m)
{
    struct model_destination *d = &m->all[random_below(m, KEYS)];
    struct span key = key_of((uint32_t)(d - m->all));
    uint32_t n = (uint32_t)random_below(m, 5) + 1;
    bool front = random_below(m, 8) == 0;
    m->next_id++;
    if (destinations_find(m->t, key) == DESTINATION_NONE) d->group = 0;
    for (uint32_t i = 0; i < n && d->n < WAITING; i++) {
        struct waiting w = {m->next_id, i, random_below(m, 4) == 0, READY_NONE};
        w.ticket = front ? destinations_add_first(m->t, key, &m->limits, w.id, i, w.sender, m->now_ms)
                         : destinations_add(m->t, key, &m->limits, w.id, i, w.sender, m->now_ms);
        assert_int_not_equal(w.ticket, READY_NONE);
        if (front) memmove(d->waiting + 1, d->waiting, d->n * sizeof *d->waiting);
        d->waiting[front ? 0 : d->n] = w;
        d->n++;
    }
}

static void model_remove(struct model *m)
{
    struct model_destination *d = &m->all[random_below(m, KEYS)];
    if (d->n == 0) return;
    uint32_t at = (uint32_t)random_below(m, d->n);
    assert_int_equal(destinations_of(m->t, d->waiting[at].ticket),
                     destinations_find(m->t, key_of((uint32_t)(d - m->all))));
    destinations_remove(m->t, d->waiting[at].ticket, m->now_ms);
    d->n--;
    memmove(d->waiting + at, d->waiting + at + 1, (d->n - at) * sizeof *d->waiting);
}

static void model_done(struct model *m)
{
    uint32_t k = (uint32_t)random_below(m, KEYS);
    struct model_destination *d = &m->all[k];
    if (d->active == 0) return;
    uint64_t luck = random_below(m, 10);
    bool dead = k % 3 == 0;
    d->active--;
    done(m->t, destinations_find(m->t, key_of(k)),
         luck == 0  ? DESTINATION_UNTRIED
         : dead     ? luck < 9 ? DESTINATION_MISSED : DESTINATION_REACHED
         : luck < 2 ? DESTINATION_MISSED
                    : DESTINATION_REACHED,
         m->now_ms);
}

static void agrees_with_a_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct model m = {
            .random = seed, .limits = destination_limits_default, .slots = 16 + (uint32_t)seed * 4};
        m.limits.recipients = 3;
        m.limits.sessions_max = 8;
        if (seed % 2) m.limits.messages = (struct destination_rate){6, 3000};
        m.t = destinations_create(seed, m.slots);
        for (unsigned i = 0; i < 20000; i++) {
            uint64_t what = random_below(&m, 100);
            if (what < 30)
                model_add(&m);
            else if (what < 55)
                model_take(&m);
            else if (what < 85)
                model_done(&m);
            else if (what < 90)
                model_remove(&m);
            else if (what < 91)
                model_group(&m);
            else if (what < 99)
                m.now_ms += random_below(&m, 200);
            else if (random_below(&m, 10) == 0)
                m.now_ms += 400000;
            else if (random_below(&m, 10) == 0)
                destinations_flush(m.t, DESTINATION_NONE, m.now_ms);
        }
        uint32_t queued = 0, cursor = 0;
        for (uint32_t k = 0; k < KEYS; k++)
            queued += m.all[k].n;
        assert_int_equal(destinations_counters(m.t).queued, queued);
        struct destination_view v;
        while (destinations_next(m.t, &cursor, &v))
            queued -= v.queued;
        assert_int_equal(queued, 0);
        destinations_destroy(&m.t);
    }
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
                                       cmocka_unit_test(a_million_in_one),
                                       cmocka_unit_test(agrees_with_a_naive_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
