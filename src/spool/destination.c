#include "spool/destination.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/list.h"
#include "spool/schedule.h"

enum {
    SESSIONS_FRESH = 2,  /* to one of which nothing is known */
    MISSES_IN_A_ROW = 3, /* of a proven one with other sessions: then it is left alone */
    WARM_MS = 2000,      /* a relay keeps an idle session at least so long */
    LINGER_MS = 60000,   /* an empty destination is remembered: its standing and its rate */
    FAILURE_HOST_OCTETS = LIMIT_DOMAIN_OCTETS + 64,
};

const struct destination_limits destination_limits_default = {
    .sessions_first = LIMIT_SESSIONS_FIRST_DEFAULT,
    .sessions_max = LIMIT_SESSIONS_PER_DESTINATION_DEFAULT,
    .recipients = LIMIT_RELAY_RECIPIENTS,
    .messages = DESTINATION_NO_MAX,
    .connections = DESTINATION_NO_MAX,
    .interval_ms = 60000,
    .retry_first_seconds = LIMIT_RETRY_SECONDS_FIRST,
    .retry_max_seconds = LIMIT_RETRY_SECONDS_MAX,
};

struct rate { /* how many began in the interval that ends at end_ms */
    uint64_t end_ms;
    uint32_t n;
};

struct destination {
    struct list turn; /* among those of its standing that may begin now */
    uint64_t hash;
    struct destination_limits limits;
    struct ready_list queue;
    struct rate messages, connections;
    uint32_t number, active, sessions;
    uint32_t borrowed;       /* transactions in hand that were to use an idle session */
    uint32_t warm;           /* idle sessions that a relay probably still has, until warm_ms */
    uint32_t misses, rounds; /* since the last success: failures; back-offs */
    uint8_t standing;
    uint64_t warm_ms, back_off_ms, idle_ms;
    uint64_t started, reached, missed, recipients;
    struct destination_failure *failure; /* with its texts behind it */
    uint32_t key_octets;
    uint8_t key[];
};

struct destinations {
    uint64_t seed;
    uint32_t slots, turn; /* turn: the standing that comes next */
    struct ready ready;
    struct list runnable[DESTINATION_STANDING_COUNT];
    uint32_t active[DESTINATION_STANDING_COUNT], known[DESTINATION_STANDING_COUNT];
    struct destination **all; /* by number; null: free */
    uint32_t *free;           /* numbers */
    uint32_t n, n_free, max;
    uint32_t *places; /* hash table of number + 1, twice as many as max */
    struct heap wake; /* by number */
    uint64_t octets;
};

/* --- the table --- */

static uint64_t hash_of(uint64_t seed, struct span key)
{
    uint64_t h = seed ^ key.n;
    for (size_t i = 0; i < key.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, key.p + i, key.n - i < 8 ? key.n - i : 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15U;
        h ^= h >> 29;
        h = (h + seed) * 0xbf58476d1ce4e5b9U;
        h ^= h >> 32;
    }
    return h;
}

static uint32_t place_mask(const struct destinations *t)
{
    return t->max * 2 - 1;
}

static uint32_t *place_find(const struct destinations *t, uint64_t hash, struct span key)
{
    for (uint32_t at = (uint32_t)hash & place_mask(t);; at = (at + 1) & place_mask(t)) {
        if (t->places[at] == 0) return &t->places[at];
        const struct destination *d = t->all[t->places[at] - 1];
        if (d->hash == hash && span_eq(span_of(d->key, d->key_octets), key)) return &t->places[at];
    }
}

static void place_remove(struct destinations *t, const struct destination *d)
{
    uint32_t mask = place_mask(t);
    uint32_t hole = (uint32_t)(place_find(t, d->hash, span_of(d->key, d->key_octets)) - t->places);
    for (uint32_t at = (hole + 1) & mask; t->places[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)t->all[t->places[at] - 1]->hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it is nearer to its home than the hole */
        t->places[hole] = t->places[at];
        hole = at;
    }
    t->places[hole] = 0;
}

static bool grow(struct destinations *t)
{
    uint32_t max = t->max ? t->max * 2 : 64;
    if (max > LIMIT_DESTINATIONS) return false;
    struct destination **all = malloc(max * sizeof(struct destination *));
    uint32_t *unused = malloc(max * sizeof *unused), *places = calloc((size_t)max * 2, sizeof *places);
    struct heap_entry *entries = malloc(max * sizeof *entries);
    uint32_t *entry_places = malloc(max * sizeof *entry_places);
    if (!all || !unused || !places || !entries || !entry_places) {
        free(all), free(unused), free(places), free(entries), free(entry_places);
        return false;
    }
    for (uint32_t i = 0; i < max; i++)
        all[i] = i < t->max ? t->all[i] : NULL;
    if (t->n_free) memcpy(unused, t->free, t->n_free * sizeof *unused);
    for (uint32_t i = max; i > t->max; i--)
        unused[t->n_free++] = i - 1;
    struct heap_entry *old_entries = t->wake.entry;
    uint32_t *old_places = t->wake.place;
    heap_move(&t->wake, entries, entry_places, max);
    free(t->all), free(t->free), free(t->places), free(old_entries), free(old_places);
    t->all = all;
    t->free = unused;
    t->places = places;
    t->max = max;
    for (uint32_t i = 0; i < max; i++)
        if (all[i]) *place_find(t, all[i]->hash, span_of(all[i]->key, all[i]->key_octets)) = i + 1;
    return true;
}

static struct destination *find(const struct destinations *t, struct span key)
{
    uint32_t *place = t->max ? place_find(t, hash_of(t->seed, key), key) : NULL;
    return place && *place ? t->all[*place - 1] : NULL;
}

static struct destination *make(struct destinations *t, struct span key,
                                const struct destination_limits *limits)
{
    if (t->n_free == 0 && !grow(t)) return NULL;
    struct destination *d = calloc(1, sizeof *d + key.n);
    if (!d) return NULL;
    list_begin(&d->turn);
    d->hash = hash_of(t->seed, key);
    d->limits = *limits;
    d->sessions = limits->sessions_first;
    d->number = t->free[--t->n_free];
    d->key_octets = (uint32_t)key.n;
    if (key.n) memcpy(d->key, key.p, key.n);
    *place_find(t, d->hash, key) = d->number + 1;
    t->all[d->number] = d;
    t->n++;
    t->known[d->standing]++;
    t->octets += sizeof *d + key.n;
    return d;
}

static size_t failure_octets(const struct destination_failure *f)
{
    return f ? sizeof *f + f->text.n + f->host.n : 0;
}

static void forget(struct destinations *t, struct destination *d)
{
    place_remove(t, d);
    list_take(&d->turn);
    (void)heap_remove(&t->wake, d->number);
    t->all[d->number] = NULL;
    t->free[t->n_free++] = d->number;
    t->n--;
    t->known[d->standing]--;
    t->octets -= sizeof *d + d->key_octets + failure_octets(d->failure);
    free(d->failure);
    free(d);
}

/* --- what one may do --- */

static uint32_t sessions_now(const struct destination *d)
{
    uint32_t n = d->standing == DESTINATION_PROVEN  ? d->sessions
                 : d->standing == DESTINATION_FRESH ? SESSIONS_FRESH
                                                    : 1;
    return n < d->limits.sessions_max ? n : d->limits.sessions_max;
}

/* When one more may begin by this rate; 0: at any time. */
static uint64_t rate_ms(const struct rate *r, uint32_t max)
{
    return max != DESTINATION_NO_MAX && r->n >= max ? r->end_ms : 0;
}

static void rate_count(struct rate *r, uint32_t interval_ms, uint64_t now_ms)
{
    if (now_ms >= r->end_ms) *r = (struct rate){now_ms + interval_ms, 0};
    r->n++;
}

static bool warm(const struct destination *d, uint64_t now_ms)
{
    return d->warm > 0 && now_ms < d->warm_ms;
}

/* The time before which nothing may begin. */
static uint64_t not_before_ms(const struct destination *d, uint64_t now_ms)
{
    uint64_t at = d->standing == DESTINATION_FAILED ? d->back_off_ms : 0;
    uint64_t rate = rate_ms(&d->messages, d->limits.messages);
    if (rate > at) at = rate;
    rate = warm(d, now_ms) ? 0 : rate_ms(&d->connections, d->limits.connections);
    return rate > at ? rate : at;
}

static uint64_t forget_ms(const struct destination *d)
{
    uint64_t at = d->standing == DESTINATION_PROVEN ? d->idle_ms + LINGER_MS : d->idle_ms;
    uint64_t most = (uint64_t)d->limits.retry_max_seconds * 2000; /* what it failed is due again by then */
    if (d->standing == DESTINATION_FAILED) at = d->back_off_ms + most;
    if (d->messages.end_ms > at && d->messages.n && d->limits.messages != DESTINATION_NO_MAX)
        at = d->messages.end_ms;
    if (d->connections.end_ms > at && d->connections.n && d->limits.connections != DESTINATION_NO_MAX)
        at = d->connections.end_ms;
    return at;
}

/* After each change: it stands among those that may begin, waits for a time, for its own sessions, or is forgotten. */
static void settle(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    uint64_t wake_ms = UINT64_MAX;
    bool runnable = false;
    if (d->queue.n > 0 && d->active < sessions_now(d)) {
        uint64_t at = not_before_ms(d, now_ms);
        runnable = at <= now_ms;
        if (!runnable) wake_ms = at;
    } else if (d->queue.n == 0 && d->active == 0) {
        wake_ms = forget_ms(d);
        if (wake_ms <= now_ms) {
            forget(t, d);
            return;
        }
    }
    if (!runnable)
        list_take(&d->turn);
    else if (list_empty(&d->turn))
        list_append(&t->runnable[d->standing], &d->turn);
    if (wake_ms == UINT64_MAX)
        (void)heap_remove(&t->wake, d->number);
    else if (!heap_set(&t->wake, d->number, wake_ms))
        abort(); /* there is a place for each number */
}

static void stand(struct destinations *t, struct destination *d, enum destination_standing standing)
{
    if (d->standing == standing) return;
    t->active[d->standing] -= d->active;
    t->known[d->standing]--;
    list_take(&d->turn);
    d->standing = (uint8_t)standing;
    t->active[standing] += d->active;
    t->known[standing]++;
}

/* --- in and out --- */

struct destinations *destinations_create(uint64_t seed, uint32_t slots)
{
    struct destinations *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->seed = seed;
    t->slots = slots;
    for (unsigned i = 0; i < DESTINATION_STANDING_COUNT; i++)
        list_begin(&t->runnable[i]);
    return t;
}

void destinations_destroy(struct destinations **t)
{
    if (!*t) return;
    for (uint32_t i = 0; i < (*t)->max; i++)
        if ((*t)->all[i]) {
            free((*t)->all[i]->failure);
            free((*t)->all[i]);
        }
    free((*t)->all), free((*t)->free), free((*t)->places), free((*t)->wake.entry), free((*t)->wake.place);
    ready_destroy(&(*t)->ready);
    free(*t);
    *t = NULL;
}

void destinations_slots(struct destinations *t, uint32_t slots)
{
    t->slots = slots;
}

static uint32_t add(struct destinations *t, struct span key, const struct destination_limits *limits,
                    const struct ready_item *item, bool front, uint64_t now_ms)
{
    struct destination *d = find(t, key);
    if (!d) d = make(t, key, limits);
    if (!d) return READY_NONE;
    struct ready_item with_list = *item;
    with_list.list = d->number;
    d->limits = *limits; /* a reload may have changed them */
    uint32_t ticket = ready_add(&t->ready, &d->queue, &with_list, front);
    settle(t, d, now_ms);
    return ticket;
}

uint32_t destinations_add(struct destinations *t, struct span key, const struct destination_limits *limits,
                          uint64_t id, uint32_t recipient, uint64_t now_ms)
{
    return add(t, key, limits, &(struct ready_item){.id = id, .recipient = recipient}, false, now_ms);
}

uint32_t destinations_add_first(struct destinations *t, struct span key,
                                const struct destination_limits *limits, uint64_t id, uint32_t recipient,
                                uint64_t now_ms)
{
    return add(t, key, limits, &(struct ready_item){.id = id, .recipient = recipient}, true, now_ms);
}

void destinations_remove(struct destinations *t, uint32_t ticket, uint64_t now_ms)
{
    if (ticket == READY_NONE) return;
    struct destination *d = t->all[ready_item(&t->ready, ticket)->list];
    ready_remove(&t->ready, &d->queue, ticket);
    if (d->queue.n == 0) d->idle_ms = now_ms;
    settle(t, d, now_ms);
}

static void wake(struct destinations *t, uint64_t now_ms)
{
    for (const struct heap_entry *e; (e = heap_first(&t->wake)) && e->key <= now_ms;) {
        struct destination *d = t->all[e->item];
        (void)heap_remove(&t->wake, d->number);
        settle(t, d, now_ms);
    }
}

/* Failed ones have a quarter of the slots, fresh and failed ones three quarters, proven ones all. */
static bool has_slot(const struct destinations *t, unsigned standing)
{
    uint32_t failed = t->active[DESTINATION_FAILED], unproven = failed + t->active[DESTINATION_FRESH];
    if (unproven + t->active[DESTINATION_PROVEN] >= t->slots) return false;
    if (standing == DESTINATION_PROVEN) return true;
    if (unproven >= t->slots - t->slots / 4) return false;
    return standing == DESTINATION_FRESH || failed < t->slots / 4;
}

/* Whose turn it is, out of its list. */
static struct destination *next_turn(struct destinations *t, uint64_t now_ms)
{
    for (unsigned tried = 0; tried < DESTINATION_STANDING_COUNT;) {
        unsigned standing = t->turn;
        if (list_empty(&t->runnable[standing]) || !has_slot(t, standing)) {
            t->turn = (standing + 1) % DESTINATION_STANDING_COUNT;
            tried++;
            continue;
        }
        struct destination *d = LIST_OF(list_shift(&t->runnable[standing]), struct destination, turn);
        if (not_before_ms(d, now_ms) <= now_ms) {
            t->turn = (standing + 1) % DESTINATION_STANDING_COUNT;
            return d;
        }
        settle(t, d, now_ms); /* its idle session is gone, and it may make no other yet */
    }
    return NULL;
}

bool destinations_take(struct destinations *t, uint64_t now_ms, struct destination_transaction *ret)
{
    wake(t, now_ms);
    struct destination *d = next_turn(t, now_ms);
    if (!d) return false;
    ret->destination = d->number;
    ret->key = span_of(d->key, d->key_octets);
    ret->id = ready_item(&t->ready, d->queue.first)->id;
    ret->n = 0;
    while (d->queue.n > 0 && ret->n < d->limits.recipients && ret->n < LIMIT_RELAY_RECIPIENTS) {
        const struct ready_item *item = ready_item(&t->ready, d->queue.first);
        if (item->id != ret->id) break;
        ret->recipients[ret->n++] = item->recipient;
        ready_remove(&t->ready, &d->queue, d->queue.first);
    }
    rate_count(&d->messages, d->limits.interval_ms, now_ms);
    if (warm(d, now_ms))
        d->warm--, d->borrowed++;
    else
        rate_count(&d->connections, d->limits.interval_ms, now_ms);
    d->active++;
    t->active[d->standing]++;
    d->started++;
    d->recipients += ret->n;
    settle(t, d, now_ms); /* at the end of its standing's turns, if it may go on */
    return true;
}

/* --- what became of it --- */

static void reached(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    d->reached++;
    d->misses = d->rounds = 0;
    d->back_off_ms = 0;
    if (d->standing != DESTINATION_PROVEN) {
        stand(t, d, DESTINATION_PROVEN);
        d->sessions = d->limits.sessions_first;
    } else if (d->sessions < d->limits.sessions_max) {
        d->sessions++;
    }
    d->warm = now_ms < d->warm_ms ? d->warm + 1 : 1;
    d->warm_ms = now_ms + WARM_MS;
}

static void keep_failure(struct destinations *t, struct destination *d, const struct destination_failure *f)
{
    struct span text = span_head(f->text, LIMIT_RESULT_TEXT_OCTETS),
                host = span_head(f->host, FAILURE_HOST_OCTETS);
    struct destination_failure *kept = malloc(sizeof *kept + text.n + host.n);
    if (!kept) return;
    uint8_t *strings = (uint8_t *)(kept + 1);
    *kept = *f;
    kept->text = span_of(strings, text.n);
    kept->host = span_of(strings + text.n, host.n);
    if (text.n) memcpy(strings, text.p, text.n);
    if (host.n) memcpy(strings + text.n, host.p, host.n);
    t->octets += failure_octets(kept) - failure_octets(d->failure);
    free(d->failure);
    d->failure = kept;
}

static void missed(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    d->missed++;
    d->misses++;
    d->sessions = d->sessions > 1 ? d->sessions / 2 : 1;
    d->warm = 0;
    if (d->standing == DESTINATION_PROVEN && d->active > 0 && d->misses < MISSES_IN_A_ROW)
        return; /* too many sessions, perhaps: the others will tell */
    if (d->standing == DESTINATION_FAILED && now_ms < d->back_off_ms) return; /* begun before it failed */
    stand(t, d, DESTINATION_FAILED);
    d->back_off_ms =
        now_ms + schedule_back_off_ms(t->seed, d->hash, 0, ++d->rounds, d->limits.retry_first_seconds,
                                      d->limits.retry_max_seconds);
}

void destinations_done(struct destinations *t, const struct destination_result *r, uint64_t now_ms)
{
    struct destination *d = t->all[r->destination];
    bool counted = d->active > d->borrowed;
    if (r->connected && !counted) rate_count(&d->connections, d->limits.interval_ms, now_ms);
    if (d->borrowed > 0 && (!r->connected || !counted)) d->borrowed--;
    d->active--;
    t->active[d->standing]--;
    d->idle_ms = now_ms;
    if (r->outcome == DESTINATION_REACHED) reached(t, d, now_ms);
    if (r->outcome == DESTINATION_MISSED) {
        keep_failure(t, d, &r->failure);
        missed(t, d, now_ms);
    }
    settle(t, d, now_ms);
}

uint64_t destinations_next_ms(const struct destinations *t)
{
    for (unsigned i = 0; i < DESTINATION_STANDING_COUNT; i++)
        if (!list_empty(&t->runnable[i]) && has_slot(t, i)) return 0;
    const struct heap_entry *e = heap_first(&t->wake);
    return e ? e->key : UINT64_MAX;
}

static void flush(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    if (d->standing != DESTINATION_FAILED) return;
    d->rounds = 0;
    if (d->back_off_ms > now_ms) d->back_off_ms = now_ms;
    settle(t, d, now_ms);
}

void destinations_flush(struct destinations *t, uint32_t destination, uint64_t now_ms)
{
    if (destination < t->max && t->all[destination]) flush(t, t->all[destination], now_ms);
    for (uint32_t i = 0; destination == DESTINATION_NONE && i < t->max; i++)
        if (t->all[i]) flush(t, t->all[i], now_ms);
}

/* --- who asks --- */

uint32_t destinations_find(const struct destinations *t, struct span key)
{
    const struct destination *d = find(t, key);
    return d ? d->number : DESTINATION_NONE;
}

uint32_t destinations_of(const struct destinations *t, uint32_t ticket)
{
    return ticket == READY_NONE ? DESTINATION_NONE : ready_item(&t->ready, ticket)->list;
}

bool destinations_view(const struct destinations *t, uint32_t destination, struct destination_view *ret)
{
    const struct destination *d = destination < t->max ? t->all[destination] : NULL;
    if (!d) return false;
    uint64_t rate = rate_ms(&d->messages, d->limits.messages);
    if (rate_ms(&d->connections, d->limits.connections) > rate) rate = d->connections.end_ms;
    *ret = (struct destination_view){.destination = d->number,
                                     .key = span_of(d->key, d->key_octets),
                                     .queued = d->queue.n,
                                     .active = d->active,
                                     .sessions = sessions_now(d),
                                     .standing = d->standing,
                                     .until_ms = rate > d->back_off_ms ? rate : d->back_off_ms,
                                     .backing_off = d->back_off_ms > 0 && d->back_off_ms >= rate,
                                     .failures = d->misses,
                                     .failure = d->failure,
                                     .started = d->started,
                                     .reached = d->reached,
                                     .missed = d->missed,
                                     .recipients = d->recipients};
    return true;
}

bool destinations_next(const struct destinations *t, uint32_t *cursor, struct destination_view *ret)
{
    while (*cursor < t->max)
        if (destinations_view(t, (*cursor)++, ret)) return true;
    return false;
}

struct destination_counters destinations_counters(const struct destinations *t)
{
    struct destination_counters c = {.destinations = t->n, .queued = t->ready.n};
    memcpy(c.active, t->active, sizeof c.active);
    memcpy(c.known, t->known, sizeof c.known);
    uint64_t each = sizeof(struct destination *) + 4 * sizeof(uint32_t) + sizeof(struct heap_entry);
    c.memory_octets = t->octets + t->max * each + ready_octets(&t->ready);
    return c;
}
