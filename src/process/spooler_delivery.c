/* spooler_delivery: recipients in hand, and what is due: due -> asked (directory) -> sent (mailbox) -> result -> recorded. Nothing is
 * started before what it follows from is durable, and nothing is forgotten before it was recorded. */
#include <stdlib.h>

#include "process/spooler_private.h"
#include "spool/message_id.h"
#include "system/log.h"

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

/* --- recipients in hand, found by message and recipient --- */

static uint16_t *bucket_of(struct spooler *s, uint64_t id, uint32_t recipient)
{
    uint64_t hash = (id ^ (uint64_t)recipient << 40) * 0x9e3779b97f4a7c15u;
    return &s->buckets[(hash >> 40) % SPOOLER_BUCKETS];
}

struct delivery *spooler_delivery_find(struct spooler *s, uint64_t id, uint32_t recipient,
                                       enum delivery_stage stage)
{
    for (unsigned at = *bucket_of(s, id, recipient); at != SPOOLER_NO_DELIVERY;
         at = s->deliveries[at].next_in_bucket) {
        struct delivery *d = &s->deliveries[at];
        if (d->id == id && d->recipient == recipient) return d->stage == stage ? d : NULL;
    }
    return NULL;
}

void spooler_deliveries_init(struct spooler *s)
{
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++)
        s->free[i] = (uint16_t)(SPOOLER_DELIVERIES - 1 - i);
    for (unsigned i = 0; i < SPOOLER_BUCKETS; i++)
        s->buckets[i] = SPOOLER_NO_DELIVERY;
}

struct delivery *spooler_delivery_take(struct spooler *s, uint64_t id, uint32_t recipient)
{
    if (s->n_deliveries == SPOOLER_DELIVERIES) return NULL;
    s->n_deliveries++;
    uint16_t at = s->free[SPOOLER_DELIVERIES - s->n_deliveries];
    uint16_t *bucket = bucket_of(s, id, recipient);
    struct delivery *d = &s->deliveries[at];
    *d = (struct delivery){.id = id,
                           .recipient = recipient,
                           .serial = d->serial,
                           .next_in_bucket = *bucket,
                           .next_notified = SPOOLER_NO_DELIVERY,
                           .stage = DELIVERY_TAKEN};
    *bucket = at;
    return d;
}

void spooler_delivery_release(struct spooler *s, struct delivery *d)
{
    uint16_t at = (uint16_t)(d - s->deliveries), *link = bucket_of(s, d->id, d->recipient);
    while (*link != at)
        link = &s->deliveries[*link].next_in_bucket;
    *link = d->next_in_bucket;
    free(d->targets);
    *d = (struct delivery){.serial = (uint16_t)(d->serial + 1)};
    s->free[SPOOLER_DELIVERIES - s->n_deliveries] = at;
    s->n_deliveries--;
}

void spooler_put_back(struct spooler *s, struct delivery *d, uint64_t wait_ms)
{
    store_put_back(s->store, d->id, d->recipient, s->now_ms + wait_ms);
    spooler_delivery_release(s, d);
}

void spooler_put_back_all(struct spooler *s, enum delivery_stage stage)
{
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++)
        if (s->deliveries[i].stage == stage) spooler_put_back(s, &s->deliveries[i], SPOOLER_RETRY_MS);
}

void spooler_overdue(struct spooler *s)
{
    uint64_t now = loop_now_ms(s->child->loop);
    bool asked = false, sent = false;
    if (now - s->overdue_ms < SPOOLER_RETRY_MS) return;
    s->overdue_ms = now;
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++) {
        struct delivery *d = &s->deliveries[i];
        bool of_directory = d->stage == DELIVERY_ASKED, of_mailbox = d->stage == DELIVERY_SENT;
        if (!of_directory && !of_mailbox) continue;
        if (now - d->asked_ms < LIMIT_DELIVERY_ANSWER_SECONDS * 1000) continue;
        spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.0"),
                        of_mailbox ? SPAN("the mailbox process did not answer in time")
                                   : SPAN("the directory did not answer in time"));
        asked |= of_directory;
        sent |= of_mailbox;
    }
    if (asked) spooler_directory_lost(s, "no answer in time");
    if (sent) spooler_mailbox_lost(s, "no answer in time");
}

bool spooler_busy(const struct spooler *s)
{
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++)
        if (s->deliveries[i].stage > DELIVERY_ASKED) return true;
    return false;
}

/* --- what is due --- */

static void start(struct spooler *s, struct delivery *d)
{
    const struct message *m = store_find(s->store, d->id);
    if (!m) {
        spooler_delivery_release(s, d);
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
        spooler_expand(s, d, message_path(m, r));
}

void spooler_dispatch(struct spooler *s)
{
    uint64_t id;
    uint32_t recipient;
    enum store_due why;
    for (unsigned n = 0; n < SPOOLER_STARTED && s->n_deliveries < SPOOLER_DELIVERIES; n++) {
        bool ready =
            s->directory && ipc_can_send(s->directory) && s->mailbox.ipc && ipc_can_send(s->mailbox.ipc);
        if (!ready || !store_writable(s->store) || !store_due(s->store, s->now_ms, &id, &recipient, &why))
            return;
        struct delivery *d = spooler_delivery_take(s, id, recipient);
        if (d) start(s, d);
    }
}
