/* dot: end of data and transparency, RFC 5321 4.5.2. End of data is CRLF.CRLF exactly; everything that merely looks like
 * it is data (invariant I7). Works on slices of the input: nothing is copied. */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include "base/buf.h"

enum { /* what was found in the content, a set */
       DOT_BARE_LF = 1,
       DOT_BARE_CR = 2,
       DOT_NUL = 4,
       DOT_8BIT = 8,      /* an octet above 127 */
       DOT_LONG_LINE = 16 /* a line above max_line octets with CRLF */
};

struct dot {
    uint8_t state;     /* private */
    uint8_t found;     /* DOT_* */
    bool normalize;    /* bare LF becomes CRLF: the caller inserts the CR, see dot_next */
    uint32_t line;     /* octets of the current line so far */
    uint32_t max_line; /* octets with CRLF */
};

enum dot_event {
    DOT_MORE,  /* all of *in is consumed */
    DOT_SLICE, /* *slice is content, in order; call again */
    DOT_CR,    /* only with normalize: append one CR now, the slice that follows begins with the LF */
    DOT_END,   /* end of data was consumed; *in begins with the next command */
};

/* Begins after the CRLF of the DATA command (a dot may come first). */
void dot_begin(struct dot *d, uint32_t max_line, bool normalize);
enum dot_event dot_next(struct dot *d, struct span *in, struct span *slice);

/* For chunks and the sending side: writes in to out with dots doubled. *state keeps where in a line we are between
 * calls; begin with 0. Sets out->over when it does not fit (needs at most 2 * in.n). */
void dot_stuff(uint8_t *state, struct span in, struct buf *out);
/* Finishes: CRLF if the content did not end with it, then ".CRLF". */
void dot_finish(uint8_t *state, struct buf *out);

#endif
