#include "spool/job.h"

void extent_put(struct buf *b, const struct extent *e)
{
    wire_put_u32(b, e->segment);
    wire_put_u32(b, e->length);
    wire_put_u64(b, e->offset);
    wire_put_u32(b, e->crc);
}

struct extent extent_read(struct wire *w)
{
    struct extent e = {0};
    e.segment = wire_u32(w);
    e.length = wire_u32(w);
    e.offset = wire_u64(w);
    e.crc = wire_u32(w);
    return e;
}

void job_segment_put(struct buf *b, const struct job_segment *m)
{
    wire_put_u32(b, m->segment);
}

bool job_segment_read(struct span payload, struct job_segment *ret)
{
    struct wire w = wire_on(payload);
    ret->segment = wire_u32(&w);
    return wire_done(&w);
}

void job_deliver_put(struct buf *b, const struct job_deliver *m)
{
    if (m->count > JOB_EXTENTS) {
        b->over = true;
        return;
    }
    wire_put_u64(b, m->id);
    wire_put_u32(b, m->recipient);
    wire_put_u8(b, m->last);
    wire_put_span(b, m->domain);
    wire_put_span(b, m->local);
    wire_put_span(b, m->delivered_to);
    wire_put_span(b, m->reverse_path);
    wire_put_u32(b, m->count);
    for (uint32_t i = 0; i < m->count; i++)
        extent_put(b, &m->extents[i]);
}

bool job_deliver_read(struct span payload, struct job_deliver *ret)
{
    struct wire w = wire_on(payload);
    ret->id = wire_u64(&w);
    ret->recipient = wire_u32(&w);
    ret->last = wire_u8(&w);
    ret->domain = wire_span(&w, LIMIT_DOMAIN_OCTETS);
    ret->local = wire_span(&w, LIMIT_PATH_OCTETS);
    ret->delivered_to = wire_span(&w, LIMIT_PATH_OCTETS);
    ret->reverse_path = wire_span(&w, LIMIT_PATH_OCTETS);
    ret->count = wire_u32(&w);
    if (ret->last > 1 || ret->count > JOB_EXTENTS) return false;
    for (uint32_t i = 0; i < ret->count; i++)
        ret->extents[i] = extent_read(&w);
    return wire_done(&w);
}

void job_result_put(struct buf *b, const struct job_result *m)
{
    wire_put_u64(b, m->id);
    wire_put_u32(b, m->recipient);
    wire_put_u8(b, m->status);
    wire_put_span(b, span_of(m->enhanced, strnlen(m->enhanced, sizeof m->enhanced - 1)));
    wire_put_span(b, m->text);
}

bool job_result_read(struct span payload, struct job_result *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct job_result){0};
    ret->id = wire_u64(&w);
    ret->recipient = wire_u32(&w);
    ret->status = wire_u8(&w);
    struct span enhanced = wire_span(&w, sizeof ret->enhanced - 1);
    ret->text = wire_span(&w, LIMIT_RESULT_TEXT_OCTETS);
    if (!wire_done(&w) || ret->status >= JOB_STATUS_COUNT || !span_printable(enhanced) ||
        !span_printable(ret->text))
        return false;
    if (enhanced.n) memcpy(ret->enhanced, enhanced.p, enhanced.n);
    return true;
}
