/* base64: RFC 4648 section 4, strict: the standard alphabet, padding exactly where it belongs, pad bits zero, no line ends,
 * no blanks (3.3: "Implementations MUST reject the encoded data if it contains characters outside the base alphabet"). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* False, with nothing written, when in is not base64; out->over when the result does not fit. */
MUST_USE bool base64_decode(struct span in, struct buf *out);
bool base64_valid(struct span in); /* base64_decode would take it; empty is */
void base64_encode(struct span in, struct buf *out);
/* The same with the alphabet of RFC 4648 section 5, without padding (RFC 7515 2). */
MUST_USE bool base64_url_decode(struct span in, struct buf *out);

#define BASE64_OCTETS(n) (((n) + 2) / 3 * 4) /* of n octets encoded */

#endif
