#include "directory/expand.h"

void expand_question_put(struct buf *b, const struct expand_question *m)
{
    wire_put_u64(b, m->id);
    wire_put_u32(b, m->recipient);
    wire_put_span(b, m->path);
}

bool expand_question_read(struct span payload, struct expand_question *ret)
{
    struct wire w = wire_on(payload);
    struct expand_question m = {.id = wire_u64(&w), 0, {NULL, 0}};
    m.recipient = wire_u32(&w);
    m.path = wire_span(&w, EXPAND_PATH_OCTETS);
    if (!wire_done(&w) || m.path.n == 0) return false;
    *ret = m;
    return true;
}

void expand_target_put(struct buf *b, const struct expand_target *t)
{
    wire_put_u8(b, t->kind);
    wire_put_span(b, t->path);
}

/* A path goes into envelopes and header fields: no control character in it, and a mailbox needs its domain. */
static bool path_plausible(struct span path)
{
    return path.n > 0 && span_rfind(path, '@') != SPAN_NPOS && span_no_controls(path);
}

bool expand_target_read(struct wire *w, struct expand_target *ret)
{
    struct expand_target t;
    if (w->bad || w->rest.n == 0) return false;
    t.kind = wire_u8(w);
    t.path = wire_span(w, EXPAND_PATH_OCTETS);
    if (w->bad || t.kind >= EXPAND_KIND_COUNT || !path_plausible(t.path)) {
        w->bad = true;
        return false;
    }
    *ret = t;
    return true;
}

void expand_answer_put(struct buf *b, const struct expand_answer *m)
{
    wire_put_u64(b, m->id);
    wire_put_u32(b, m->recipient);
    wire_put_u8(b, m->status);
    wire_put_u8(b, m->last);
    wire_put_u16(b, m->count);
    wire_put_span(b, m->owner);
    buf_put(b, m->targets);
}

bool expand_answer_read(struct span payload, struct expand_answer *ret)
{
    struct wire w = wire_on(payload);
    struct expand_answer m = {.id = wire_u64(&w)};
    m.recipient = wire_u32(&w);
    m.status = wire_u8(&w);
    m.last = wire_u8(&w);
    m.count = wire_u16(&w);
    m.owner = wire_span(&w, EXPAND_PATH_OCTETS);
    m.targets = w.rest;
    if (w.bad || (m.owner.n && !path_plausible(m.owner)) || m.status >= EXPAND_STATUS_COUNT || m.last > 1)
        return false;
    struct expand_target t;
    size_t n = 0;
    while (expand_target_read(&w, &t))
        n++;
    /* only an answer that is no refusal has targets; a last part may be empty */
    if (!wire_done(&w) || n != m.count || (m.status != EXPAND_OK && (n || !m.last))) return false;
    *ret = m;
    return true;
}
