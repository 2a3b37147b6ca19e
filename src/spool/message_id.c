#include "spool/message_id.h"

#define EDGE_BITS    6
#define COUNTER_BITS 14

static const char digits[32] = "0123456789abcdefghjkmnpqrstvwxyz";

uint64_t message_id_next(uint64_t last, unsigned edge, uint64_t unix_ms)
{
    uint64_t fresh = (unix_ms << (EDGE_BITS + COUNTER_BITS)) | ((uint64_t)(edge & 63) << COUNTER_BITS);
    if (fresh > last) return fresh;
    if ((last & ((1U << COUNTER_BITS) - 1)) != (1U << COUNTER_BITS) - 1) return last + 1;
    /* 16384 ids in one millisecond, or the clock went back: borrow from the future */
    return ((message_id_unix_ms(last) + 1) << (EDGE_BITS + COUNTER_BITS)) |
           ((uint64_t)(edge & 63) << COUNTER_BITS);
}

void message_id_put(struct buf *b, uint64_t id)
{
    uint8_t text[MESSAGE_ID_TEXT];
    for (size_t i = MESSAGE_ID_TEXT; i-- > 0; id >>= 5)
        text[i] = (uint8_t)digits[id & 31];
    buf_put(b, span_of(text, sizeof text));
}

bool message_id_parse(struct span s, uint64_t *ret)
{
    uint64_t id = 0;
    if (s.n != MESSAGE_ID_TEXT) return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = memchr(digits, octet_lower(s.p[i]), sizeof digits);
        if (!at) return false;
        if (i == 0 && at - digits > 15) return false; /* 13 digits hold 65 bits */
        id = (id << 5) | (uint64_t)(at - digits);
    }
    *ret = id;
    return true;
}
