/* timeline: one message's life, event by event. */
#include "spool/listing_private.h"

#define SHOWN 20 /* recipients in its head */

static void event_begin(struct buf *b, const struct message *m, uint64_t time_ms, const char *event)
{
    buf_byte(b, '{');
    listing_put_id(b, m->id);
    listing_put_time(b, "time", time_ms);
    listing_put_text(b, "event", span_str(event));
}

static void show_holds(const struct listing *l, const struct message *m, struct buf *b)
{
    struct hold_payload hold;
    if (!store_read_holds(l->store, m, &hold)) return;
    for (uint32_t i = 0; i < hold.count; i++) {
        event_begin(b, m, hold.events[i].time_ms, hold.events[i].held ? "held" : "released");
        listing_put_number(b, "uid", hold.events[i].uid);
        buf_str(b, "}\n");
    }
}

static void show_arrival(const struct listing *l, const struct message *m, struct buf *b)
{
    static uint8_t envelope[LIMIT_ENVELOPE_OCTETS];
    struct envelope_head h = {0};
    if (m->envelope_length <= sizeof envelope && store_read_envelope(l->store, m, envelope)) {
        struct wire w = wire_on(span_of(envelope, m->envelope_length));
        if (!envelope_read_head(&w, &h)) h = (struct envelope_head){0};
    }
    listing_put_head(b, l, m, SHOWN);
    buf_str(b, "}\n");
    event_begin(b, m, m->arrival_ms, "arrival");
    listing_put_text(b, "server", h.server);
    listing_put_text(b, "client", h.client_address);
    listing_put_text(b, "helo", h.helo);
    listing_put_text(b, "principal", h.principal);
    listing_put_text(b, "envid", h.envid);
    listing_put_key(b, "session");
    buf_byte(b, '"');
    buf_hex64(b, h.session); /* as in the log */
    buf_byte(b, '"');
    listing_put_key(b, "tls");
    buf_str(b, h.flags & ENVELOPE_TLS ? "true" : "false");
    listing_put_number(b, "segment", m->home);
    buf_str(b, "}\n");
    show_holds(l, m, b);
}

/* "mx.example.org[192.0.2.1]:25": the name, and the address with its family */
static void put_host(struct buf *b, struct span host)
{
    size_t open = span_rfind(host, '['), close = span_rfind(host, ']');
    if (open == SPAN_NPOS || close == SPAN_NPOS || close < open) {
        listing_put_text(b, "host", host);
        return;
    }
    struct span address = span_head(span_skip(host, open + 1), close - open - 1);
    listing_put_text(b, "host", span_head(host, open));
    listing_put_text(b, "address", address);
    listing_put_text(b, "family", span_find(address, ':') == SPAN_NPOS ? SPAN("ipv4") : SPAN("ipv6"));
    uint64_t port;
    if (close + 1 < host.n && span_u64(span_skip(host, close + 2), &port))
        listing_put_number(b, "port", port);
}

static void put_trace(struct buf *b, const struct attempt_trace *t)
{
    if (t->host.p && t->host.n) put_host(b, t->host); /* gcc with sanitizers does not see that n says it */
    if (t->tls.n) listing_put_text(b, "tls", t->tls);
    if (t->code) listing_put_number(b, "code", t->code);
    if (t->host.n == 0 && t->dns_ms == 0 && t->connect_ms == 0) return;
    listing_put_number(b, "dns_ms", t->dns_ms);
    listing_put_number(b, "connect_ms", t->connect_ms);
    listing_put_number(b, "session_ms", t->session_ms);
    listing_put_number(b, "transfer_ms", t->transfer_ms);
}

static void show_recipient(const struct listing *l, const struct message *m, uint32_t i, struct buf *b)
{
    static const char *const names[EVENT_KIND_COUNT] = {"attempt", "expanded", "delay-told", "operator"};
    uint8_t memory[LISTING_HISTORY_OCTETS];
    const struct recipient *r = &message_recipients(m)[i];
    struct wire w = wire_on(store_read_history(l->store, m, i, memory, sizeof memory));
    struct state_event e;
    while (state_event_read(&w, &e)) {
        event_begin(b, m, e.time_ms, names[e.kind]);
        listing_put_text(b, "to", message_path(m, r));
        listing_put_text(b, "state", span_str(recipient_state_name(e.state)));
        listing_put_text(b, "status", e.enhanced);
        listing_put_text(b, "text", e.text);
        put_trace(b, &e.trace);
        buf_str(b, "}\n");
    }
}

/* The cursor counts: 0 the head, then recipients from 1 on. */
enum answer_status listing_show(const struct listing *l, const struct question *q, struct buf *b,
                                uint64_t *cursor, bool *last)
{
    const struct message *m = store_find(l->store, q->filter.id);
    *last = true;
    if (!m) return ANSWER_UNKNOWN;
    if (*cursor == 0) {
        show_arrival(l, m, b);
        if (b->over) { /* its recipients are too long for one page: they follow by themselves */
            b->n = 0;
            b->over = false;
            listing_put_head(b, l, m, 0);
            buf_str(b, "}\n");
        }
        *cursor = 1;
    }
    while (*cursor <= m->n_recipients) {
        size_t mark = b->n;
        show_recipient(l, m, (uint32_t)*cursor - 1, b);
        if (b->over) {
            b->n = mark;
            b->over = false;
            *last = mark == 0; /* cannot be: a history is shorter than a page */
            return ANSWER_OK;
        }
        ++*cursor;
    }
    return ANSWER_OK;
}
