#include "smtp/xtext.h"

#include "base/hex.h"

/* The octet that "+HH" at s.p[i] stands for, -1 when it is none. */
static int hexchar(struct span s, size_t i)
{
    if (s.n - i < 3) return -1;
    uint8_t a = s.p[i + 1], b = s.p[i + 2];
    if (a >= 'a' || b >= 'a') return -1; /* RFC 3461 4: hexchar in upper case only */
    return hex_digit(a) < 0 || hex_digit(b) < 0 ? -1 : hex_digit(a) * 16 + hex_digit(b);
}

static bool is_xchar(uint8_t c)
{
    return c >= '!' && c <= '~' && c != '+' && c != '=';
}

bool xtext_valid(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_xchar(s.p[i])) continue;
        if (s.p[i] != '+') return false;
        int c = hexchar(s, i);
        if (c < ' ' || c > '~') return false;
        i += 2;
    }
    return true;
}

void xtext_decode(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i] == '+' ? hexchar(s, i) : -1;
        if (c < 0) {
            buf_byte(out, s.p[i]);
        } else {
            buf_byte(out, (uint8_t)c);
            i += 2;
        }
    }
}

void xtext_encode(struct span s, struct buf *out)
{
    static const char digit[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (is_xchar(c)) {
            buf_byte(out, c);
        } else {
            const uint8_t h[3] = {'+', (uint8_t)digit[c >> 4], (uint8_t)digit[c & 15]};
            buf_put(out, span_of(h, sizeof h));
        }
    }
}
