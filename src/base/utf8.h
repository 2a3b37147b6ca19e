/* utf8: well-formedness by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF, nothing cut short. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

/* Octets (1 to 4) of the well-formed character at the start of s, its code point in *code; 0 when s is empty or begins
 * with none. */
size_t utf8_next(struct span s, uint32_t *code);

/* True when all of s is well-formed; an empty span is. */
bool utf8_valid(struct span s);

/* True for code points that steer a terminal or a reader's eye rather than show something: C0, DEL, C1, line and
 * paragraph separator, the bidirectional controls, byte order mark. They are never shown raw (invariant I11). */
bool utf8_is_control(uint32_t code);

/* True for those, and for code points that show nothing at all: zero-width characters, joiners, fillers, tags (Unicode's
 * Default_Ignorable_Code_Point). They may stand in names, and two names may differ in them alone: what is shown to people shows
 * them escaped (invariant I11). */
bool utf8_is_hidden(uint32_t code);

#endif
