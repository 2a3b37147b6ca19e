#include "base/hex.h"

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
        int high = hex_digit(in.p[i]), low = hex_digit(in.p[i + 1]);
        if (high < 0 || low < 0) {
            out->n = before;
            return false;
        }
        buf_byte(out, (uint8_t)(high * 16 + low));
    }
    return true;
}
