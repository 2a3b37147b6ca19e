/* reply: writing and reading replies (RFC 5321 4.2, RFC 2034 and 3463 enhanced status codes). */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"

struct enhanced { /* class 2, 4 or 5; subject and detail 0..999; class 0: none */
    uint16_t class, subject, detail;
};

/* One line "CODE e.n.h text CRLF"; enhanced may be null or "" (greeting, EHLO, 354). text must be printable ASCII: an
 * octet outside 32..126 is written as '?'. A text that would pass LIMIT_REPLY_LINE_OCTETS is cut. */
void reply_put(struct buf *out, unsigned code, const char *enhanced, struct span text);

/* A line of a multi-line reply: "CODE-text" unless last. */
void reply_put_line(struct buf *out, unsigned code, struct span text, bool last);

/* Reading one reply line that a server sent. */
struct reply_line {
    unsigned code;            /* 200..599 */
    bool last;                /* "NNN " or "NNN" alone; false for "NNN-" */
    struct enhanced enhanced; /* class 0 when the text does not begin with one of the code's class */
    struct span
        text; /* behind the code (enhanced code included), may be empty; 550 5.1.1 with no text is legal */
};
/* line: without CRLF. False when it is no reply line at all. */
bool reply_parse(struct span line, struct reply_line *ret);

/* "5.1.1" at the start of s: class of the digit, each number 1 to 3 digits, followed by SP or the end. Returns the
 * octets consumed without the SP, 0 when there is none (CVE-2026-43964: a code may end the line). */
size_t enhanced_parse(struct span s, struct enhanced *ret);

#endif
