#include "system/dns_message.h"

enum { NAME_OCTETS_MAX = 253, LABEL_OCTETS_MAX = 63 }; /* RFC 1035 2.3.4, as text without the last dot */
enum { ANSWER_HEAD_OCTETS = 8 + 1 + 1 + 4 + 2 + 2 + 2 };

bool dns_name_valid(struct span name)
{
    size_t label = 0;
    if (name.n == 0 || name.n > NAME_OCTETS_MAX) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
        } else if ((octet_is_alnum(c) || c == '-' || c == '_') && label < LABEL_OCTETS_MAX) {
            label++;
        } else {
            return false;
        }
    }
    return label > 0;
}

static bool type_known(uint16_t type)
{
    switch (type) {
    case DNS_A:
    case DNS_PTR:
    case DNS_MX:
    case DNS_TXT:
    case DNS_AAAA:
    case DNS_TLSA: return true;
    default: return false;
    }
}

void dns_question_put(struct buf *b, const struct dns_question *q)
{
    wire_put_u64(b, q->tag);
    wire_put_u16(b, q->type);
    wire_put_span(b, q->name);
}

bool dns_question_read(struct span payload, struct dns_question *ret)
{
    struct wire w = wire_on(payload);
    struct dns_question q;
    q.tag = wire_u64(&w);
    q.type = wire_u16(&w);
    q.name = wire_span(&w, LIMIT_DOMAIN_OCTETS);
    if (!wire_done(&w) || !type_known(q.type) || !dns_name_valid(q.name)) return false;
    *ret = q;
    return true;
}

void dns_record_put(struct buf *b, const struct dns_record *r)
{
    wire_put_u16(b, r->preference);
    wire_put_span(b, r->data);
}

bool dns_record_read(struct wire *w, struct dns_record *ret)
{
    if (w->bad || w->rest.n == 0) return false;
    struct dns_record r;
    r.preference = wire_u16(w);
    r.data = wire_span(w, UINT16_MAX);
    if (w->bad) return false;
    *ret = r;
    return true;
}

void dns_answer_put(struct buf *b, const struct dns_answer *a)
{
    size_t head = ANSWER_HEAD_OCTETS + a->canonical.n + a->why.n;
    size_t room = head < LIMIT_IPC_MESSAGE_OCTETS ? LIMIT_IPC_MESSAGE_OCTETS - head : 0;
    struct wire w = wire_on(a->records);
    struct dns_record r;
    uint16_t count = 0;
    size_t octets = 0;
    while (count < a->count && count < LIMIT_DNS_RECORDS && dns_record_read(&w, &r)) {
        size_t upto = a->records.n - w.rest.n;
        if (upto > room) break;
        octets = upto;
        count++;
    }
    wire_put_u64(b, a->tag);
    wire_put_u8(b, a->status);
    wire_put_u8(b, a->secure);
    wire_put_u32(b, a->ttl);
    wire_put_span(b, a->canonical);
    wire_put_span(b, a->why);
    wire_put_u16(b, count);
    buf_put(b, span_head(a->records, octets));
}

/* What may stand together: reasons with failures only, records with success only, no trust in what failed. */
static bool answer_sound(const struct dns_answer *a, uint8_t secure)
{
    bool failed = a->status == DNS_FAILED || a->status == DNS_BOGUS;
    if (a->status >= DNS_STATUS_COUNT || secure > 1 || a->ttl > LIMIT_DNS_TTL_SECONDS) return false;
    if ((a->status == DNS_OK) != (a->count > 0) || a->count > LIMIT_DNS_RECORDS) return false;
    if (failed ? secure : a->why.n > 0) return false;
    if (a->canonical.n == 0 ? !failed : !dns_name_valid(a->canonical)) return false;
    return span_printable(a->why);
}

bool dns_answer_read(struct span payload, struct dns_answer *ret)
{
    struct wire w = wire_on(payload);
    struct dns_answer a;
    struct dns_record r;
    a.tag = wire_u64(&w);
    a.status = wire_u8(&w);
    uint8_t secure = wire_u8(&w);
    a.secure = secure == 1;
    a.ttl = wire_u32(&w);
    a.canonical = wire_span(&w, LIMIT_DOMAIN_OCTETS);
    a.why = wire_span(&w, LIMIT_RESULT_TEXT_OCTETS);
    a.count = wire_u16(&w);
    if (w.bad || !answer_sound(&a, secure)) return false;
    a.records = w.rest;
    for (unsigned i = 0; i < a.count; i++)
        if (!dns_record_read(&w, &r)) return false;
    if (!wire_done(&w)) return false;
    *ret = a;
    return true;
}
