/* line: the only place that knows what ends a command or reply line. CRLF ends a line and nothing else does
 * (RFC 5321 2.3.8); bare CR, bare LF and NUL are errors with names, found in the line as a whole: the line still ends
 * at its CRLF, so that a refused line costs exactly one reply. */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "base/span.h"

enum line_status {
    LINE_OK,       /* *ret is the line without its CRLF */
    LINE_MORE,     /* no CRLF yet and in.n < max: come back with more octets in front of you */
    LINE_BARE_LF,  /* the line up to its CRLF holds an LF that no CR precedes */
    LINE_BARE_CR,  /* ... a CR that no LF follows */
    LINE_NUL,      /* ... a NUL */
    LINE_TOO_LONG, /* max octets without CRLF or more with it; *consumed is what may be skipped now */
};

/* Looks for one line at the start of in. max counts the octets with CRLF. *consumed is set for every status but
 * LINE_MORE: the line with its CRLF, or for LINE_TOO_LONG without a CRLF in sight all of in but a final CR: the caller
 * goes on with line_skip. (The octets consumed end with CRLF in the first case and never in the second.) *ret is
 * untouched unless LINE_OK. A caller whose buffer holds max octets never stalls. */
enum line_status line_find(struct span in, size_t max, struct span *ret, size_t *consumed);

/* Skips the rest of an over-long line: *consumed octets may be dropped; true when its CRLF was among them. */
bool line_skip(struct span in, size_t *consumed);

#endif
