/* hex: RFC 4648 section 8. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

void hex_encode(struct span in, struct buf *out); /* lower case */
/* Either case, an even number of digits, nothing else; false with nothing written otherwise. */
MUST_USE bool hex_decode(struct span in, struct buf *out);

#endif
