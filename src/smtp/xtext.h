/* xtext: RFC 3461 4. "+HH" for octets outside '!'..'~', for '+' and '='. */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "base/buf.h"

/* True when s is well-formed xtext whose decoded octets are all printable (no control characters: they would land in the
 * fields of a delivery status notification). */
bool xtext_valid(struct span s);
void xtext_decode(struct span s, struct buf *out); /* s must be valid */
void xtext_encode(struct span s, struct buf *out);

#endif
