#include "base/buf.h"

#include "base/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

enum { U64_DIGITS = 20 };

/* Writes v right-aligned into d and returns the index of its first digit. */
static size_t digits(uint8_t d[U64_DIGITS], uint64_t v)
{
    size_t i = U64_DIGITS;
    do {
        d[--i] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v);
    return i;
}

void buf_u64(struct buf *b, uint64_t v)
{
    uint8_t d[U64_DIGITS];
    size_t i = digits(d, v);
    buf_put(b, span_of(d + i, U64_DIGITS - i));
}

void buf_u64_pad(struct buf *b, uint64_t v, unsigned width)
{
    uint8_t d[U64_DIGITS];
    memset(d, '0', sizeof d);
    size_t i = digits(d, v);
    size_t wanted = width < U64_DIGITS ? width : U64_DIGITS;
    if (U64_DIGITS - i < wanted) i = U64_DIGITS - wanted;
    buf_put(b, span_of(d + i, U64_DIGITS - i));
}

void buf_hex64(struct buf *b, uint64_t v)
{
    uint8_t d[16];
    for (int i = 15; i >= 0; i--, v >>= 4)
        d[i] = (uint8_t)hex_digits[v & 15];
    buf_put(b, span_of(d, sizeof d));
}

static void put_hex_escape(struct buf *b, uint8_t c)
{
    const uint8_t d[4] = {'\\', 'x', (uint8_t)hex_digits[c >> 4], (uint8_t)hex_digits[c & 15]};
    buf_put(b, span_of(d, sizeof d));
}

static void put_escaped(struct buf *b, struct span s, size_t max_in, uint32_t escape)
{
    struct span rest = span_head(s, max_in);
    while (rest.n && !b->over) {
        uint32_t code = 0;
        size_t n = utf8_next(rest, &code);
        if (n && code != escape && !utf8_is_hidden(code)) {
            buf_put(b, span_head(rest, n));
        } else {
            n = n ? n : 1;
            for (size_t i = 0; i < n; i++)
                put_hex_escape(b, rest.p[i]);
        }
        rest = span_skip(rest, n);
    }
    if (s.n > max_in) buf_put(b, SPAN("..."));
}

void buf_escaped(struct buf *b, struct span s, size_t max_in)
{
    put_escaped(b, s, max_in, '\\');
}

void buf_shown(struct buf *b, struct span s, size_t max_in)
{
    put_escaped(b, s, max_in, 0 /* a control, escaped in any case */);
}

/* RFC 8259 7: beyond U+FFFF a character is a pair of surrogates. */
static void put_json_escape(struct buf *b, uint32_t code)
{
    if (code > 0xFFFF) {
        put_json_escape(b, 0xD800 + ((code - 0x10000) >> 10));
        code = 0xDC00 + (code & 0x3FF);
    }
    const uint8_t d[6] = {'\\',
                          'u',
                          (uint8_t)hex_digits[code >> 12 & 15],
                          (uint8_t)hex_digits[code >> 8 & 15],
                          (uint8_t)hex_digits[code >> 4 & 15],
                          (uint8_t)hex_digits[code & 15]};
    buf_put(b, span_of(d, sizeof d));
}

void buf_json(struct buf *b, struct span s, size_t max_in)
{
    struct span rest = span_head(s, max_in);
    while (rest.n && !b->over) {
        uint32_t code = 0;
        size_t n = utf8_next(rest, &code);
        if (n == 0) {
            buf_put(b, SPAN("\\ufffd"));
            n = 1;
        } else if (code == '"' || code == '\\') {
            buf_byte(b, '\\');
            buf_byte(b, (uint8_t)code);
        } else if (utf8_is_hidden(code)) { /* RFC 8259 7 asks for C0; the others are the terminal's enemies */
            put_json_escape(b, code);
        } else {
            buf_put(b, span_head(rest, n));
        }
        rest = span_skip(rest, n);
    }
    if (s.n > max_in) buf_put(b, SPAN("..."));
}
