/* spooler_delivery: what becomes of a recipient: due -> asked (directory) -> sent (mailbox) -> result -> recorded. Nothing is
 * started before what it follows from is durable, and nothing is forgotten before it was recorded. */
#include <errno.h>
#include <stdlib.h>

#include "directory/expand.h"
#include "process/spooler_private.h"
#include "spool/message_id.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {{MSG_EXPAND_ANSWER, 16, UINT16_MAX, 0}};

void spooler_log_id(uint64_t id)
{
    uint8_t text[MESSAGE_ID_TEXT];
    struct buf b = buf_on(text, sizeof text);
    message_id_put(&b, id);
    log_span("id", buf_span(&b));
}

enum store_place spooler_place(void *context, const struct message *m, const struct recipient *r)
{
    const struct spooler *s = context;
    if (config_held(s->child->config, domain_of(message_path(m, r)))) return PLACE_HOLD;
    return r->flags & RECIPIENT_LOCAL ? PLACE_DELIVER : PLACE_WAIT;
}

static void release(struct spooler *s, struct delivery *d)
{
    if (d->stage == DELIVERY_RESULT) s->n_results--;
    free(d->targets);
    *d = (struct delivery){.serial = (uint16_t)(d->serial + 1)};
    unsigned at = (unsigned)(d - s->deliveries);
    s->keys[at] = 0;
    s->free[SPOOLER_DELIVERIES - s->n_deliveries] = (uint16_t)at;
    s->n_deliveries--;
}

struct delivery *spooler_delivery_find(struct spooler *s, uint64_t id, uint32_t recipient,
                                       enum delivery_stage stage)
{
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++) {
        struct delivery *d = &s->deliveries[i];
        if (s->keys[i] == id && d->recipient == recipient && d->stage == stage) return d;
    }
    return NULL;
}

void spooler_put_back(struct spooler *s, struct delivery *d, uint64_t wait_ms)
{
    store_put_back(s->store, d->id, d->recipient, s->now_ms + wait_ms);
    release(s, d);
}

/* --- results --- */

static void log_outcome(struct spooler *s, const struct delivery *d, struct span to)
{
    bool bad = d->state == RECIPIENT_BOUNCED || d->state == RECIPIENT_EXPIRED;
    log_begin(bad ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, recipient_state_name(d->state));
    spooler_log_id(d->id);
    log_span("to", to);
    log_span("status", span_str(d->enhanced));
    log_span("text", span_of(d->text, d->text_length));
    log_end();
    s->delivered += d->state == RECIPIENT_DELIVERED;
    s->deferred += d->state == RECIPIENT_DEFERRED;
    s->bounced += d->state == RECIPIENT_BOUNCED;
    s->expired += d->state == RECIPIENT_EXPIRED;
}

/* True: it was recorded and the slot is free. */
static bool record(struct spooler *s, struct delivery *d)
{
    const struct message *m = store_find(s->store, d->id);
    if (!m || d->recipient >= m->n_recipients) {
        release(s, d);
        return true;
    }
    if (!d->notified && spooler_wants_dsn(m, &message_recipients(m)[d->recipient], d->state)) {
        enum store_status status = spooler_notify(s, d);
        if (status == STORE_PENDING) {
            d->stage = DELIVERY_NOTIFYING;
            s->n_results--;
            return false;
        }
        if (status != STORE_REFUSED) return false; /* no room: later */
        log_begin(LOG_LEVEL_ERROR, "notification-failed");
        spooler_log_id(d->id);
        log_end();
    }
    m = store_find(s->store, d->id); /* making room for the notification may have moved it */
    if (m) {
        uint8_t to[LIMIT_PATH_OCTETS]; /* the message may be finished with this attempt */
        struct buf path = buf_on(to, sizeof to);
        struct attempt a = {
            .state = d->state, .enhanced = span_str(d->enhanced), .text = span_of(d->text, d->text_length)};
        buf_put(&path, message_path(m, &message_recipients(m)[d->recipient]));
        if (!store_attempt(s->store, d->id, d->recipient, &a, s->now_ms)) return false;
        log_outcome(s, d, buf_span(&path));
    }
    release(s, d);
    return true;
}

void spooler_outcome(struct spooler *s, struct delivery *d, uint8_t state, struct span enhanced,
                     struct span text)
{
    struct buf e = buf_on(d->enhanced, sizeof d->enhanced - 1), t = buf_on(d->text, sizeof d->text);
    memset(d->enhanced, 0, sizeof d->enhanced);
    buf_put(&e, span_head(enhanced, sizeof d->enhanced - 1));
    buf_put(&t, span_head(text, sizeof d->text));
    d->text_length = (uint16_t)t.n;
    d->state = state;
    d->stage = DELIVERY_RESULT;
    s->n_results++;
    if (!record(s, d)) d->retry_ms = s->now_ms + SPOOLER_RETRY_MS;
}

void spooler_results(struct spooler *s)
{
    for (unsigned i = 0; s->n_results && i < SPOOLER_DELIVERIES; i++) {
        struct delivery *d = &s->deliveries[i];
        if (d->stage != DELIVERY_RESULT ||
            (d->retry_ms > s->now_ms && d->retry_ms <= s->now_ms + SPOOLER_RETRY_MS))
            continue;
        if (!record(s, d)) d->retry_ms = s->now_ms + SPOOLER_RETRY_MS;
    }
}

void spooler_notified(struct spooler *s, uint64_t token, enum store_status status)
{
    struct delivery *d = &s->deliveries[(token & 0xffff) % SPOOLER_DELIVERIES];
    if (d->stage != DELIVERY_NOTIFYING || d->serial != (uint16_t)(token >> 16)) return;
    d->stage = DELIVERY_RESULT; /* recorded in the next batch: never before its notification is durable */
    s->n_results++;
    d->notified = status == STORE_DURABLE;
    d->retry_ms = d->notified ? 0 : s->now_ms + SPOOLER_RETRY_MS;
}

/* --- the directory --- */

static void directory_lost(struct spooler *s, const char *reason)
{
    ipc_close(&s->directory);
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++)
        if (s->deliveries[i].stage == DELIVERY_ASKED)
            spooler_put_back(s, &s->deliveries[i], SPOOLER_RETRY_MS);
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_DIRECTORY, 0, reason);
}

static bool keep_targets(struct delivery *d, const struct expand_answer *a)
{
    static const uint8_t kind[EXPAND_KIND_COUNT] = {[EXPAND_MAILBOX] = DERIVED_MAILBOX,
                                                    [EXPAND_REMOTE] = DERIVED_REMOTE,
                                                    [EXPAND_NOBODY] = DERIVED_NOBODY};
    struct wire w = wire_on(a->targets);
    struct expand_target t;
    while (expand_target_read(&w, &t)) {
        uint8_t one[LIMIT_PATH_OCTETS + 8];
        struct buf b = buf_on(one, sizeof one);
        if (t.path.n > LIMIT_PATH_OCTETS) return false; /* no recipient of a message can be so long */
        derived_put(&b, &(struct derived){kind[t.kind], t.path});
        if (b.over || ++d->count > LIMIT_ALIAS_EXPANSION) return false;
        if (d->targets_length + b.n > d->targets_max) {
            size_t max = d->targets_max ? d->targets_max * 2 : 512;
            uint8_t *grown = realloc(d->targets, max);
            if (!grown) return false;
            d->targets = grown;
            d->targets_max = max;
        }
        memcpy(d->targets + d->targets_length, one, b.n);
        d->targets_length += b.n;
    }
    if (a->owner.n <= sizeof d->owner && a->owner.n) {
        memcpy(d->owner, a->owner.p, a->owner.n);
        d->owner_length = (uint16_t)a->owner.n;
    }
    return !w.bad;
}

static void expanded(struct spooler *s, struct delivery *d)
{
    struct span targets = span_of(d->targets, d->targets_length);
    struct wire w = wire_on(targets);
    struct derived only;
    if (d->count == 1 && d->owner_length == 0 && derived_read(&w, &only) && only.kind == DERIVED_MAILBOX) {
        spooler_deliver(s, d, only.path); /* one mailbox: nothing to remember */
        return;
    }
    const struct message *m = store_find(s->store, d->id);
    if (m && d->count > LIMIT_MESSAGE_RECIPIENTS - m->n_recipients) { /* nor will it have room later */
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.4"),
                        SPAN("its alias has too many recipients, with the others of this message"));
        return;
    }
    if (!store_writable(s->store) || !store_expand(s->store, d->id, d->recipient,
                                                   span_of(d->owner, d->owner_length), targets, s->now_ms)) {
        spooler_put_back(s, d, SPOOLER_RETRY_MS);
        return;
    }
    log_begin(LOG_LEVEL_INFO, "expanded");
    spooler_log_id(d->id);
    log_u64("recipients", d->count);
    log_end();
    release(s, d);
}

static void on_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct spooler *s = context;
    struct expand_answer a;
    (void)type, (void)fds, (void)n_fds;
    if (!s->directory) return;
    if (!expand_answer_read(payload, &a)) {
        directory_lost(s, "malformed answer");
        return;
    }
    struct delivery *d = spooler_delivery_find(s, a.id, a.recipient, DELIVERY_ASKED);
    if (!d) return;
    s->now_ms = loop_unix_ms(s->child->loop);
    switch (a.status) {
    case EXPAND_OK: break;
    case EXPAND_UNKNOWN:
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.1"), SPAN("no such mailbox"));
        return;
    case EXPAND_LOOP:
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.4.6"), SPAN("its alias leads back to itself"));
        return;
    case EXPAND_TOO_MANY:
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.4"), SPAN("its alias has too many recipients"));
        return;
    default:
        spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.0"), SPAN("the directory cannot tell now"));
        return;
    }
    if (!keep_targets(d, &a))
        spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.0"), SPAN("its alias cannot be expanded now"));
    else if (a.last && d->count == 0)
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.1"), SPAN("its alias names nobody"));
    else if (a.last)
        expanded(s, d);
}

static void on_closed(void *context, const char *reason)
{
    directory_lost(context, reason);
}

void spooler_directory_open(struct spooler *s, int fd)
{
    directory_lost(s, NULL); /* a newer one takes the questions */
    s->directory = ipc_open(s->child->loop, fd, allowed, 1, SPOOLER_RESULTS_QUEUED, on_answer, on_closed, s);
    if (!s->directory) log_note(LOG_LEVEL_ERROR, "channel-failed", "directory", errno);
}

static void ask(struct spooler *s, struct delivery *d, struct span path)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 32];
    struct buf b = buf_on(memory, sizeof memory);
    expand_question_put(&b, &(struct expand_question){d->id, d->recipient, path});
    d->stage = DELIVERY_ASKED;
    if (!s->directory || b.over || !ipc_send(s->directory, MSG_EXPAND_QUESTION, buf_span(&b)))
        spooler_put_back(s, d, SPOOLER_RETRY_MS);
}

/* --- what is due --- */

static void start(struct spooler *s, struct delivery *d)
{
    const struct message *m = store_find(s->store, d->id);
    if (!m) {
        release(s, d);
        return;
    }
    const struct recipient *r = &message_recipients(m)[d->recipient];
    uint64_t expires = store_expires_ms(s->store, m);
    if (s->now_ms >= expires && (r->attempts > 0 || !(r->flags & RECIPIENT_LOCAL)))
        spooler_outcome(s, d, RECIPIENT_EXPIRED, SPAN("4.4.7"),
                        r->flags & RECIPIENT_LOCAL ? SPAN("it could not be delivered in time")
                                                   : SPAN("no route to its domain was found in time"));
    else if (!(r->flags & RECIPIENT_LOCAL))
        spooler_put_back(s, d, expires - s->now_ms);
    else if (r->flags & RECIPIENT_NOBODY)
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.1"),
                        SPAN("an alias names it, but there is no such mailbox"));
    else if (r->flags & RECIPIENT_DERIVED)
        spooler_deliver(s, d, message_path(m, r)); /* canonical already */
    else
        ask(s, d, message_path(m, r));
}

void spooler_dispatch(struct spooler *s)
{
    uint64_t id;
    uint32_t recipient;
    for (unsigned n = 0; n < SPOOLER_STARTED && s->n_deliveries < SPOOLER_DELIVERIES; n++) {
        bool ready = s->directory && ipc_can_send(s->directory) && s->mailbox && ipc_can_send(s->mailbox);
        if (!ready || !store_writable(s->store) || !store_due(s->store, s->now_ms, &id, &recipient)) return;
        s->n_deliveries++;
        unsigned at = s->free[SPOOLER_DELIVERIES - s->n_deliveries];
        struct delivery *d = &s->deliveries[at];
        *d =
            (struct delivery){.id = id, .recipient = recipient, .serial = d->serial, .stage = DELIVERY_ASKED};
        s->keys[at] = id;
        start(s, d);
    }
}

bool spooler_busy(const struct spooler *s)
{
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++)
        if (s->deliveries[i].stage > DELIVERY_ASKED) return true;
    return false;
}
