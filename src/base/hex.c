#include "base/hex.h"

static int digit(uint8_t c)
{
    uint8_t l = octet_lower(c);
    if (l >= '0' && l <= '9') return l - '0';
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

void hex_encode(struct span in, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.n; i++) {
        buf_byte(out, (uint8_t)digits[in.p[i] >> 4]);
        buf_byte(out, (uint8_t)digits[in.p[i] & 15]);
    }
}

bool hex_decode(struct span in, struct buf *out)
{
    size_t before = out->n;
    if (in.n % 2) return false;
    for (size_t i = 0; i < in.n; i += 2) {
        int high = digit(in.p[i]), low = digit(in.p[i + 1]);
        if (high < 0 || low < 0) {
            out->n = before;
            return false;
        }
        buf_byte(out, (uint8_t)(high * 16 + low));
    }
    return true;
}
