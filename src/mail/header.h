/* header: a streaming look at the header section: counts trace fields, finds where it ends. Never needs a whole line. */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/span.h"

struct header_scan {
    bool done;              /* the empty line was seen: the rest is body */
    uint32_t received;      /* Received fields so far */
    uint64_t octets;        /* of the header section so far; when done, with the empty line */
    uint8_t state, matched; /* private */
};

void header_scan_begin(struct header_scan *h);
void header_scan_feed(struct header_scan *h, struct span content); /* slices in order; cheap once done */

/* The header section at the start of a message, without the empty line: whole lines only, at most max octets. *whole: it was
 * not cut, and the empty line or the end of the message was seen. */
struct span header_section(struct span content, size_t max, bool *whole);

enum header_answer {
    HEADER_FIELD,
    HEADER_END,
    HEADER_NO_COLON, /* a line that is neither a field nor continues one; a folded name */
    HEADER_NAME,  /* no name, or one with other octets than RFC 5322 2.2 has: blanks, controls, above 126 */
    HEADER_STRAY, /* a CR or LF alone, or a NUL: others may see the end of a line there */
};

struct header_field {
    struct span name;  /* without the blanks that obsolete syntax (RFC 5322 4.5) has before the colon */
    struct span value; /* raw, folds and the last line end included */
};

/* The next field of a section (of header_section), moved on behind it, also when it is none; ret is set with HEADER_FIELD only. */
enum header_answer header_next(struct span *section, struct header_field *ret);
/* The raw value (folds included) of the first field of that name (any case), or an empty span. What is malformed is no field. */
struct span header_find(struct span section, struct span field_name);

#endif
