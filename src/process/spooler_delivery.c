/* spooler_delivery: recipients in hand, and what is due: due -> asked (directory) -> sent (mailbox), or lined up for its next hop and
 * relayed -> result -> recorded. Nothing is
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

enum config_way_kind spooler_way_to(const struct spooler *s, const struct message *m,
                                    const struct recipient *r, struct span path, struct config_way *way)
{
    bool local = (r->flags & RECIPIENT_LOCAL) != 0, released = (m->flags & MESSAGE_RELEASED) != 0;
    return (released ? config_next_hop_released
                     : config_next_hop)(s->child->config, message_reverse_path_for(m, r), path, local, way);
}

enum config_way_kind spooler_way(const struct spooler *s, const struct message *m, const struct recipient *r,
                                 struct config_way *way)
{
    return spooler_way_to(s, m, r, message_path(m, r), way);
}

enum store_place spooler_place(void *context, const struct message *m, const struct recipient *r)
{
    static struct config_way way;
    const struct spooler *s = context;
    bool local = (r->flags & RECIPIENT_LOCAL) != 0;
    switch (spooler_way(s, m, r, &way)) {
    case WAY_HOLD: return PLACE_HOLD;
    case WAY_NONE: return local ? PLACE_DELIVER : PLACE_WAIT; /* an alias may lead on */
    default: return PLACE_DELIVER;
    }
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
        if (d->id == id && d->recipient == recipient && d->stage == stage) return d;
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

void spooler_delivery_local_ends(struct spooler *s, struct delivery *d)
{
    s->n_local -= d->local;
    d->local = false;
}

void spooler_delivery_release(struct spooler *s, struct delivery *d)
{
    spooler_delivery_local_ends(s, d);
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
    for (unsigned i = 0, seen = 0; i < SPOOLER_DELIVERIES && seen < s->n_deliveries; i++) {
        struct delivery *d = &s->deliveries[i];
        seen += d->stage != DELIVERY_FREE;
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

static void finish(struct spooler *s, uint64_t id, uint32_t recipient, uint8_t state, struct span enhanced,
                   struct span text)
{
    struct delivery *d = spooler_delivery_take(s, id, recipient);
    if (d)
        spooler_outcome(s, d, state, enhanced, text);
    else
        store_put_back(s->store, id, recipient, s->now_ms + SPOOLER_RETRY_MS);
}

/* For another host, or for an LMTP server: it waits in line. Or it is thrown away. */
static void start_outward(struct spooler *s, const struct message *m, uint32_t recipient)
{
    static struct config_way way;
    switch (spooler_way(s, m, &message_recipients(m)[recipient], &way)) {
    case WAY_DISCARD:
        finish(s, m->id, recipient, RECIPIENT_DISCARDED, SPAN("2.0.0"),
               SPAN("thrown away: the configuration discards it"));
        return;
    case WAY_NEXT_HOP:
        if (spooler_line_up(s, m->id, recipient)) return;
        store_put_back(s->store, m->id, recipient, s->now_ms + SPOOLER_RETRY_MS);
        return;
    default: store_put_back(s->store, m->id, recipient, store_expires_ms(s->store, m)); return; /* no route */
    }
}

static void start_local(struct spooler *s, const struct message *m, uint32_t recipient)
{
    const struct recipient *r = &message_recipients(m)[recipient];
    if (r->flags & RECIPIENT_NOBODY) {
        finish(s, m->id, recipient, RECIPIENT_BOUNCED, SPAN("5.1.1"),
               SPAN("an alias names it, but there is no such mailbox"));
        return;
    }
    static struct config_way way;
    enum config_way_kind kind = spooler_way(s, m, r, &way);
    if (kind == WAY_DISCARD || (kind == WAY_NEXT_HOP && r->flags & RECIPIENT_DERIVED)) {
        start_outward(s, m, recipient);
        return;
    }
    struct delivery *d = spooler_delivery_take(s, m->id, recipient);
    if (!d) {
        store_put_back(s->store, m->id, recipient, s->now_ms + SPOOLER_RETRY_MS);
        return;
    }
    d->local = true;
    s->n_local++;
    if (r->flags & RECIPIENT_DERIVED)
        spooler_deliver(s, d, message_path(m, r)); /* canonical already */
    else
        spooler_expand(s, d, message_path(m, r));
}

/* RFC 3461 4.1, 5.2.2: the sender is told that it is late; nothing else changes for it. */
static void tell_delay(struct spooler *s, const struct message *m, uint32_t recipient)
{
    struct delivery *d = spooler_delivery_take(s, m->id, recipient);
    if (!d) return; /* it is called late again after the next start */
    d->late = true;
    spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.4.7"), SPAN("it could not be delivered yet"));
}

static void start(struct spooler *s, uint64_t id, uint32_t recipient, enum store_due why)
{
    const struct message *m = store_find(s->store, id);
    if (!m) return;
    const struct recipient *r = &message_recipients(m)[recipient];
    bool local = (r->flags & RECIPIENT_LOCAL) != 0;
    if (why == DUE_DELAY)
        tell_delay(s, m, recipient);
    else if (why == DUE_EXPIRED)
        finish(s, id, recipient, RECIPIENT_EXPIRED, SPAN("4.4.7"), SPAN("it could not be delivered in time"));
    else if (!local)
        start_outward(s, m, recipient);
    else if (s->directory && s->mailbox.ipc)
        start_local(s, m, recipient);
    else
        store_put_back(s->store, id, recipient, s->now_ms + SPOOLER_RETRY_MS);
}

/* A peer that is there and does not keep up is waited for; one that is gone holds up nothing but what needs it. */
static bool keeps_up(struct ipc *peer)
{
    return !peer || ipc_can_send(peer);
}

/* Trouble here (a slow disk, a directory that does not answer) never holds up what is for elsewhere. */
enum store_sides spooler_sides_open(const struct spooler *s)
{
    unsigned sides = 0;
    if (s->n_deliveries == SPOOLER_DELIVERIES || !store_writable(s->store)) return 0;
    sides |= STORE_OUTWARD;
    if (s->n_local < SPOOLER_LOCAL && keeps_up(s->directory) && keeps_up(s->mailbox.ipc))
        sides |= STORE_LOCAL;
    return (enum store_sides)sides;
}

void spooler_dispatch(struct spooler *s)
{
    uint64_t id;
    uint32_t recipient;
    enum store_due why;
    for (unsigned n = 0; n < SPOOLER_STARTED; n++) {
        if (!store_due(s->store, spooler_sides_open(s), s->now_ms, &id, &recipient, &why)) break;
        start(s, id, recipient, why);
    }
    spooler_relay_dispatch(s);
}
