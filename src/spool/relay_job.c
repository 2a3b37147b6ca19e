#include "spool/relay_job.h"

#include "smtp/params.h"
#include "spool/envelope.h"

#define NOTIFY_ALL (DSN_NOTIFY_NEVER | DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY)
#define FLAGS_ALL  (ENVELOPE_DSN * 2 - 1)

void relay_head_put(struct buf *b, const struct relay_head *m)
{
    wire_put_u64(b, m->job);
    wire_put_u64(b, m->id);
    wire_put_u64(b, m->content_octets);
    wire_put_u32(b, m->flags);
    wire_put_u32(b, m->recipients);
    next_hop_put(b, &m->hop);
    wire_put_span(b, m->reverse_path);
    wire_put_span(b, m->envid);
}

bool relay_head_read(struct span payload, struct relay_head *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct relay_head){0};
    ret->job = wire_u64(&w);
    ret->id = wire_u64(&w);
    ret->content_octets = wire_u64(&w);
    ret->flags = wire_u32(&w);
    ret->recipients = wire_u32(&w);
    if (!next_hop_read(&w, &ret->hop)) return false;
    ret->reverse_path = wire_span(&w, LIMIT_PATH_OCTETS);
    ret->envid = wire_span(&w, LIMIT_ENVID_OCTETS);
    return wire_done(&w) && ret->recipients > 0 && ret->recipients <= LIMIT_RELAY_RECIPIENTS &&
           ret->content_octets <= LIMIT_MESSAGE_OCTETS_MAX && !(ret->flags & ~(uint32_t)FLAGS_ALL) &&
           span_no_controls(ret->reverse_path) && span_printable(ret->envid);
}

void relay_recipient_put(struct buf *b, const struct relay_recipient *m)
{
    wire_put_u64(b, m->job);
    wire_put_u32(b, m->recipient);
    wire_put_u8(b, m->notify);
    wire_put_span(b, m->path);
    wire_put_span(b, m->orcpt);
}

bool relay_recipient_read(struct span payload, struct relay_recipient *ret)
{
    struct wire w = wire_on(payload);
    ret->job = wire_u64(&w);
    ret->recipient = wire_u32(&w);
    ret->notify = wire_u8(&w);
    ret->path = wire_span(&w, LIMIT_PATH_OCTETS);
    ret->orcpt = wire_span(&w, LIMIT_ORCPT_OCTETS);
    return wire_done(&w) && !(ret->notify & ~NOTIFY_ALL) && ret->path.n > 0 && span_no_controls(ret->path) &&
           span_no_controls(ret->orcpt);
}

void relay_extents_put(struct buf *b, const struct relay_extents *m)
{
    if (m->count > RELAY_EXTENTS) {
        b->over = true;
        return;
    }
    wire_put_u64(b, m->job);
    wire_put_u8(b, m->last);
    wire_put_u32(b, m->count);
    for (uint32_t i = 0; i < m->count; i++)
        extent_put(b, &m->extents[i]);
}

bool relay_extents_read(struct span payload, struct relay_extents *ret)
{
    struct wire w = wire_on(payload);
    ret->job = wire_u64(&w);
    ret->last = wire_u8(&w);
    ret->count = wire_u32(&w);
    if (ret->last > 1 || ret->count > RELAY_EXTENTS) return false;
    for (uint32_t i = 0; i < ret->count; i++)
        ret->extents[i] = extent_read(&w);
    return wire_done(&w);
}

static void put_printable(struct buf *b, struct span s, size_t max)
{
    size_t n = s.n < max ? s.n : max;
    wire_put_u16(b, (uint16_t)n);
    for (size_t i = 0; i < n; i++)
        buf_byte(b, s.p[i] < ' ' || s.p[i] > '~' ? '?' : s.p[i]);
}

void relay_result_put(struct buf *b, const struct relay_result *m)
{
    wire_put_u64(b, m->job);
    wire_put_u32(b, m->recipient);
    wire_put_u8(b, m->scope);
    wire_put_u8(b, m->status);
    wire_put_u8(b, m->last);
    wire_put_u8(b, m->relayed_dsn);
    wire_put_u16(b, m->code);
    wire_put_span(b, span_of(m->enhanced, strnlen(m->enhanced, sizeof m->enhanced - 1)));
    put_printable(b, m->text, LIMIT_RESULT_TEXT_OCTETS);
    put_printable(b, m->host, LIMIT_RELAY_HOST_OCTETS);
    put_printable(b, m->tls, LIMIT_RELAY_TLS_OCTETS);
    wire_put_u32(b, m->dns_ms);
    wire_put_u32(b, m->connect_ms);
    wire_put_u32(b, m->session_ms);
    wire_put_u32(b, m->transfer_ms);
}

bool relay_result_read(struct span payload, struct relay_result *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct relay_result){0};
    ret->job = wire_u64(&w);
    ret->recipient = wire_u32(&w);
    ret->scope = wire_u8(&w);
    ret->status = wire_u8(&w);
    ret->last = wire_u8(&w);
    ret->relayed_dsn = wire_u8(&w);
    ret->code = wire_u16(&w);
    struct span enhanced = wire_span(&w, sizeof ret->enhanced - 1);
    ret->text = wire_span(&w, LIMIT_RESULT_TEXT_OCTETS);
    ret->host = wire_span(&w, LIMIT_RELAY_HOST_OCTETS);
    ret->tls = wire_span(&w, LIMIT_RELAY_TLS_OCTETS);
    ret->dns_ms = wire_u32(&w);
    ret->connect_ms = wire_u32(&w);
    ret->session_ms = wire_u32(&w);
    ret->transfer_ms = wire_u32(&w);
    if (!wire_done(&w) || ret->scope >= RELAY_SCOPE_COUNT || ret->status >= JOB_STATUS_COUNT ||
        ret->last > 1 || ret->relayed_dsn > 1 || ret->code > 999)
        return false;
    if (!span_printable(enhanced) || !span_printable(ret->text) || !span_printable(ret->host) ||
        !span_printable(ret->tls))
        return false;
    if (enhanced.n) memcpy(ret->enhanced, enhanced.p, enhanced.n);
    return true;
}
