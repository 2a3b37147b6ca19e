#include "spool/question.h"

void question_put(struct buf *b, const struct question *m)
{
    wire_put_u64(b, m->tag);
    wire_put_u64(b, m->cursor);
    wire_put_u64(b, m->id);
    wire_put_u32(b, m->page);
    wire_put_u8(b, m->kind);
    wire_put_u8(b, m->states);
    wire_put_span(b, m->from);
    wire_put_span(b, m->to);
}

bool question_read(struct span payload, struct question *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct question){0};
    ret->tag = wire_u64(&w);
    ret->cursor = wire_u64(&w);
    ret->id = wire_u64(&w);
    ret->page = wire_u32(&w);
    ret->kind = wire_u8(&w);
    ret->states = wire_u8(&w);
    ret->from = wire_span(&w, LIMIT_QUESTION_FILTER_OCTETS);
    ret->to = wire_span(&w, LIMIT_QUESTION_FILTER_OCTETS);
    if (!wire_done(&w) || ret->kind >= QUESTION_KIND_COUNT) return false;
    if (ret->states & ~(QUESTION_QUEUED | QUESTION_DEFERRED | QUESTION_HELD)) return false;
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
