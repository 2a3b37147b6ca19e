#include "policy/right.h"

/* The first name in s, which moves behind it. */
static struct span next(struct span *s)
{
    struct span name = span_head(*s, span_find(*s, ' '));
    *s = span_skip(*s, name.n + 1);
    return name;
}

uint32_t right_find(struct span name)
{
    struct span names = SPAN(RIGHT_NAMES);
    for (uint32_t bit = 1; names.n; bit <<= 1)
        if (span_eq(next(&names), name)) return bit;
    return 0;
}

void right_put_names(struct buf *b, uint32_t set, uint8_t between)
{
    struct span names = SPAN(RIGHT_NAMES);
    bool later = false;
    for (uint32_t bit = 1; names.n; bit <<= 1) {
        struct span name = next(&names);
        if (!(set & bit)) continue;
        if (later) buf_byte(b, between);
        buf_put(b, name);
        later = true;
    }
}
