#include "spool/envelope.h"

#define ALL_FLAGS 255U

static struct span clean_span(struct wire *w, size_t max)
{
    struct span s = wire_span(w, max);
    if (!span_no_controls(s)) w->bad = true;
    return s;
}

void envelope_put_head(struct buf *b, const struct envelope_head *h)
{
    wire_put_u8(b, ENVELOPE_VERSION);
    wire_put_u32(b, h->flags);
    wire_put_u64(b, h->arrival_ms);
    wire_put_u64(b, h->session);
    wire_put_span(b, h->server);
    wire_put_span(b, h->client_address);
    wire_put_span(b, h->helo);
    wire_put_span(b, h->principal);
    wire_put_span(b, h->reverse_path);
    wire_put_span(b, h->envid);
}

void envelope_change_flags(uint8_t *p, size_t n, uint32_t clear, uint32_t set)
{
    uint32_t now;
    if (n < 1 + sizeof now) return;
    memcpy(&now, p + 1, sizeof now); /* behind the version */
    now = (now & ~clear) | set;
    memcpy(p + 1, &now, sizeof now);
}

void envelope_put_recipient(struct buf *b, const struct envelope_recipient *r)
{
    wire_put_u8(b, r->notify);
    wire_put_u8(b, r->local);
    wire_put_span(b, r->path);
    wire_put_span(b, r->orcpt);
}

bool envelope_read_head(struct wire *w, struct envelope_head *ret)
{
    *ret = (struct envelope_head){0};
    if (wire_u8(w) != ENVELOPE_VERSION) w->bad = true;
    ret->flags = wire_u32(w);
    ret->arrival_ms = wire_u64(w);
    ret->session = wire_u64(w);
    ret->server = clean_span(w, LIMIT_DOMAIN_OCTETS);
    ret->client_address = clean_span(w, 64);
    ret->helo = clean_span(w, LIMIT_COMMAND_LINE_OCTETS);
    ret->principal = clean_span(w, LIMIT_PATH_OCTETS);
    ret->reverse_path = clean_span(w, LIMIT_PATH_OCTETS);
    ret->envid = clean_span(w, LIMIT_ENVID_OCTETS);
    for (size_t i = 0; i < ret->envid.n;
         i++) /* xtext (RFC 3461 4); a relay refuses a job with anything else */
        if (ret->envid.p[i] > 126) w->bad = true;
    if (ret->flags & ~ALL_FLAGS) w->bad = true;
    return !w->bad;
}

bool envelope_read_recipient(struct wire *w, struct envelope_recipient *ret)
{
    *ret = (struct envelope_recipient){0};
    if (w->bad || w->rest.n == 0) return false;
    ret->notify = wire_u8(w);
    ret->local = wire_u8(w);
    ret->path = clean_span(w, LIMIT_PATH_OCTETS);
    ret->orcpt = clean_span(w, LIMIT_ORCPT_OCTETS);
    if (ret->notify > 15 || ret->local > 1 || ret->path.n == 0) w->bad = true;
    return !w->bad;
}

bool envelope_valid(struct span encoded, uint32_t max_recipients, uint32_t *count)
{
    struct wire w = wire_on(encoded);
    struct envelope_head head;
    struct envelope_recipient recipient;
    *count = 0;
    if (encoded.n > LIMIT_ENVELOPE_OCTETS || !envelope_read_head(&w, &head)) return false;
    while (envelope_read_recipient(&w, &recipient))
        if (++*count > max_recipients) return false;
    return wire_done(&w) && *count > 0;
}
