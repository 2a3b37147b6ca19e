/* hex: RFC 4648 section 8. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

/* The value of one digit, either case; -1 when it is none. */
static inline int hex_digit(uint8_t c)
{
    uint8_t l = octet_lower(c);
    if (octet_is_digit(c)) return c - '0';
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

void hex_encode(struct span in, struct buf *out); /* lower case */
/* Either case, an even number of digits, nothing else; false with nothing written otherwise. */
MUST_USE bool hex_decode(struct span in, struct buf *out);

#endif
