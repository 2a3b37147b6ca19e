/* operate: what an operator changes of the queue: some messages or recipients a page. Everything is recorded before it counts. */
#include "spool/listing_private.h"

enum { CHANGED = 500 /* recipients a page */, NAMED = 500 /* messages a page */ };

struct work {
    const struct listing *l;
    const struct question *q;
    struct span text;                                    /* for the history: who, what */
    uint64_t examined, messages, recipients, busy, held; /* held: matched, and they stay so */
    uint32_t changed, under_way;                         /* of this message */
    uint32_t named;                                      /* messages that were named for what is under way */
    bool stopped; /* no room: the spool is full, or too many notifications are on their way */
};

static void put_who(struct buf *b, const struct question *q)
{
    static const char *const words[QUESTION_CHANGE_COUNT] = {
        "tried at once", "held", "released", "removed", "returned to its sender", "queued anew"};
    buf_str(b, words[q->what]);
    buf_str(b, " by an operator (uid ");
    buf_u64(b, q->uid);
    buf_byte(b, ')');
}

/* One recipient that is meant and open. False: no room. */
static bool change_recipient(struct work *w, uint64_t id, uint32_t i)
{
    const struct listing *l = w->l;
    struct attempt removed = {.kind = EVENT_OPERATOR, .state = RECIPIENT_REMOVED, .text = w->text};
    switch (w->q->what) {
    case CHANGE_REMOVE: return store_attempt(l->store, id, i, &removed, l->unix_ms);
    case CHANGE_REQUEUE: return store_requeue(l->store, id, i, w->text, l->unix_ms);
    case CHANGE_BOUNCE: return l->bounce && l->bounce(l->context, id, i, w->text);
    default: return true;
    }
}

static void flush_recipient(struct work *w, const struct message *m, uint32_t i)
{
    const struct listing *l = w->l;
    uint8_t memory[LISTING_WAITING_OCTETS];
    struct listing_waiting wait = listing_waiting(l, m, i, false, memory);
    if (wait.number != DESTINATION_NONE) destinations_flush(l->destinations, wait.number, l->monotonic_ms);
    if (wait.what == WAIT_ATTEMPT) store_put_back(l->store, m->id, i, l->unix_ms);
}

static bool is_changed_already(const struct work *w, const struct recipient *r)
{
    return w->q->what == CHANGE_REQUEUE && r->state == RECIPIENT_QUEUED && r->attempts == 0;
}

static void change_recipients(struct work *w, uint64_t id)
{
    const struct message *m;
    bool destructive = w->q->what == CHANGE_REMOVE || w->q->what == CHANGE_BOUNCE;
    uint32_t n = store_find(w->l->store, id)->n_recipients;
    uint64_t most = w->q->what == CHANGE_FLUSH ? UINT64_MAX : CHANGED; /* what was flushed matches again */
    for (uint32_t i = 0; i < n && w->recipients + w->changed < most && (m = store_find(w->l->store, id));
         i++) {
        const struct recipient *r = &message_recipients(m)[i];
        if (!listing_wants_recipient(w->l, &w->q->filter, m, i)) continue;
        bool held = !destructive && index_shown(m, r) == QUESTION_HELD;
        w->held += held;
        if (is_changed_already(w, r) || (held && w->q->what == CHANGE_FLUSH)) continue;
        if (r->flags & RECIPIENT_IN_FLIGHT) {
            w->busy++;
            w->under_way++;
        } else if (w->q->what == CHANGE_FLUSH) {
            flush_recipient(w, m, i);
            w->changed++;
        } else if (change_recipient(w, id, i)) {
            w->changed++;
        } else {
            w->stopped = true;
            return;
        }
    }
}

static bool is_held(const struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (index_shown(m, &message_recipients(m)[i]) == QUESTION_HELD) return !(m->flags & MESSAGE_DAMAGED);
    return false;
}

static void change_hold(struct work *w, const struct message *m, bool held)
{
    uint32_t open = m->n_open;
    if (!held && !is_held(m)) return;
    if ((held && m->flags & MESSAGE_HELD) || !listing_wants(w->l, &w->q->filter, m)) return;
    if (store_hold(w->l->store, m->id, held, w->q->uid, w->l->unix_ms))
        w->changed = open;
    else
        w->stopped = true;
}

static void change_message(struct work *w, const struct message *m, struct buf *b)
{
    uint64_t id = m->id;
    w->changed = w->under_way = 0;
    if (!listing_wants_message(w->l, &w->q->filter, m)) return;
    if (w->q->what == CHANGE_HOLD || w->q->what == CHANGE_RELEASE)
        change_hold(w, m, w->q->what == CHANGE_HOLD);
    else
        change_recipients(w, id);
    if (w->under_way && w->named++ < NAMED) {
        buf_byte(b, '{');
        listing_put_id(b, id);
        listing_put_number(b, "busy", w->under_way);
        buf_str(b, "}\n");
    }
    if (w->changed == 0) return;
    w->messages++;
    w->recipients += w->changed;
    if (w->q->what == CHANGE_FLUSH) return; /* nothing of it is recorded: told as a whole */
    if (w->l->changed) w->l->changed(w->l->context, w->q, id, w->changed);
    buf_byte(b, '{');
    listing_put_id(b, id);
    listing_put_number(b, "recipients", w->changed);
    buf_str(b, "}\n");
}

static void put_counts(struct buf *b, const struct work *w)
{
    buf_byte(b, '{');
    listing_put_number(b, "examined", w->examined);
    listing_put_number(b, "messages", w->messages);
    listing_put_number(b, "recipients", w->recipients);
    listing_put_number(b, "busy", w->busy);
    listing_put_number(b, "held", w->held);
    buf_str(b, "}\n");
}

enum answer_status listing_change(const struct listing *l, const struct question *q, struct buf *b,
                                  uint64_t *cursor, bool *last)
{
    uint8_t memory[96];
    struct buf text = buf_on(memory, sizeof memory);
    struct work w = {.l = l, .q = q};
    uint32_t most = listing_examined(&q->filter);
    put_who(&text, q);
    w.text = buf_span(&text);
    *last = false;
    bool flush = q->what == CHANGE_FLUSH;
    for (uint32_t cost = 0; cost < most && (flush || w.recipients < CHANGED) && !w.stopped;) {
        const struct message *m = listing_next(l, &q->filter, *cursor);
        *last = !m;
        if (!m) break;
        uint64_t id = m->id;
        cost += listing_cost(&q->filter, m);
        change_message(&w, m, b);
        if (w.stopped || (w.recipients >= CHANGED && !flush))
            break; /* perhaps more of this message: again on the next page */
        *cursor = id;
        w.examined++;
    }
    if (w.stopped && w.messages == 0) return ANSWER_BUSY; /* asked again at once it would be no better */
    if (flush && w.recipients && l->changed) l->changed(l->context, q, 0, (uint32_t)w.recipients);
    put_counts(b, &w);
    return ANSWER_OK;
}
