/* field: writes one header field, folded (RFC 5322 2.2.3). Nothing that is put in can end the field or begin another. */
#ifndef MAIL_FIELD_H
#define MAIL_FIELD_H

#include "base/buf.h"

struct field {
    struct buf *b;
    size_t column;
    struct span fold; /* CRLF and blanks before a word that does not fit */
    bool utf8;        /* octets above 127 pass when they are well-formed UTF-8 (RFC 6532) */
};

void field_begin(struct field *f, struct buf *b, const char *name, bool utf8);
/* A word that is clean already; a fold or a blank goes before it. */
void field_word(struct field *f, struct span word);
/* Hostile text: parted at blanks, words longer than a line are cut in pieces, controls and whatever may not stand here become
 * '?'. At most max octets of it. */
void field_text(struct field *f, struct span text, size_t max);
void field_end(struct field *f); /* CRLF */

/* text with every octet that is a control, or above 127 and not allowed, as '?': one line stays one line. */
void field_put_clean(struct buf *b, struct span text, bool utf8);

#endif
