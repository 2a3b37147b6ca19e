/* waiting: what an open recipient waits for, until when, and why. */
#include "policy/next_hop.h"
#include "spool/listing_private.h"

struct span listing_hop_text(struct span key, struct buf *b)
{
    struct wire w = wire_on(key);
    struct next_hop hop;
    size_t mark = b->n;
    if (!next_hop_read(&w, &hop) || !wire_done(&w)) return SPAN("?");
    next_hop_put_text(b, &hop);
    return span_skip(buf_span(b), mark);
}

struct span listing_destination_waits(const struct destination_view *v, uint64_t monotonic_ms)
{
    bool later = v->until_ms > monotonic_ms;
    if (later && v->backing_off) return SPAN("its next hop rests after a failure");
    if (v->standing == DESTINATION_FAILED && v->active > 0)
        return SPAN("its next hop failed, and one attempt finds out whether it works again");
    if (v->active >= v->sessions)
        return v->standing == DESTINATION_FRESH ? SPAN("the first connections to its next hop are being made")
                                                : SPAN("all sessions of its next hop are in use");
    if (v->group_full) return SPAN("all sessions of its mx-group are in use");
    if (later)
        return v->connecting ? SPAN("its next hop had all the connections that its limit allows in this time")
                             : SPAN("its next hop had all the messages that its limit allows in this time");
    return SPAN("its turn");
}

static uint64_t unix_of(const struct listing *l, uint64_t monotonic_ms)
{
    return monotonic_ms <= l->monotonic_ms ? 0 : l->unix_ms + (monotonic_ms - l->monotonic_ms);
}

static struct span kept(struct buf *b, struct span s)
{
    size_t mark = b->n;
    buf_put(b, s);
    return span_skip(buf_span(b), mark);
}

/* Its destination, by where it waits, else by the routes. */
static void find_destination(const struct listing *l, const struct message *m, const struct recipient *r,
                             struct listing_waiting *w, struct destination_view *view, struct buf *b)
{
    uint8_t key[NEXT_HOP_KEY_OCTETS];
    struct buf k = buf_on(key, sizeof key);
    w->number = DESTINATION_NONE;
    if (l->destinations && r->flags & RECIPIENT_READY)
        w->number = destinations_of(l->destinations, r->ticket);
    if (w->number != DESTINATION_NONE && destinations_view(l->destinations, w->number, view)) {
        w->destination = listing_hop_text(view->key, b);
        return;
    }
    if (!l->next_hop || !l->next_hop(l->context, m, r, &k) || k.over) return;
    w->destination = listing_hop_text(buf_span(&k), b);
    if (l->destinations) w->number = destinations_find(l->destinations, buf_span(&k));
    if (w->number != DESTINATION_NONE && !destinations_view(l->destinations, w->number, view))
        w->number = DESTINATION_NONE;
}

/* The newest event that says why. */
static struct span last_text(struct store *s, const struct message *m, uint32_t i, uint8_t *memory)
{
    struct wire w = wire_on(store_read_history(s, m, i, memory, LISTING_HISTORY_OCTETS));
    struct state_event e = {0}, next;
    while (state_event_read(&w, &next))
        if (next.kind != EVENT_DELAY) e = next;
    return e.text;
}

struct listing_waiting listing_waiting(const struct listing *l, const struct message *m, uint32_t i,
                                       bool with_reason, uint8_t *memory)
{
    struct listing_waiting w = {.what = WAIT_ATTEMPT, .number = DESTINATION_NONE};
    const struct recipient *r = &message_recipients(m)[i];
    struct destination_view view = {0};
    struct buf b = buf_on(memory + LISTING_HISTORY_OCTETS, LISTING_WAITING_OCTETS - LISTING_HISTORY_OCTETS);
    if (recipient_final(r->state)) return w;
    find_destination(l, m, r, &w, &view, &b);
    if (index_shown(m, r) == QUESTION_HELD) {
        w.what = WAIT_RELEASE;
        w.reason = m->flags & MESSAGE_DAMAGED ? SPAN("its content is damaged")
                   : m->flags & MESSAGE_HELD  ? SPAN("held by an operator")
                                              : SPAN("held by the configuration");
        return w;
    }
    if (r->flags & RECIPIENT_NO_ROUTE) {
        w.what = WAIT_ROUTE;
        w.reason = SPAN("no route yet");
        w.until_ms = store_expires_ms(l->store, m);
        return w;
    }
    if (r->flags & RECIPIENT_IN_FLIGHT)
        w.what = WAIT_DELIVERY,
        w.waits_for = w.destination.n ? SPAN("an attempt is under way: names, connection or transfer")
                                      : SPAN("a delivery is under way");
    else if (r->flags & RECIPIENT_READY)
        w.what = WAIT_DESTINATION;
    else
        w.until_ms = r->next_ms ? r->next_ms : m->arrival_ms;
    if (w.number != DESTINATION_NONE && w.what == WAIT_DESTINATION) {
        w.until_ms = unix_of(l, view.until_ms);
        w.waits_for = listing_destination_waits(&view, l->monotonic_ms);
        if (view.failure && view.standing == DESTINATION_FAILED) {
            w.reason = kept(&b, view.failure->text);
            w.status = kept(&b, span_str(view.failure->enhanced));
            w.host = kept(&b, view.failure->host);
        }
    }
    if (with_reason && w.reason.n == 0 && r->state_segment) w.reason = last_text(l->store, m, i, memory);
    return w;
}
