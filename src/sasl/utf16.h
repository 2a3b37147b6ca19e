/* utf16: the strings of NTLM, little-endian (MS-NLMP 2.2). */
#ifndef SASL_UTF16_H
#define SASL_UTF16_H

#include "base/buf.h"

static inline uint16_t utf16_unit(struct span s, size_t i) /* i: in units, inside */
{
    return (uint16_t)(s.p[2 * i] | s.p[2 * i + 1] << 8);
}

static inline void utf16_put_unit(struct buf *b, uint16_t unit)
{
    buf_byte(b, (uint8_t)unit);
    buf_byte(b, (uint8_t)(unit >> 8));
}

void utf16_put_ascii(struct buf *b, struct span ascii);
/* As UTF-8. False, with nothing written, when s has an odd length, a surrogate without its other half, or a character that is not to be
 * shown (utf8_is_control); out->over when it does not fit. */
MUST_USE bool utf16_to_utf8(struct span s, struct buf *out);

#endif
