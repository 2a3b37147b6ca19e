/* due: what of a queued message is due when: attempts, the end of its time, and the word to its sender that it is late. */
#include "smtp/params.h"
#include "spool/store_private.h"

enum {
    PLACED = 10000,             /* messages placed again in one step */
    LOOKED = 64,                /* recipients of the same message that are looked at for one that is due */
    READY_AT_LEAST_MS = 600000, /* what waits for its next hop has so long, however old it is */
};

static uint64_t delay_ms(const struct store *s, const struct message *m)
{
    return m->arrival_ms + (uint64_t)s->o.delay_seconds * 1000;
}

/* RFC 3461 4.1: without NOTIFY it is for us to say. */
static bool tells_delay(const struct store *s, const struct message *m, const struct recipient *r)
{
    if (s->o.delay_seconds == UINT32_MAX || m->flags & MESSAGE_DSN) return false;
    if (r->flags & (RECIPIENT_DELAY_TOLD | RECIPIENT_DELAY_TELLING)) return false;
    if (r->notify && !(r->notify & DSN_NOTIFY_DELAY)) return false;
    return r->attempts > 0 ||
           r->flags & (RECIPIENT_READY | RECIPIENT_NO_ROUTE); /* the first attempt goes first */
}

static void schedule(struct store *s, struct message *m, uint32_t i)
{
    const struct recipient *r = &message_recipients(m)[i];
    uint64_t due = r->next_ms ? r->next_ms : s->now_ms, expires = store_expires_ms(s, m);
    if (r->flags & RECIPIENT_NO_ROUTE) due = expires;
    if (r->flags & RECIPIENT_READY)
        due = expires > s->now_ms + READY_AT_LEAST_MS ? expires : s->now_ms + READY_AT_LEAST_MS;
    if (tells_delay(s, m, r) && delay_ms(s, m) < due) due = delay_ms(s, m);
    if (!schedule_set(&s->schedule, m, i, due)) schedule_remove(&s->schedule, m, i);
}

void store_leave_ready(struct store *s, struct recipient *r)
{
    if (!(r->flags & RECIPIENT_READY)) return;
    r->flags &= (uint16_t)~RECIPIENT_READY;
    if (s->o.left) s->o.left(s->o.context, r->ticket);
    r->ticket = 0;
}

void store_place_recipient(struct store *s, struct message *m, uint32_t i)
{
    struct recipient *r = &message_recipients(m)[i];
    store_leave_ready(s, r);
    if (recipient_final(r->state)) {
        schedule_remove(&s->schedule, m, i);
        return;
    }
    index_count(&s->index, m, r, -1);
    bool held = (m->flags & (MESSAGE_HELD | MESSAGE_DAMAGED)) != 0;
    enum store_place place = held ? PLACE_HOLD : s->o.place(s->o.context, m, r);
    r->flags &= (uint16_t) ~(RECIPIENT_HELD | RECIPIENT_NO_ROUTE);
    if (place == PLACE_HOLD) r->flags |= RECIPIENT_HELD;
    if (place == PLACE_WAIT) r->flags |= RECIPIENT_NO_ROUTE;
    index_count(&s->index, m, r, 1);
    if (r->flags & RECIPIENT_IN_FLIGHT) return;
    if (place == PLACE_HOLD)
        schedule_remove(&s->schedule, m, i);
    else
        schedule(s, m, i);
}

void store_place_message(struct store *s, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        store_place_recipient(s, m, i);
}

void store_configure(struct store *s, uint32_t retry_first_seconds, uint32_t retry_max_seconds,
                     uint32_t queue_seconds, uint32_t delay_seconds)
{
    s->o.retry_first_seconds = retry_first_seconds;
    s->o.retry_max_seconds = retry_max_seconds;
    s->o.queue_seconds = queue_seconds;
    s->o.delay_seconds = delay_seconds;
}

void store_place_step(struct store *s)
{
    for (unsigned n = 0; s->placing && n < PLACED; n++) {
        struct message *m = id_map_after(&s->index.map, s->place_cursor, &s->place_cursor);
        s->placing = m != NULL;
        if (m && !(m->flags & MESSAGE_PENDING)) store_place_message(s, m);
    }
}

void store_place_again(struct store *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    s->placing = true;
    s->place_cursor = 0;
    store_place_step(s);
}

/* Recipients of one message that are due together come together: one transaction may take them. */
static bool beside(const struct store *s, enum store_sides sides, uint64_t now_ms, struct schedule_item *ret)
{
    struct message *m = s->due_id ? id_map_find(&s->index.map, s->due_id) : NULL;
    for (uint32_t i = s->due_recipient + 1; m && i < m->n_recipients && i <= s->due_recipient + LOOKED; i++) {
        bool local = (message_recipients(m)[i].flags & RECIPIENT_LOCAL) != 0;
        const struct schedule_item *item = schedule_of(&s->schedule, m, i);
        if (!item || item->due_ms > now_ms || !(sides & (local ? STORE_LOCAL : STORE_OUTWARD))) continue;
        *ret = *item;
        return true;
    }
    return false;
}

static enum store_due why_due(const struct store *s, const struct message *m, const struct recipient *r)
{
    bool expires = r->attempts > 0 || r->flags & (RECIPIENT_READY | RECIPIENT_NO_ROUTE);
    if (expires && s->now_ms >= store_expires_ms(s, m)) return DUE_EXPIRED;
    if (tells_delay(s, m, r) && s->now_ms >= delay_ms(s, m)) return DUE_DELAY;
    return DUE_ATTEMPT;
}

static const struct schedule_item *first(const struct store *s, enum store_sides sides)
{
    return schedule_first(&s->schedule, sides & STORE_LOCAL, sides & STORE_OUTWARD);
}

bool store_due(struct store *s, enum store_sides sides, uint64_t now_ms, uint64_t *id, uint32_t *recipient,
               enum store_due *why)
{
    struct schedule_item item;
    s->now_ms = now_ms;
    if (!beside(s, sides, now_ms, &item)) {
        const struct schedule_item *next = first(s, sides);
        if (!next || next->due_ms > now_ms) return false;
        item = *next;
    }
    struct recipient *r = &message_recipients(item.message)[item.recipient];
    *id = item.message->id;
    s->due_recipient = *recipient = item.recipient;
    s->due_id = item.recipient + 1 < item.message->n_recipients ? *id : 0;
    *why = why_due(s, item.message, r);
    if (*why == DUE_DELAY) {
        r->flags |= RECIPIENT_DELAY_TELLING;
        schedule(s, item.message, item.recipient);
        return true;
    }
    store_leave_ready(s, r);
    schedule_remove(&s->schedule, item.message, item.recipient);
    r->flags |= RECIPIENT_IN_FLIGHT;
    return true;
}

uint64_t store_next_due_ms(const struct store *s, enum store_sides sides)
{
    const struct schedule_item *next = first(s, sides);
    return next ? next->due_ms : UINT64_MAX;
}

static struct recipient *open_recipient(const struct store *s, uint64_t id, uint32_t i, struct message **ret)
{
    struct message *m = id_map_find(&s->index.map, id);
    if (!m || m->flags & MESSAGE_PENDING || i >= m->n_recipients) return NULL;
    struct recipient *r = &message_recipients(m)[i];
    *ret = m;
    return recipient_final(r->state) ? NULL : r;
}

void store_put_back(struct store *s, uint64_t id, uint32_t i, uint64_t due_ms)
{
    struct message *m;
    struct recipient *r = open_recipient(s, id, i, &m);
    if (!r) return;
    r->flags &= (uint16_t)~RECIPIENT_IN_FLIGHT;
    r->next_ms = due_ms; /* in memory only: no attempt was made */
    store_place_recipient(s, m, i);
}

bool store_lost(struct store *s, uint64_t id, uint32_t i)
{
    struct message *m;
    struct recipient *r = open_recipient(s, id, i, &m);
    bool again = r && r->flags & RECIPIENT_LOST;
    if (r) r->flags |= RECIPIENT_LOST;
    return again;
}

void store_ready(struct store *s, uint64_t id, uint32_t i, uint32_t ticket, uint64_t now_ms)
{
    struct message *m;
    struct recipient *r = open_recipient(s, id, i, &m);
    s->now_ms = now_ms;
    if (!r || r->flags & (RECIPIENT_HELD | RECIPIENT_READY)) { /* held while it was in flight */
        if (r) r->flags &= (uint16_t)~RECIPIENT_IN_FLIGHT;
        if (s->o.left) s->o.left(s->o.context, ticket);
        return;
    }
    r->flags &= (uint16_t)~RECIPIENT_IN_FLIGHT;
    r->flags |= RECIPIENT_READY;
    r->ticket = ticket;
    schedule(s, m, i);
}

bool store_taken(struct store *s, uint64_t id, uint32_t i)
{
    struct message *m;
    struct recipient *r = open_recipient(s, id, i, &m);
    if (!r || !(r->flags & RECIPIENT_READY)) return false;
    r->flags &= (uint16_t)~RECIPIENT_READY;
    r->flags |= RECIPIENT_IN_FLIGHT;
    r->ticket = 0;
    schedule_remove(&s->schedule, m, i);
    return true;
}

bool store_claim(struct store *s, uint64_t id, uint32_t i)
{
    struct message *m;
    struct recipient *r = open_recipient(s, id, i, &m);
    if (!r || r->flags & RECIPIENT_IN_FLIGHT) return false;
    store_leave_ready(s, r);
    r->flags |= RECIPIENT_IN_FLIGHT;
    schedule_remove(&s->schedule, m, i);
    return true;
}
