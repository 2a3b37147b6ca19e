#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character, -1 when it is outside the alphabet. */
static int bits(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Octets that a quantum of four characters stands for (1 to 3), 0 when it is none. Only the last may be padded. */
static size_t quantum(const uint8_t p[4], bool last, uint8_t d[3])
{
    size_t pads = !last ? 0 : p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int b = i < 4 - pads ? bits(p[i]) : 0;
        if (b < 0) return 0;
        v = v << 6 | (uint32_t)b;
    }
    /* RFC 4648 3.5: pad bits that are not zero make two texts of one value */
    if (v & ((1u << 8 * pads) - 1)) return 0;
    d[0] = (uint8_t)(v >> 16);
    d[1] = (uint8_t)(v >> 8);
    d[2] = (uint8_t)v;
    return 3 - pads;
}

bool base64_decode(struct span in, struct buf *out)
{
    size_t before = out->n;
    if (in.n % 4) return false;
    for (size_t i = 0; i < in.n; i += 4) {
        uint8_t d[3];
        size_t n = quantum(in.p + i, i + 4 == in.n, d);
        if (n == 0) {
            out->n = before;
            return false;
        }
        buf_put(out, span_of(d, n));
    }
    return true;
}

/* A character of the alphabet of section 5 as the one of section 4; '=', which is in neither, for every other. */
static uint8_t from_url(uint8_t c)
{
    return c == '-' ? '+' : c == '_' ? '/' : octet_is_alnum(c) ? c : '=';
}

bool base64_url_decode(struct span in, struct buf *out)
{
    size_t before = out->n;
    bool good = in.n % 4 != 1;
    for (; good && in.n; in = span_skip(in, 4)) {
        uint8_t p[4] = {'=', '=', '=', '='}, d[3];
        size_t given = in.n < 4 ? in.n : 4;
        for (size_t i = 0; i < given; i++)
            p[i] = from_url(in.p[i]);
        size_t n = quantum(p, given < 4, d);
        good = n + 1 == given;
        buf_put(out, span_of(d, n));
    }
    if (!good) out->n = before;
    return good;
}

bool base64_valid(struct span in)
{
    uint8_t d[3];
    if (in.n % 4) return false;
    for (size_t i = 0; i < in.n; i += 4)
        if (quantum(in.p + i, i + 4 == in.n, d) == 0) return false;
    return true;
}

void base64_encode(struct span in, struct buf *out)
{
    for (; in.n; in = span_skip(in, 3)) {
        size_t n = in.n < 3 ? in.n : 3;
        uint32_t v = (uint32_t)in.p[0] << 16;
        if (n > 1) v |= (uint32_t)in.p[1] << 8;
        if (n > 2) v |= in.p[2];
        uint8_t d[4] = {'=', '=', '=', '='};
        for (size_t i = 0; i <= n; i++)
            d[i] = (uint8_t)alphabet[v >> (18 - 6 * i) & 63];
        buf_put(out, span_of(d, sizeof d));
    }
}
