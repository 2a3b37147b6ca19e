#include "policy/network.h"

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool address_is_v4(const struct address *a)
{
    return memcmp(a->octets, v4_prefix, sizeof v4_prefix) == 0;
}

bool address_is_loopback(const struct address *a)
{
    static const struct address v6 = {{[15] = 1}};
    return address_is_v4(a) ? a->octets[12] == 127 : memcmp(a, &v6, sizeof v6) == 0;
}

bool address_is_any(const struct address *a)
{
    static const uint8_t zeros[16];

    return address_is_v4(a) ? memcmp(a->octets + 12, zeros, 4) == 0 : memcmp(a->octets, zeros, 16) == 0;
}

/* A decimal number without a leading zero (010 is eight to some programs and ten to others), at most max. */
static bool decimal(struct span s, uint64_t max, uint64_t *ret)
{
    if (s.n > 3 || (s.n > 1 && s.p[0] == '0')) return false;
    return span_u64(s, ret) && *ret <= max;
}

static bool parse_v4(struct span s, uint8_t ret[4])
{
    for (unsigned i = 0; i < 4; i++) {
        size_t dot = i < 3 ? span_find(s, '.') : s.n;
        uint64_t v;
        if (dot == SPAN_NPOS || !decimal(span_head(s, dot), 255, &v)) return false;
        ret[i] = (uint8_t)v;
        s = span_skip(s, dot + 1);
    }
    return true;
}

static bool hex_group(struct span s, uint8_t ret[2])
{
    unsigned v = 0;
    if (s.n == 0 || s.n > 4) return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = octet_lower(s.p[i]);
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v * 16 + (c - 'a' + 10);
        else
            return false;
    }
    ret[0] = (uint8_t)(v >> 8);
    ret[1] = (uint8_t)v;
    return true;
}

/* Groups between colons, without "::"; the last may be dotted IPv4 when dotted is set. Appends to ret, *n octets used. */
static bool groups(struct span s, bool dotted, uint8_t ret[16], size_t *n)
{
    if (s.n == 0) return true;
    for (;;) {
        size_t colon = span_find(s, ':');
        struct span g = colon == SPAN_NPOS ? s : span_head(s, colon);
        if (colon == SPAN_NPOS && dotted && span_find(g, '.') != SPAN_NPOS) {
            if (*n > 12 || !parse_v4(g, ret + *n)) return false;
            *n += 4;
            return true;
        }
        if (*n > 14 || !hex_group(g, ret + *n)) return false;
        *n += 2;
        if (colon == SPAN_NPOS) return true;
        s = span_skip(s, colon + 1);
    }
}

static size_t find_double_colon(struct span s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == ':' && s.p[i + 1] == ':') return i;
    return SPAN_NPOS;
}

/* RFC 4291 2.2 */
static bool parse_v6(struct span s, uint8_t ret[16])
{
    uint8_t head[16], tail[16];
    size_t n_head = 0, n_tail = 0, gap = find_double_colon(s);
    if (gap == SPAN_NPOS) return groups(s, true, ret, &n_head) && n_head == 16;
    if (!groups(span_head(s, gap), false, head, &n_head) ||
        !groups(span_skip(s, gap + 2), true, tail, &n_tail))
        return false;
    if (n_head + n_tail > 14) return false; /* "::" stands for at least one group */
    memset(ret, 0, 16);
    memcpy(ret, head, n_head);
    memcpy(ret + 16 - n_tail, tail, n_tail);
    return true;
}

bool address_parse(struct span s, struct address *ret)
{
    struct address a;
    if (s.n == 0 || s.n > 45) return false;
    if (span_find(s, ':') == SPAN_NPOS) {
        memcpy(a.octets, v4_prefix, sizeof v4_prefix);
        if (!parse_v4(s, a.octets + 12)) return false;
    } else if (!parse_v6(s, a.octets)) {
        return false;
    }
    *ret = a;
    return true;
}

static void put_v4(struct buf *b, const uint8_t *p)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i) buf_byte(b, '.');
        buf_u64(b, p[i]);
    }
}

/* RFC 5952 4.1, 4.3: no leading zeros, lower case */
static void put_group(struct buf *b, unsigned v)
{
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned d = (v >> shift) & 15;
        if (d || begun || shift == 0) {
            buf_byte(b, (uint8_t) "0123456789abcdef"[d]);
            begun = true;
        }
    }
}

/* RFC 5952 4.2: the longest run of zero groups, the first of equals, never a single group. */
static void longest_zeros(const struct address *a, unsigned *start, unsigned *length)
{
    *start = 8;
    *length = 1;
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;
        while (i + n < 8 && a->octets[2 * (i + n)] == 0 && a->octets[2 * (i + n) + 1] == 0)
            n++;
        if (n > *length) {
            *start = i;
            *length = n;
        }
        i += n;
    }
}

void address_put(struct buf *b, const struct address *a)
{
    unsigned start, length;
    if (address_is_v4(a)) {
        put_v4(b, a->octets + 12);
        return;
    }
    longest_zeros(a, &start, &length);
    for (unsigned i = 0; i < 8; i++) {
        if (i == start) {
            buf_put(b, SPAN("::"));
            i += length - 1;
            continue;
        }
        if (i && i != start + length) buf_byte(b, ':');
        put_group(b, (unsigned)a->octets[2 * i] << 8 | a->octets[2 * i + 1]);
    }
}

void address_put_literal(struct buf *b, const struct address *a)
{
    buf_byte(b, '[');
    if (!address_is_v4(a)) buf_put(b, SPAN("IPv6:")); /* RFC 5321 4.1.3 */
    address_put(b, a);
    buf_byte(b, ']');
}

/* The octet of a netmask of that many bits. */
static uint8_t mask_octet(unsigned bits, unsigned i)
{
    if (bits >= 8 * (i + 1)) return 0xff;
    if (bits <= 8 * i) return 0;
    return (uint8_t)(0xff00u >> (bits - 8 * i));
}

static bool within(const struct address *base, unsigned bits, const struct address *a)
{
    for (unsigned i = 0; i < 16; i++)
        if (((a->octets[i] ^ base->octets[i]) & mask_octet(bits, i)) != 0) return false;
    return true;
}

bool network_parse_around(struct span s, struct network *ret)
{
    struct network n;
    size_t slash = span_find(s, '/');
    struct span text = slash == SPAN_NPOS ? s : span_head(s, slash);
    uint64_t bits;
    if (!address_parse(text, &n.base)) return false;
    bool dotted = span_find(text, ':') == SPAN_NPOS;
    bits = dotted ? 32 : 128;
    if (slash != SPAN_NPOS && !decimal(span_skip(s, slash + 1), bits, &bits)) return false;
    n.bits = (uint8_t)(dotted ? 96 + bits : bits);
    for (unsigned i = 0; i < 16; i++)
        n.base.octets[i] &= mask_octet(n.bits, i);
    *ret = n;
    return true;
}

bool network_parse(struct span s, struct network *ret)
{
    struct network n;
    struct address written;
    if (!network_parse_around(s, &n) || !address_parse(span_head(s, span_find(s, '/')), &written) ||
        memcmp(written.octets, n.base.octets, sizeof written.octets) != 0)
        return false;
    *ret = n;
    return true;
}

void network_put(struct buf *b, const struct network *n)
{
    bool v4 = n->bits >= 96 && address_is_v4(&n->base);
    address_put(b, &n->base);
    buf_byte(b, '/');
    buf_u64(b, v4 ? n->bits - 96u : n->bits);
}

bool network_holds(const struct network *n, const struct address *a)
{
    if (n->bits > 128) return false;
    /* ::/0 is all of IPv6; IPv4 clients only look as if they were inside it. */
    if (n->bits < 96 && address_is_v4(a)) return false;
    return within(&n->base, n->bits, a);
}

bool network_encloses(const struct network *a, const struct network *b)
{
    return a->bits <= b->bits && network_holds(a, &b->base);
}

bool network_any_holds(const struct network *n, size_t count, const struct address *a)
{
    for (size_t i = 0; i < count; i++)
        if (network_holds(&n[i], a)) return true;
    return false;
}

/* Networks nest or are disjoint: one that lies in another (or is a later double of it) adds nothing to the union. What
 * lies in another is asked as network_holds asks it: no IPv6 network swallows IPv4. */
static bool adds_nothing(const struct network *n, size_t count, size_t i)
{
    for (size_t j = 0; j < count; j++) {
        if (j == i || !network_encloses(&n[j], &n[i])) continue;
        if (n[j].bits < n[i].bits || j < i) return true;
    }
    return false;
}

/* Translators give IPv4 hosts an address in 64:ff9b::/96 (RFC 6052), or in a /96 of 64:ff9b:1::/48 (RFC 8215). */
static bool translated(const struct network *n)
{
    static const struct address everywhere = {{0, 0x64, 0xff, 0x9b}}, here = {{0, 0x64, 0xff, 0x9b, 0, 1}};
    return within(&everywhere, n->bits < 96 ? n->bits : 96, &n->base) ||
           (n->bits >= 48 && within(&here, 48, &n->base));
}

bool network_union_too_wide(const struct network *n, size_t count)
{
    uint64_t v4 = 0; /* addresses; a /8 has 2^24 */
    uint64_t v6 = 0,
             v6_low = 0;  /* /96 networks, and addresses of smaller ones; a /32 has 2^64 of the first */
    uint64_t v6_full = 0; /* whole /32 networks */
    for (size_t i = 0; i < count; i++) {
        if (adds_nothing(n, count, i)) continue;
        if (n[i].bits >= 96 && (address_is_v4(&n[i].base) || translated(&n[i]))) {
            v4 += (uint64_t)1 << (128 - n[i].bits);
        } else if (n[i].bits < 32 || translated(&n[i])) {
            return true;
        } else if (n[i].bits == 32) {
            v6_full++;
        } else if (n[i].bits < 96) {
            if (__builtin_add_overflow(v6, (uint64_t)1 << (96 - n[i].bits), &v6)) v6_full++;
        } else {
            v6_low += (uint64_t)1 << (128 - n[i].bits);
        }
    }
    v6_low = (v6_low >> 32) + ((v6_low & UINT32_MAX) != 0);
    if (__builtin_add_overflow(v6, v6_low, &v6)) v6_full++;
    return v4 > (uint64_t)1 << 24 || v6_full > 1 || (v6_full == 1 && v6 > 0);
}

bool network_looks_like_gateway(const struct network *n)
{
    uint8_t last = n->base.octets[15];
    return n->bits == 128 && (last == 1 || (last == 254 && address_is_v4(&n->base)));
}

void address_source_key(const struct address *a, uint8_t ret[16])
{
    memcpy(ret, a->octets, 16);
    if (!address_is_v4(a)) memset(ret + 8, 0, 8);
}
