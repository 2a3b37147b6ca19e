#include "spool/question.h"

static void filter_put(struct buf *b, const struct question_filter *f)
{
    wire_put_u64(b, f->id);
    wire_put_u8(b, f->states);
    wire_put_span(b, f->from);
    wire_put_span(b, f->to);
    wire_put_span(b, f->domain);
    wire_put_span(b, f->reason);
    wire_put_span(b, f->destination);
    wire_put_u64(b, f->larger);
    wire_put_u64(b, f->smaller);
    wire_put_u64(b, f->older_ms);
    wire_put_u64(b, f->newer_ms);
}

static void filter_read(struct wire *w, struct question_filter *f)
{
    f->id = wire_u64(w);
    f->states = wire_u8(w);
    f->from = wire_span(w, LIMIT_QUESTION_FILTER_OCTETS);
    f->to = wire_span(w, LIMIT_QUESTION_FILTER_OCTETS);
    f->domain = wire_span(w, LIMIT_QUESTION_FILTER_OCTETS);
    f->reason = wire_span(w, LIMIT_QUESTION_FILTER_OCTETS);
    f->destination = wire_span(w, LIMIT_QUESTION_FILTER_OCTETS);
    f->larger = wire_u64(w);
    f->smaller = wire_u64(w);
    f->older_ms = wire_u64(w);
    f->newer_ms = wire_u64(w);
    if (f->states & ~(QUESTION_QUEUED | QUESTION_DEFERRED | QUESTION_HELD)) w->bad = true;
}

void question_put(struct buf *b, const struct question *m)
{
    wire_put_u64(b, m->tag);
    wire_put_u64(b, m->cursor);
    wire_put_u32(b, m->page);
    wire_put_u32(b, m->uid);
    wire_put_u8(b, m->kind);
    wire_put_u8(b, m->what);
    filter_put(b, &m->filter);
    wire_put_span(b, m->hop);
}

bool question_read(struct span payload, struct question *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct question){0};
    ret->tag = wire_u64(&w);
    ret->cursor = wire_u64(&w);
    ret->page = wire_u32(&w);
    ret->uid = wire_u32(&w);
    ret->kind = wire_u8(&w);
    ret->what = wire_u8(&w);
    filter_read(&w, &ret->filter);
    ret->hop = wire_span(&w, NEXT_HOP_KEY_OCTETS);
    if (!wire_done(&w) || ret->kind >= QUESTION_KIND_COUNT) return false;
    unsigned most = ret->kind == QUESTION_CHANGE    ? QUESTION_CHANGE_COUNT
                    : ret->kind == QUESTION_SUMMARY ? QUESTION_GROUP_COUNT
                                                    : 1;
    if (ret->what >= most || (ret->hop.n && ret->kind != QUESTION_DESTINATIONS)) return false;
    return ret->kind != QUESTION_LIST || (ret->page >= 1 && ret->page <= LIMIT_QUESTION_PAGE_LINES);
}

void answer_put(struct buf *b, const struct answer *m)
{
    wire_put_u64(b, m->tag);
    wire_put_u64(b, m->cursor);
    wire_put_u8(b, m->status);
    wire_put_u8(b, m->last);
    wire_put_span(b, m->text);
}

bool answer_read(struct span payload, struct answer *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct answer){0};
    ret->tag = wire_u64(&w);
    ret->cursor = wire_u64(&w);
    ret->status = wire_u8(&w);
    ret->last = wire_u8(&w);
    ret->text = wire_span(&w, LIMIT_IPC_MESSAGE_OCTETS);
    return wire_done(&w) && ret->status < ANSWER_STATUS_COUNT && ret->last <= 1;
}
