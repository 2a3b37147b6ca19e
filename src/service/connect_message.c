#include "service/connect_message.h"

enum { TLSA_OCTETS_MIN = 4 }; /* usage, selector, matching type, and something to match */

static void address_write(struct buf *b, const struct address *a)
{
    buf_put(b, span_of(a->octets, sizeof a->octets));
}

static struct address address_read(struct wire *w)
{
    struct address a = {{0}};
    struct span s = wire_raw(w, sizeof a.octets);
    if (s.n) memcpy(a.octets, s.p, s.n);
    return a;
}

void connect_question_put(struct buf *b, const struct connect_question *q)
{
    wire_put_u64(b, q->tag);
    next_hop_put(b, &q->hop);
    wire_put_u32(b, q->n_tried);
    for (uint32_t i = 0; i < q->n_tried; i++) {
        address_write(b, &q->tried[i].address);
        wire_put_u16(b, q->tried[i].port);
    }
}

bool connect_question_read(struct span payload, struct connect_question *ret)
{
    struct wire w = wire_on(payload);
    struct connect_question q = {.tag = wire_u64(&w)};
    if (!next_hop_read(&w, &q.hop)) return false;
    q.n_tried = wire_u32(&w);
    if (w.bad || q.n_tried > CONNECT_TRIED) return false;
    for (uint32_t i = 0; i < q.n_tried; i++) {
        q.tried[i].address = address_read(&w);
        q.tried[i].port = wire_u16(&w);
    }
    if (!wire_done(&w)) return false;
    *ret = q;
    return true;
}

void connect_service_question_put(struct buf *b, const struct connect_service_question *q)
{
    wire_put_u64(b, q->tag);
    wire_put_u8(b, q->service);
}

bool connect_service_question_read(struct span payload, struct connect_service_question *ret)
{
    struct wire w = wire_on(payload);
    struct connect_service_question q = {.tag = wire_u64(&w)};
    q.service = wire_u8(&w);
    if (!wire_done(&w) || q.service >= CONNECT_SERVICE_COUNT) return false;
    *ret = q;
    return true;
}

void connect_answer_put(struct buf *b, const struct connect_answer *a)
{
    wire_put_u64(b, a->tag);
    wire_put_u8(b, a->status);
    wire_put_u8(b, a->dane);
    wire_put_u8(b, a->dns_secure);
    buf_put(b, span_of(a->enhanced, sizeof a->enhanced));
    wire_put_span(b, a->text);
    wire_put_span(b, a->host);
    wire_put_span(b, a->also);
    address_write(b, &a->address);
    wire_put_u16(b, a->port);
    wire_put_u32(b, a->dns_ms);
    wire_put_u32(b, a->connect_ms);
    wire_put_u32(b, a->n_tlsa);
    for (uint32_t i = 0; i < a->n_tlsa; i++)
        wire_put_span(b, a->tlsa[i]);
}

/* Names of hosts and address literals: what goes into SNI, comparisons and logs. */
static bool host_plain(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!octet_is_alnum(s.p[i]) && !memchr(".-_:[]", s.p[i], 6)) return false;
    return true;
}

/* "4.4.1", the class as the status says; NUL to the end. OPEN: nothing. */
static bool enhanced_sound(const char *text, size_t octets, uint8_t status)
{
    size_t n = strnlen(text, octets), dots = 0;
    for (size_t i = n; i < octets; i++)
        if (text[i]) return false;
    if (status == CONNECT_OPEN) return n == 0;
    for (size_t i = 0; i < n; i++) {
        dots += text[i] == '.';
        if (text[i] != '.' && !octet_is_digit((uint8_t)text[i])) return false;
    }
    return n < octets && n >= 5 && dots == 2 && text[0] == (status == CONNECT_DEFER ? '4' : '5') &&
           text[1] == '.';
}

static bool answer_sound(const struct connect_answer *a, uint8_t secure)
{
    bool open = a->status == CONNECT_OPEN;
    if (a->status >= CONNECT_STATUS_COUNT || a->dane >= CONNECT_TLSA_COUNT || secure > 1) return false;
    if (!enhanced_sound(a->enhanced, sizeof a->enhanced, a->status)) return false;
    if (open ? a->text.n > 0
             : a->text.n == 0 || (a->status == CONNECT_FAIL && a->host.n > 0) || a->also.n > 0)
        return false;
    if ((a->dane == CONNECT_TLSA_RECORDS) != (a->n_tlsa > 0)) return false;
    return span_printable(a->text) && host_plain(a->host) && host_plain(a->also);
}

bool connect_answer_read(struct span payload, struct connect_answer *ret)
{
    struct wire w = wire_on(payload);
    struct connect_answer a = {.tag = wire_u64(&w), .status = wire_u8(&w), .dane = wire_u8(&w)};
    uint8_t secure = wire_u8(&w);
    a.dns_secure = secure == 1;
    struct span enhanced = wire_raw(&w, sizeof a.enhanced);
    if (enhanced.n) memcpy(a.enhanced, enhanced.p, enhanced.n);
    a.text = wire_span(&w, LIMIT_RESULT_TEXT_OCTETS);
    a.host = wire_span(&w, LIMIT_DOMAIN_OCTETS);
    a.also = wire_span(&w, LIMIT_DOMAIN_OCTETS);
    a.address = address_read(&w);
    a.port = wire_u16(&w);
    a.dns_ms = wire_u32(&w);
    a.connect_ms = wire_u32(&w);
    a.n_tlsa = wire_u32(&w);
    if (w.bad || a.n_tlsa > CONNECT_TLSA || !answer_sound(&a, secure)) return false;
    for (uint32_t i = 0; i < a.n_tlsa; i++) {
        a.tlsa[i] = wire_span(&w, CONNECT_TLSA_OCTETS);
        if (a.tlsa[i].n < TLSA_OCTETS_MIN) return false;
    }
    if (!wire_done(&w)) return false;
    *ret = a;
    return true;
}
