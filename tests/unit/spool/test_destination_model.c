/* destination, beside a naive model: what may be taken is computed anew each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "spool/destination.h"

static void done(struct destinations *t, uint32_t destination, enum destination_outcome outcome,
                 uint64_t now_ms)
{
    struct destination_result r = {
        .destination = destination, .outcome = (uint8_t)outcome, .connected = true};
    r.failure = (struct destination_failure){
        .unix_ms = now_ms, .enhanced = "4.4.1", .text = SPAN("connection refused"), .host = SPAN("h")};
    destinations_done(t, &r, now_ms);
}

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
    bool crowded;
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

/* Of all in hand: what a destination's next one may have. */
static bool slot_for(struct model *m, const struct model_destination *d, unsigned standing)
{
    uint32_t first[DESTINATION_STANDING_COUNT] = {0}, all = 0, firsts = 0;
    for (uint32_t k = 0; k < KEYS; k++) {
        struct destination_view v;
        if (m->all[k].active == 0) continue;
        assert_true(destinations_view(m->t, destinations_find(m->t, key_of(k)), &v));
        first[v.standing]++;
        firsts++;
        all += m->all[k].active;
    }
    uint32_t unproven = first[DESTINATION_FRESH] + first[DESTINATION_FAILED];
    if (all >= m->slots) return false;
    if (d->active > 0) return !m->crowded && all - firsts < m->slots / 4;
    if (standing == DESTINATION_FAILED && first[standing] >= m->slots / 8) return false;
    return standing == DESTINATION_PROVEN || unproven < m->slots / 2;
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
    return d->n > 0 && d->active < v.sessions && group_has_room(m, d->group) && v.until_ms <= m->now_ms &&
           slot_for(m, d, v.standing);
}

static void model_take(struct model *m)
{
    bool may[KEYS], any = false;
    for (uint32_t k = 0; k < KEYS; k++) {
        may[k] = may_begin(m, k);
        any = any || may[k];
    }
    struct destination_transaction take;
    bool taken = destinations_take(m->t, m->now_ms, m->crowded, &take);
    assert_int_equal(taken, any);
    if (!taken) {
        assert_true(destinations_next_ms(m->t, m->crowded) > m->now_ms);
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
    m->next_id++;
    if (destinations_find(m->t, key) == DESTINATION_NONE) d->group = 0;
    for (uint32_t i = 0; i < n && d->n < WAITING; i++) {
        struct waiting w = {m->next_id, i, random_below(m, 4) == 0, READY_NONE};
        w.ticket = destinations_add(m->t, key, &m->limits, w.id, i, w.sender, m->now_ms);
        assert_int_not_equal(w.ticket, READY_NONE);
        d->waiting[d->n++] = w;
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
            else if (random_below(&m, 10) < 5)
                m.crowded = !m.crowded;
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_a_naive_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
