#include "base/utf8.h"

static bool continuation(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

size_t utf8_next(struct span s, uint32_t *code)
{
    if (s.n == 0) return 0;
    uint8_t c = s.p[0];
    if (c < 0x80) {
        *code = c;
        return 1;
    }
    size_t len = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (len == 0 || s.n < len) return 0;
    uint32_t v = c & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!continuation(s.p[i])) return 0;
        v = v << 6 | (s.p[i] & 0x3Fu);
    }
    if (len == 3 && v < 0x800) return 0; /* overlong */
    if (len == 4 && (v < 0x10000 || v > 0x10FFFF)) return 0;
    if (v >= 0xD800 && v <= 0xDFFF) return 0; /* RFC 3629 3: surrogates are prohibited */
    *code = v;
    return len;
}

bool utf8_valid(struct span s)
{
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n == 0) return false;
        s = span_skip(s, n);
    }
    return true;
}

bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xFEFF;
}

bool utf8_is_hidden(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x00AD, 0x00AD}, {0x034F, 0x034F},   {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F},
        {0x200B, 0x200F}, {0x2060, 0x206F},   {0x3164, 0x3164},   {0xFE00, 0xFE0F},   {0xFFA0, 0xFFA0},
        {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
    };
    if (utf8_is_control(code)) return true;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && code >= ranges[i][0]; i++)
        if (code <= ranges[i][1]) return true;
    return false;
}
