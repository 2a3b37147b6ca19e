/* idn: domains in other scripts, and the one form in which any two domains are compared: A-labels in lower case (RFC 5890 2.3.2.1 and
 * 2.3.2.4: a U-label and its A-label are equivalent).
 *
 * libidn2 turns one into the other (IDNA 2008 after the mapping of UTS 46, non-transitional). It is a pure function that takes its working
 * memory from malloc and has given it back when it returns: the one exception beside the arena that tools/check-floors knows in a pure
 * room. It is some kilobytes at a time, which a caged process has in the heap it was promised at start (invariant I4,
 * HEAP_RESERVE_OCTETS of process/skeleton). */
#ifndef BASE_IDN_H
#define BASE_IDN_H

#include "base/buf.h"

/* True when s holds an octet above 127. */
bool idn_is_needed(struct span s);

/* Appends the domain in the form in which domains are compared. What is ASCII already, A-labels too, is folded to lower case and not
 * looked at otherwise: one pass over it, nothing taken. What is not must be valid: no empty label, letters and digits of scripts, nothing that a
 * mapping turns into a dot or into punctuation; then the result is letters, digits, hyphens and as many dots. False, with b as it was,
 * when it is not valid (RFC 5891 5) or there was no memory; b->over when it does not fit. */
bool idn_put_ascii(struct buf *b, struct span domain);

#endif
