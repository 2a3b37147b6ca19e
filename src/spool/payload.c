#include "spool/payload.h"

const char *recipient_state_name(uint8_t state)
{
    static const char *const names[RECIPIENT_STATE_COUNT] = {
        "void", "queued", "deferred", "delivered", "bounced", "expired", "expanded", "removed", "discarded"};
    return state < RECIPIENT_STATE_COUNT ? names[state] : "void";
}

void commit_payload_put(struct buf *b, const struct commit_payload *c, const struct extent *extents)
{
    wire_put_u64(b, c->content_octets);
    wire_put_u64(b, c->arrival_ms);
    wire_put_u32(b, c->envelope_offset);
    wire_put_u32(b, c->envelope_length);
    wire_put_u32(b, c->count);
    for (uint32_t i = 0; i < c->count; i++)
        extent_put(b, &extents[i]);
}

bool commit_payload_read(struct span payload, struct commit_payload *ret)
{
    struct wire w = wire_on(payload);
    ret->content_octets = wire_u64(&w);
    ret->arrival_ms = wire_u64(&w);
    ret->envelope_offset = wire_u32(&w);
    ret->envelope_length = wire_u32(&w);
    ret->count = wire_u32(&w);
    if (w.bad || ret->count > LIMIT_MESSAGE_EXTENTS || w.rest.n != (size_t)ret->count * EXTENT_OCTETS)
        return false;
    ret->extents = w.rest;
    uint64_t octets = 0;
    for (uint32_t i = 0; i < ret->count; i++)
        octets += extent_read(&w).length;
    return wire_done(&w) && octets == ret->content_octets && ret->envelope_length <= LIMIT_ENVELOPE_OCTETS;
}

#define TRACED 0x80U /* with the kind: a trace follows */

static bool traced(const struct attempt_trace *t)
{
    return t->host.n || t->tls.n || t->code || t->dns_ms || t->connect_ms || t->session_ms || t->transfer_ms;
}

static void trace_put(struct buf *b, const struct attempt_trace *t)
{
    wire_put_span(b, span_head(t->host, LIMIT_RESULT_HOST_OCTETS));
    wire_put_span(b, span_head(t->tls, LIMIT_RESULT_TLS_OCTETS));
    wire_put_u16(b, t->code);
    wire_put_u32(b, t->dns_ms);
    wire_put_u32(b, t->connect_ms);
    wire_put_u32(b, t->session_ms);
    wire_put_u32(b, t->transfer_ms);
}

static void trace_read(struct wire *w, struct attempt_trace *t)
{
    t->host = wire_span(w, LIMIT_RESULT_HOST_OCTETS);
    t->tls = wire_span(w, LIMIT_RESULT_TLS_OCTETS);
    t->code = wire_u16(w);
    t->dns_ms = wire_u32(w);
    t->connect_ms = wire_u32(w);
    t->session_ms = wire_u32(w);
    t->transfer_ms = wire_u32(w);
}

static void event_put(struct buf *b, const struct state_event *e)
{
    bool with_trace = traced(&e->trace);
    wire_put_u64(b, e->time_ms);
    wire_put_u8(b, (uint8_t)(e->kind | (with_trace ? TRACED : 0)));
    wire_put_u8(b, e->state);
    wire_put_span(b, span_head(e->enhanced, 11));
    wire_put_span(b, span_head(e->text, LIMIT_RESULT_TEXT_OCTETS));
    if (with_trace) trace_put(b, &e->trace);
}

bool state_event_read(struct wire *w, struct state_event *ret)
{
    if (w->bad || w->rest.n == 0) return false;
    *ret = (struct state_event){.time_ms = wire_u64(w)};
    uint8_t kind = wire_u8(w);
    ret->kind = kind & (uint8_t)~TRACED;
    ret->state = wire_u8(w);
    ret->enhanced = wire_span(w, 11);
    ret->text = wire_span(w, LIMIT_RESULT_TEXT_OCTETS);
    if (kind & TRACED) trace_read(w, &ret->trace);
    if (ret->state >= RECIPIENT_STATE_COUNT || ret->kind >= EVENT_KIND_COUNT) w->bad = true;
    return !w->bad;
}

void state_payload_history(struct buf *b, struct span history, const struct state_event *event)
{
    uint8_t memory[LIMIT_STATE_EVENT_OCTETS];
    struct buf fresh = buf_on(memory, sizeof memory);
    struct wire w = wire_on(history);
    struct state_event e;
    struct span first = {0};
    event_put(&fresh, event);
    if (state_event_read(&w, &e)) first = span_head(history, history.n - w.rest.n);
    struct span rest = w.bad ? (struct span){0} : w.rest;
    while (first.n + rest.n + fresh.n > LIMIT_STATE_HISTORY_OCTETS && rest.n) {
        struct wire skip = wire_on(rest);
        if (!state_event_read(&skip, &e)) break;
        rest = skip.rest;
    }
    buf_put(b, first);
    buf_put(b, rest);
    buf_put(b, buf_span(&fresh));
}

size_t state_payload_octets(const struct state_payload *s)
{
    return 22 + s->history.n + (s->state == RECIPIENT_EXPANDED ? 10 + s->owner.n + s->derived.n : 0);
}

void state_payload_put(struct buf *b, const struct state_payload *s)
{
    wire_put_u32(b, s->home);
    wire_put_u32(b, s->recipient);
    wire_put_u8(b, s->state);
    wire_put_u8(b, s->marks);
    wire_put_u16(b, s->attempts);
    wire_put_u64(b, s->next_ms);
    wire_put_span(b, s->history);
    if (s->state != RECIPIENT_EXPANDED) return;
    wire_put_u32(b, s->first);
    wire_put_u32(b, s->count);
    wire_put_span(b, s->owner);
    buf_put(b, s->derived);
}

bool state_payload_read(struct span payload, struct state_payload *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct state_payload){0};
    ret->home = wire_u32(&w);
    ret->recipient = wire_u32(&w);
    ret->state = wire_u8(&w);
    ret->marks = wire_u8(&w);
    ret->attempts = wire_u16(&w);
    ret->next_ms = wire_u64(&w);
    ret->history = wire_span(&w, LIMIT_STATE_HISTORY_OCTETS);
    if (w.bad || ret->state == RECIPIENT_VOID || ret->state >= RECIPIENT_STATE_COUNT) return false;
    if (ret->recipient >= LIMIT_MESSAGE_RECIPIENTS || ret->marks & ~STATE_MARKS) return false;
    if (ret->state != RECIPIENT_EXPANDED) return wire_done(&w);
    ret->first = wire_u32(&w);
    ret->count = wire_u32(&w);
    ret->owner = wire_span(&w, LIMIT_PATH_OCTETS);
    ret->derived = w.rest;
    if (w.bad || ret->count > LIMIT_ALIAS_EXPANSION || ret->first > LIMIT_MESSAGE_RECIPIENTS - ret->count)
        return false;
    struct derived d;
    uint32_t count = 0;
    while (derived_read(&w, &d))
        count++;
    return wire_done(&w) && count == ret->count;
}

void derived_put(struct buf *b, const struct derived *d)
{
    wire_put_u8(b, d->kind);
    wire_put_span(b, d->path);
}

bool derived_read(struct wire *w, struct derived *ret)
{
    if (w->bad || w->rest.n == 0) return false;
    ret->kind = wire_u8(w);
    ret->path = wire_span(w, LIMIT_PATH_OCTETS);
    if (ret->kind >= DERIVED_KIND_COUNT || ret->path.n == 0) w->bad = true;
    return !w->bad;
}

void hold_payload_add(struct hold_payload *h, const struct hold_event *event)
{
    if (h->count == LIMIT_HOLD_EVENTS) memmove(h->events, h->events + 1, --h->count * sizeof h->events[0]);
    h->events[h->count++] = *event;
}

void hold_payload_put(struct buf *b, const struct hold_payload *h)
{
    wire_put_u32(b, h->home);
    for (uint32_t i = 0; i < h->count; i++) {
        wire_put_u64(b, h->events[i].time_ms);
        wire_put_u32(b, h->events[i].uid);
        wire_put_u8(b, h->events[i].held);
    }
}

bool hold_payload_read(struct span payload, struct hold_payload *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct hold_payload){.home = wire_u32(&w)};
    while (!w.bad && w.rest.n && ret->count < LIMIT_HOLD_EVENTS) {
        struct hold_event *e = &ret->events[ret->count++];
        e->time_ms = wire_u64(&w);
        e->uid = wire_u32(&w);
        e->held = wire_u8(&w);
        if (e->held > 1) w.bad = true;
    }
    return wire_done(&w) && ret->count > 0;
}

void tombstone_put(struct buf *b, const struct tombstone *t)
{
    wire_put_u64(b, t->id);
    wire_put_u32(b, t->home);
}

bool tombstone_read(struct wire *w, struct tombstone *ret)
{
    if (w->bad || w->rest.n == 0) return false;
    ret->id = wire_u64(w);
    ret->home = wire_u32(w);
    return !w->bad;
}

void segment_payload_begin(struct buf *b, enum segment_kind kind, uint64_t salt, uint32_t rows)
{
    wire_put_u8(b, (uint8_t)kind);
    wire_put_u64(b, salt);
    wire_put_u32(b, rows);
}

void segment_payload_row(struct buf *b, struct segment_end row)
{
    wire_put_u32(b, row.number);
    wire_put_u32(b, row.end);
}

bool segment_payload_read(struct wire *w, enum segment_kind *kind, uint64_t *salt, uint32_t *rows)
{
    uint8_t k = wire_u8(w);
    *salt = wire_u64(w);
    *rows = wire_u32(w);
    if (w->bad || k >= SEGMENT_KIND_COUNT || *rows > LIMIT_SEGMENTS || w->rest.n != (size_t)*rows * 8)
        return false;
    *kind = (enum segment_kind)k;
    return true;
}

struct segment_end segment_row_read(struct wire *w)
{
    struct segment_end row = {0};
    row.number = wire_u32(w);
    row.end = wire_u32(w);
    return row;
}
