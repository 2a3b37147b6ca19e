#include "identity/md4.h"

enum { BLOCK = 64 };

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

/* RFC 1320 3.4: three rounds of sixteen steps. */
static void block(uint32_t state[4], const uint8_t *p)
{
    static const uint8_t order[3][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
                                         {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}};
    static const uint8_t by[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
    static const uint32_t constant[3] = {0, 0x5a827999, 0x6ed9eba1};
    uint32_t s[4], x[16];

    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < 16; i++)
        x[i] = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
               (uint32_t)p[4 * i + 3] << 24;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 16; i++) {
            uint32_t b = s[1], c = s[2], d = s[3];
            uint32_t f = round == 0   ? (b & c) | (~b & d)
                         : round == 1 ? (b & c) | (b & d) | (c & d)
                                      : b ^ c ^ d;
            uint32_t fresh = rotate(s[0] + f + x[order[round][i]] + constant[round], by[round][i % 4]);
            s[0] = d;
            s[3] = c;
            s[2] = b;
            s[1] = fresh;
        }
    for (unsigned i = 0; i < 4; i++)
        state[i] += s[i];
    explicit_bzero(x, sizeof x);
}

void md4(struct span text, uint8_t ret[16])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t last[2 * BLOCK] = {0};
    const uint64_t bits = (uint64_t)text.n * 8;

    for (; text.n >= BLOCK; text = span_skip(text, BLOCK))
        block(state, text.p);
    if (text.n) memcpy(last, text.p, text.n);
    last[text.n] = 0x80;
    size_t n = text.n < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    for (unsigned i = 0; i < 8; i++)
        last[n - 8 + i] = (uint8_t)(bits >> (8 * i));
    for (size_t at = 0; at < n; at += BLOCK)
        block(state, last + at);
    explicit_bzero(last, sizeof last);
    for (unsigned i = 0; i < 16; i++)
        ret[i] = (uint8_t)(state[i / 4] >> (8 * (i % 4)));
}
