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
/* The raw value (folds included) of the first field of that name (any case), or an empty span. */
struct span header_find(struct span section, struct span field_name);

#endif
