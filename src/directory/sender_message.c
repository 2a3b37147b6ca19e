#include "directory/sender_message.h"

void sender_question_put(struct buf *b, const struct sender_question *m)
{
    wire_put_u64(b, m->session);
    wire_put_u32(b, m->slot);
    wire_put_u32(b, m->number);
    buf_put(b, span_of(m->stamp, sizeof m->stamp));
    wire_put_span(b, m->name);
    wire_put_span(b, m->path);
}

bool sender_question_read(struct span payload, struct sender_question *ret)
{
    struct wire w = wire_on(payload);
    ret->session = wire_u64(&w);
    ret->slot = wire_u32(&w);
    ret->number = wire_u32(&w);
    struct span stamp = wire_raw(&w, sizeof ret->stamp);
    if (stamp.n) memcpy(ret->stamp, stamp.p, stamp.n);
    ret->name = wire_span(&w, LIMIT_PRINCIPAL_NAME_OCTETS);
    ret->path = wire_span(&w, LIMIT_PATH_OCTETS);
    return wire_done(&w) && ret->name.n > 0;
}

void sender_answer_put(struct buf *b, const struct sender_answer *m)
{
    wire_put_u64(b, m->session);
    wire_put_u32(b, m->slot);
    wire_put_u8(b, m->verdict);
}

bool sender_answer_read(struct span payload, struct sender_answer *ret)
{
    struct wire w = wire_on(payload);
    ret->session = wire_u64(&w);
    ret->slot = wire_u32(&w);
    ret->verdict = wire_u8(&w);
    return wire_done(&w) && ret->verdict < SENDER_VERDICT_COUNT;
}
