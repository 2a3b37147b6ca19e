#include "spool/destination_private.h"

#include <stdlib.h>

#include "spool/schedule.h"

enum {
    SESSIONS_FRESH = 2,  /* to one of which nothing is known */
    MISSES_IN_A_ROW = 3, /* of a proven one with other sessions: then it is left alone */
    WARM_MS = 2000,      /* a relay keeps an idle session at least so long */
    COOL_MS = 60000,     /* without anything to do: how many sessions it took is learnt anew */
    LINGER_MS = 3600000, /* a proven destination without anything to do is remembered */
};

const struct destination_limits destination_limits_default = {
    .sessions_first = LIMIT_SESSIONS_FIRST_DEFAULT,
    .sessions_max = LIMIT_SESSIONS_PER_DESTINATION_DEFAULT,
    .recipients = LIMIT_RELAY_RECIPIENTS,
    .messages = {DESTINATION_NO_MAX, 60000},
    .connections = {DESTINATION_NO_MAX, 60000},
    .retry_first_seconds = LIMIT_RETRY_SECONDS_FIRST,
    .retry_max_seconds = LIMIT_RETRY_SECONDS_MAX,
};

/* --- what one may do --- */

static uint32_t sessions_now(const struct destination *d)
{
    uint32_t n = d->standing == DESTINATION_PROVEN  ? d->sessions
                 : d->standing == DESTINATION_FRESH ? SESSIONS_FRESH
                                                    : 1;
    return n < d->limits.sessions_max ? n : d->limits.sessions_max;
}

/* Those that never answer must not have all recipients in hand. */
static uint32_t recipients_now(const struct destination *d, bool crowded)
{
    uint32_t most = d->standing == DESTINATION_PROVEN && !crowded ? LIMIT_RELAY_RECIPIENTS : DESTINATION_FEW;
    return d->limits.recipients < most ? d->limits.recipients : most;
}

static bool warm(const struct destination *d, uint64_t now_ms)
{
    return d->warm > 0 && now_ms < d->warm_ms;
}

static void later(uint64_t *at, uint64_t other)
{
    if (other > *at) *at = other;
}

/* The time before which nothing may begin. */
static uint64_t not_before_ms(const struct destination *d, uint64_t now_ms)
{
    uint64_t at = d->standing == DESTINATION_FAILED ? d->back_off_ms : 0;
    const struct group *g = d->group;
    later(&at, rate_ms(&d->messages, &d->limits.messages));
    if (g) later(&at, rate_ms(&g->messages, &g->limits.messages));
    if (warm(d, now_ms)) return at;
    later(&at, rate_ms(&d->connections, &d->limits.connections));
    if (g) later(&at, rate_ms(&g->connections, &g->limits.connections));
    return at;
}

static bool group_full(const struct destination *d)
{
    return d->group && d->group->active >= d->group->limits.sessions_max;
}

static uint64_t forget_ms(const struct destination *d)
{
    uint64_t at = d->standing == DESTINATION_PROVEN ? d->idle_ms + LINGER_MS : d->idle_ms;
    uint64_t most = (uint64_t)d->limits.retry_max_seconds * 2000; /* what it failed is due again by then */
    if (d->standing == DESTINATION_FAILED) at = d->back_off_ms + most;
    if (d->messages.end_ms > at && d->messages.n && d->limits.messages.max != DESTINATION_NO_MAX)
        at = d->messages.end_ms;
    if (d->connections.end_ms > at && d->connections.n && d->limits.connections.max != DESTINATION_NO_MAX)
        at = d->connections.end_ms;
    return at;
}

static void line_up(struct destinations *t, struct destination *d, enum lined where)
{
    uint8_t row = d->active > 0 ? (uint8_t)ROW_MORE : d->standing;
    if (d->lined == where && (where == LINED_NOWHERE || d->row == row)) return; /* it keeps its place */
    list_take(&d->turn);
    d->lined = (uint8_t)where;
    d->row = row;
    if (where == LINED_RUNNABLE) list_append(&t->runnable[row], &d->turn);
    if (where == LINED_BLOCKED) list_append(&d->group->blocked[row], &d->turn);
}

static void leave_idle(struct destinations *t, struct destination *d)
{
    if (list_empty(&d->rest)) return;
    list_take(&d->rest);
    t->n_idle--;
}

/* It has nothing to do, and is remembered among others. */
static void enter_idle(struct destinations *t, struct destination *d)
{
    if (!list_empty(&d->rest)) return;
    list_append(&t->idle, &d->rest);
    if (++t->n_idle <= LIMIT_DESTINATIONS_IDLE) return;
    struct destination *oldest = LIST_OF(t->idle.next, struct destination, rest);
    leave_idle(t, oldest);
    destination_forget(t, oldest);
}

void destination_settle(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    uint64_t wake_ms = UINT64_MAX;
    enum lined where = LINED_NOWHERE;
    if (d->queue.n > 0 && d->active < sessions_now(d)) {
        uint64_t at = not_before_ms(d, now_ms);
        if (at > now_ms)
            wake_ms = at;
        else
            where = group_full(d) ? LINED_BLOCKED : LINED_RUNNABLE;
    }
    if (d->queue.n == 0 && d->active == 0) {
        wake_ms = forget_ms(d);
        if (wake_ms <= now_ms) {
            leave_idle(t, d);
            destination_forget(t, d);
            return;
        }
        enter_idle(t, d);
    } else {
        leave_idle(t, d);
    }
    line_up(t, d, where);
    if (wake_ms == UINT64_MAX)
        (void)heap_remove(&t->wake, d->number);
    else if (!heap_set(&t->wake, d->number, wake_ms))
        abort(); /* there is a place for each number */
}

static void stand(struct destinations *t, struct destination *d, enum destination_standing standing)
{
    if (d->standing == standing) return;
    t->active[d->standing] -= d->active;
    t->first[d->standing] -= d->active > 0;
    t->known[d->standing]--;
    d->standing = (uint8_t)standing;
    t->active[standing] += d->active;
    t->first[standing] += d->active > 0;
    t->known[standing]++;
}

/* --- in and out --- */

struct destinations *destinations_create(uint64_t seed, uint32_t slots)
{
    struct destinations *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->seed = seed;
    t->slots = slots;
    for (unsigned i = 0; i < ROW_COUNT; i++)
        list_begin(&t->runnable[i]);
    list_begin(&t->idle);
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
    for (uint32_t i = 0; i < (*t)->n_groups; i++)
        free((*t)->groups[i]);
    free((*t)->groups);
    ready_destroy(&(*t)->ready);
    free(*t);
    *t = NULL;
}

void destinations_slots(struct destinations *t, uint32_t slots)
{
    t->slots = slots;
}

uint32_t destinations_add(struct destinations *t, struct span key, const struct destination_limits *limits,
                          uint64_t id, uint32_t recipient, uint32_t sender, uint64_t now_ms)
{
    struct destination *d = destination_find(t, key);
    if (!d) d = destination_make(t, key, limits);
    if (!d) return READY_NONE;
    d->limits = *limits; /* a reload may have changed them */
    struct ready_item item = {.id = id, .recipient = recipient, .sender = sender, .list = d->number};
    uint32_t ticket = ready_add(&t->ready, &d->queue, &item);
    destination_settle(t, d, now_ms);
    return ticket;
}

void destinations_remove(struct destinations *t, uint32_t ticket, uint64_t now_ms)
{
    if (ticket == READY_NONE) return;
    struct destination *d = t->all[ready_item(&t->ready, ticket)->list];
    ready_remove(&t->ready, &d->queue, ticket);
    if (d->queue.n == 0) d->idle_ms = now_ms;
    destination_settle(t, d, now_ms);
}

static void wake(struct destinations *t, uint64_t now_ms)
{
    for (const struct heap_entry *e; (e = heap_first(&t->wake)) && e->key <= now_ms;) {
        struct destination *d = t->all[e->item];
        (void)heap_remove(&t->wake, d->number);
        destination_settle(t, d, now_ms);
    }
}

/* Second transactions have a quarter of the slots, first ones of fresh and failed destinations half, of failed ones an eighth. */
static bool has_slot(const struct destinations *t, unsigned row, bool crowded)
{
    uint32_t failed = t->first[DESTINATION_FAILED], unproven = failed + t->first[DESTINATION_FRESH];
    uint32_t eighth = t->slots < 8 ? 1 : t->slots / 8;
    if (unproven + t->first[DESTINATION_PROVEN] + t->more >= t->slots) return false;
    switch (row) {
    case ROW_MORE: return !crowded && t->more < t->slots / 4;
    case DESTINATION_PROVEN: return true;
    case DESTINATION_FRESH: return unproven < t->slots / 2;
    default: return unproven < t->slots / 2 && failed < eighth;
    }
}

/* The one in that row whose turn it is, out of it; null: none may begin. */
static struct destination *next_in_row(struct destinations *t, unsigned row, uint64_t now_ms, bool crowded)
{
    while (!list_empty(&t->runnable[row]) && has_slot(t, row, crowded)) {
        struct destination *d = LIST_OF(list_shift(&t->runnable[row]), struct destination, turn);
        d->lined = LINED_NOWHERE;
        if (not_before_ms(d, now_ms) <= now_ms && !group_full(d)) return d;
        destination_settle(t, d, now_ms); /* its idle session is gone, or others of its group were faster */
    }
    return NULL;
}

static struct destination *next_turn(struct destinations *t, uint64_t now_ms, bool crowded)
{
    struct destination *d = NULL;
    for (unsigned i = 0; !d && i < DESTINATION_STANDING_COUNT; i++) {
        d = next_in_row(t, t->turn, now_ms, crowded);
        t->turn = (t->turn + 1) % DESTINATION_STANDING_COUNT;
    }
    return d ? d : next_in_row(t, ROW_MORE, now_ms, crowded);
}

static void count_connection(struct destination *d, uint64_t now_ms)
{
    rate_count(&d->connections, &d->limits.connections, now_ms);
    if (d->group) rate_count(&d->group->connections, &d->group->limits.connections, now_ms);
}

static void count_begun(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    rate_count(&d->messages, &d->limits.messages, now_ms);
    if (d->group) rate_count(&d->group->messages, &d->group->limits.messages, now_ms);
    if (warm(d, now_ms))
        d->warm--, d->borrowed++;
    else
        count_connection(d, now_ms);
    if (d->active == 0 && now_ms >= d->idle_ms + COOL_MS && d->sessions > d->limits.sessions_first)
        d->sessions = d->limits.sessions_first;
    if (d->active++ > 0)
        t->more++;
    else
        t->first[d->standing]++;
    t->active[d->standing]++;
    if (d->group) d->group->active++;
}

bool destinations_take(struct destinations *t, uint64_t now_ms, bool crowded,
                       struct destination_transaction *ret)
{
    wake(t, now_ms);
    struct destination *d = next_turn(t, now_ms, crowded);
    if (!d) return false;
    ret->destination = d->number;
    ret->key = span_of(d->key, d->key_octets);
    const struct ready_item first = *ready_item(&t->ready, d->queue.first);
    ret->id = first.id;
    ret->n = 0;
    uint32_t most = recipients_now(d, crowded);
    while (d->queue.n > 0 && ret->n < most) {
        const struct ready_item *item = ready_item(&t->ready, d->queue.first);
        if (item->id != first.id || item->sender != first.sender) break; /* RFC 5321 3.9.2: a list's owner */
        ret->recipients[ret->n++] = item->recipient;
        ready_remove(&t->ready, &d->queue, d->queue.first);
    }
    count_begun(t, d, now_ms);
    d->started++;
    d->recipients += ret->n;
    destination_settle(t, d, now_ms); /* at the end of its standing's turns, if it may go on */
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
    if (r->connected && !counted) count_connection(d, now_ms);
    if (d->borrowed > 0 && (!r->connected || !counted)) d->borrowed--;
    if (--d->active > 0)
        t->more--;
    else
        t->first[d->standing]--;
    t->active[d->standing]--;
    if (d->group) d->group->active--;
    d->idle_ms = now_ms;
    if (r->outcome == DESTINATION_REACHED) reached(t, d, now_ms);
    if (r->outcome == DESTINATION_MISSED) {
        destination_keep_failure(t, d, &r->failure);
        missed(t, d, now_ms);
    }
    struct group *g = d->group;
    destination_settle(t, d, now_ms);
    if (g) destination_group_wake(t, g, now_ms);
}

uint64_t destinations_next_ms(const struct destinations *t, bool crowded)
{
    for (unsigned i = 0; i < ROW_COUNT; i++)
        if (!list_empty(&t->runnable[i]) && has_slot(t, i, crowded)) return 0;
    const struct heap_entry *e = heap_first(&t->wake);
    return e ? e->key : UINT64_MAX;
}

static void flush(struct destinations *t, struct destination *d, uint64_t now_ms)
{
    if (d->standing != DESTINATION_FAILED) return;
    d->rounds = 0;
    if (d->back_off_ms > now_ms) d->back_off_ms = now_ms;
    destination_settle(t, d, now_ms);
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
    const struct destination *d = destination_find(t, key);
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
    uint64_t messages = rate_ms(&d->messages, &d->limits.messages);
    uint64_t connections = rate_ms(&d->connections, &d->limits.connections);
    if (d->group) later(&messages, rate_ms(&d->group->messages, &d->group->limits.messages));
    if (d->group) later(&connections, rate_ms(&d->group->connections, &d->group->limits.connections));
    uint64_t rate = messages > connections ? messages : connections;
    *ret = (struct destination_view){.destination = d->number,
                                     .key = span_of(d->key, d->key_octets),
                                     .queued = d->queue.n,
                                     .active = d->active,
                                     .sessions = sessions_now(d),
                                     .standing = d->standing,
                                     .until_ms = rate > d->back_off_ms ? rate : d->back_off_ms,
                                     .backing_off = d->back_off_ms > 0 && d->back_off_ms >= rate,
                                     .connecting = connections > messages,
                                     .group_full = group_full(d),
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
