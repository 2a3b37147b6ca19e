#include "sasl/utf16.h"

#include "base/utf8.h"

void utf16_put_ascii(struct buf *b, struct span ascii)
{
    for (size_t i = 0; i < ascii.n; i++)
        utf16_put_unit(b, ascii.p[i]);
}

/* Units (1 or 2) of the character at unit i, its code point in *code; 0: none begins there. RFC 2781 2.2. */
static size_t next(struct span s, size_t i, uint32_t *code)
{
    uint16_t first = utf16_unit(s, i);
    *code = first;
    if (first < 0xD800 || first > 0xDFFF) return 1;
    if (first > 0xDBFF || 2 * i + 4 > s.n) return 0;
    uint16_t second = utf16_unit(s, i + 1);
    if (second < 0xDC00 || second > 0xDFFF) return 0;
    *code = 0x10000 + ((uint32_t)(first & 0x3FF) << 10 | (second & 0x3FF));
    return 2;
}

static void put_code(struct buf *b, uint32_t code)
{
    if (code < 0x80) {
        buf_byte(b, (uint8_t)code);
        return;
    }
    unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    buf_byte(b, (uint8_t)(lead[more] | code >> 6 * more));
    while (more-- > 0)
        buf_byte(b, (uint8_t)(0x80 | (code >> 6 * more & 0x3F)));
}

bool utf16_to_utf8(struct span s, struct buf *out)
{
    size_t before = out->n;
    if (s.n % 2) return false;
    for (size_t i = 0, n; i < s.n / 2; i += n) {
        uint32_t code;
        n = next(s, i, &code);
        if (n == 0 || utf8_is_control(code)) {
            out->n = before;
            return false;
        }
        put_code(out, code);
    }
    return true;
}
