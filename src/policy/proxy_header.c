#include "policy/proxy_header.h"

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
#define V1_OCTETS_MAX  107
#define V2_HEAD_OCTETS 16

/* The next word of a version 1 line; words are separated by exactly one SP. */
static struct span word(struct span *line)
{
    size_t sp = span_find(*line, ' ');
    struct span w = span_head(*line, sp == SPAN_NPOS ? line->n : sp);
    *line = span_skip(*line, sp == SPAN_NPOS ? line->n : sp + 1);
    return w;
}

static bool port_of(struct span w, uint16_t *ret)
{
    uint64_t v;
    if (w.n > 5 || (w.n > 1 && w.p[0] == '0') || !span_u64(w, &v) || v > UINT16_MAX) return false;
    *ret = (uint16_t)v;
    return true;
}

static enum proxy_status parse_v1(struct span in, struct proxy_header *ret, size_t *octets)
{
    struct span head = span_head(in, V1_OCTETS_MAX);
    size_t lf = span_find(head, '\n');
    if (lf == SPAN_NPOS) return head.n < V1_OCTETS_MAX ? PROXY_MORE : PROXY_BAD;
    if (lf == 0 || head.p[lf - 1] != '\r') return PROXY_BAD;
    struct span line = span_head(head, lf - 1);
    *octets = lf + 1;
    (void)word(&line); /* PROXY */
    struct span family = word(&line);
    if (span_eq(family, SPAN("UNKNOWN"))) { /* the rest of the line is to be ignored */
        *ret = (struct proxy_header){.local = true};
        return PROXY_OK;
    }
    struct proxy_header h = {0};
    struct address to;
    struct span from_text = word(&line), to_text = word(&line), from_port = word(&line),
                to_port = word(&line);
    uint16_t ignored;
    bool v4 = span_eq(family, SPAN("TCP4"));
    if ((!v4 && !span_eq(family, SPAN("TCP6"))) || line.n) return PROXY_BAD;
    if (!address_parse(from_text, &h.source) || !address_parse(to_text, &to)) return PROXY_BAD;
    if (v4 && !address_is_v4(&h.source)) return PROXY_BAD;
    if (!port_of(from_port, &h.port) || !port_of(to_port, &ignored)) return PROXY_BAD;
    *ret = h;
    return PROXY_OK;
}

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static enum proxy_status parse_v2(struct span in, struct proxy_header *ret, size_t *octets)
{
    if (in.n < V2_HEAD_OCTETS) return PROXY_MORE;
    uint8_t version = in.p[12] >> 4, command = in.p[12] & 15, family = in.p[13];
    size_t length = u16(in.p + 14);
    if (version != 2 || command > 1 || length > PROXY_HEADER_OCTETS_MAX - V2_HEAD_OCTETS) return PROXY_BAD;
    if (in.n < V2_HEAD_OCTETS + length) return PROXY_MORE;
    const uint8_t *a = in.p + V2_HEAD_OCTETS;
    struct proxy_header h = {0};
    switch (command == 0 ? 0 : family) {
    case 0x00: h.local = true; break; /* LOCAL, or an unspecified family */
    case 0x11:                        /* TCP over IPv4 */
        if (length < 12) return PROXY_BAD;
        h.source.octets[10] = h.source.octets[11] = 0xff;
        memcpy(h.source.octets + 12, a, 4);
        h.port = u16(a + 8);
        break;
    case 0x21: /* TCP over IPv6 */
        if (length < 36) return PROXY_BAD;
        memcpy(h.source.octets, a, 16);
        h.port = u16(a + 32);
        break;
    default: return PROXY_BAD; /* datagrams and UNIX sockets carry no SMTP client */
    }
    *ret = h;
    *octets = V2_HEAD_OCTETS + length;
    return PROXY_OK;
}

enum proxy_status proxy_header_parse(struct span in, struct proxy_header *ret, size_t *octets)
{
    size_t n = in.n < sizeof signature ? in.n : sizeof signature;
    if (n == 0) return PROXY_MORE;
    if (memcmp(in.p, signature, n) == 0) return n < sizeof signature ? PROXY_MORE : parse_v2(in, ret, octets);
    struct span prefix = SPAN("PROXY ");
    n = in.n < prefix.n ? in.n : prefix.n;
    if (memcmp(in.p, prefix.p, n) != 0) return PROXY_BAD;
    return n < prefix.n ? PROXY_MORE : parse_v1(in, ret, octets);
}
