/* spooler_result: what became of recipients is recorded: once a turn, for all that are known, so that one notification can speak of
 * several. A state is never written before the notification that goes with it is durable. */
#include "process/spooler_private.h"
#include "system/log.h"

enum {
    NOTIFIED_AT_ONCE = 100, /* recipients in one notification */
    LOOKED_AT =
        1000, /* results behind one, for those that belong to it: work grows with their number, not its square */
};

static void log_outcome(struct spooler *s, const struct delivery *d, struct span to)
{
    bool bad = d->state == RECIPIENT_BOUNCED || d->state == RECIPIENT_EXPIRED;
    log_begin(bad ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, recipient_state_name(d->state));
    spooler_log_id(d->id);
    log_span("to", to);
    log_span("status", span_str(d->enhanced));
    if (d->trace.host.n) log_span("host", d->trace.host);
    log_span("text", span_of(d->text, d->text_length));
    log_end();
    s->delivered += d->state == RECIPIENT_DELIVERED;
    s->deferred += d->state == RECIPIENT_DEFERRED;
    s->bounced += d->state == RECIPIENT_BOUNCED;
    s->expired += d->state == RECIPIENT_EXPIRED;
}

static void result_put(struct spooler *s, struct delivery *d)
{
    d->stage = DELIVERY_RESULT;
    s->results[s->n_results++] = (uint16_t)(d - s->deliveries);
}

void spooler_outcome(struct spooler *s, struct delivery *d, uint8_t state, struct span enhanced,
                     struct span text)
{
    spooler_delivery_local_ends(s, d);
    struct buf e = buf_on(d->enhanced, sizeof d->enhanced - 1), t = buf_on(d->text, sizeof d->text);
    memset(d->enhanced, 0, sizeof d->enhanced);
    buf_put(&e, span_head(enhanced, sizeof d->enhanced - 1));
    buf_put(&t, span_head(text, sizeof d->text));
    d->text_length = (uint16_t)t.n;
    d->state = state;
    result_put(s, d);
}

/* --- notifications --- */

static const struct message *message_of(const struct spooler *s, const struct delivery *d)
{
    const struct message *m = store_find(s->store, d->id);
    return m && d->recipient < m->n_recipients ? m : NULL;
}

static struct span sender_of(const struct message *m, const struct delivery *d)
{
    return message_reverse_path_for(m, &message_recipients(m)[d->recipient]);
}

static bool waits_for_notification(const struct spooler *s, const struct message *m, const struct delivery *d)
{
    bool told = d->notified || (d->state == RECIPIENT_DELIVERED && d->next_hop_tells);
    if (told || (d->state == RECIPIENT_DEFERRED && !d->late)) return false;
    return spooler_wants_dsn(s->child->config, m, &message_recipients(m)[d->recipient], d->state);
}

struct round { /* the results that one call of spooler_results looks at; SPOOLER_NO_DELIVERY: done */
    uint16_t at[SPOOLER_DELIVERIES];
    unsigned n, next;
};

/* Those that the notification for `first` can speak of too: same message, same sender, same kind of outcome. Their places in the
 * round come back in `places`. */
static unsigned gather(struct spooler *s, const struct round *round, const struct message *m,
                       const struct delivery *first, unsigned *places)
{
    unsigned n = 0;
    unsigned end = round->n - round->next < LOOKED_AT ? round->n : round->next + LOOKED_AT;
    for (unsigned i = round->next; i < end && n < NOTIFIED_AT_ONCE - 1; i++) {
        if (round->at[i] == SPOOLER_NO_DELIVERY) continue;
        const struct delivery *d = &s->deliveries[round->at[i]];
        bool alike = d->id == first->id && d->recipient < m->n_recipients &&
                     spooler_action(d) == spooler_action(first);
        if (alike && waits_for_notification(s, m, d) && span_eq(sender_of(m, d), sender_of(m, first)))
            places[n++] = i;
    }
    return n;
}

/* True: it is on its way to disk, and all it speaks of wait for it. */
static bool notify(struct spooler *s, struct round *round, const struct message *m, struct delivery *d,
                   bool *refused)
{
    struct delivery *about[NOTIFIED_AT_ONCE];
    unsigned places[NOTIFIED_AT_ONCE], n = gather(s, round, m, d, places);
    about[0] = d;
    for (unsigned i = 0; i < n; i++)
        about[i + 1] = &s->deliveries[round->at[places[i]]];
    uint64_t token = SPOOLER_TOKEN_DSN | (uint64_t)d->serial << 16 | (uint64_t)(d - s->deliveries);
    enum store_status status = spooler_notify(s, about, n + 1, token);
    *refused = status == STORE_REFUSED;
    if (status != STORE_PENDING) return false;
    for (unsigned i = 0; i <= n; i++) {
        about[i]->stage = DELIVERY_NOTIFYING;
        about[i]->next_notified =
            i < n ? (uint16_t)(about[i + 1] - s->deliveries) : (uint16_t)SPOOLER_NO_DELIVERY;
        if (i < n) round->at[places[i]] = SPOOLER_NO_DELIVERY;
    }
    return true;
}

void spooler_notified(struct spooler *s, uint64_t token, enum store_status status)
{
    unsigned at = (unsigned)(token & 0xffff) % SPOOLER_DELIVERIES;
    if (s->deliveries[at].stage != DELIVERY_NOTIFYING || s->deliveries[at].serial != (uint16_t)(token >> 16))
        return;
    while (at != SPOOLER_NO_DELIVERY) { /* recorded in the next batch: never before it is durable */
        struct delivery *d = &s->deliveries[at];
        at = d->next_notified;
        d->next_notified = SPOOLER_NO_DELIVERY;
        d->notified = status == STORE_DURABLE;
        d->retry_ms = d->notified ? 0 : s->now_ms + SPOOLER_RETRY_MS;
        result_put(s, d);
    }
}

/* --- recording --- */

static bool record_attempt(struct spooler *s, const struct message *m, const struct delivery *d)
{
    uint8_t to[LIMIT_PATH_OCTETS]; /* the message may be finished with this attempt */
    struct buf path = buf_on(to, sizeof to);
    struct attempt a = {.kind = EVENT_ATTEMPT,
                        .state = d->state,
                        .enhanced = span_str(d->enhanced),
                        .text = span_of(d->text, d->text_length),
                        .trace = d->trace};
    buf_put(&path, message_path(m, &message_recipients(m)[d->recipient]));
    if (!store_attempt(s->store, d->id, d->recipient, &a, s->now_ms)) return false;
    log_outcome(s, d, buf_span(&path));
    return true;
}

/* True: the slot is free, or a notification carries it on. */
static bool record(struct spooler *s, struct round *round, struct delivery *d)
{
    const struct message *m = message_of(s, d);
    if (m && waits_for_notification(s, m, d)) {
        bool refused;
        if (notify(s, round, m, d, &refused)) return true;
        if (!refused) return false; /* no room: later */
        log_begin(LOG_LEVEL_ERROR, "notification-failed");
        spooler_log_id(d->id);
        log_end();
    }
    m = message_of(s, d); /* making room for the notification may have moved it */
    bool done = !m || (d->late ? store_delay_told(s->store, d->id, d->recipient, s->now_ms)
                               : record_attempt(s, m, d));
    if (!done) return false;
    spooler_delivery_release(s, d);
    return true;
}

static bool too_early(const struct spooler *s, const struct delivery *d)
{
    return d->retry_ms > s->now_ms && d->retry_ms <= s->now_ms + SPOOLER_RETRY_MS;
}

void spooler_results(struct spooler *s)
{
    static struct round round;
    round.n = s->n_results;
    memcpy(round.at, s->results, round.n * sizeof round.at[0]);
    s->n_results = 0; /* what is put in meanwhile, or must wait, is looked at in the next turn */
    for (unsigned i = 0; i < round.n; i++) {
        if (round.at[i] == SPOOLER_NO_DELIVERY) continue;
        struct delivery *d = &s->deliveries[round.at[i]];
        round.next = i + 1;
        bool early = too_early(s, d);
        if (!early && record(s, &round, d)) continue;
        if (!early) d->retry_ms = s->now_ms + SPOOLER_RETRY_MS;
        s->results[s->n_results++] = round.at[i];
    }
}
