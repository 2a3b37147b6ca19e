#include "smtp/line.h"

/* Octets up to and with the first CRLF, 0 when there is none. */
static size_t to_crlf(struct span in)
{
    size_t from = 0;
    for (;;) {
        size_t lf = span_find(span_skip(in, from), '\n');
        if (lf == SPAN_NPOS) return 0;
        lf += from;
        if (lf > 0 && in.p[lf - 1] == '\r') return lf + 1;
        from = lf + 1;
    }
}

/* What may be dropped while no CRLF is in sight: a final CR may be the first half of one. */
static size_t droppable(struct span in)
{
    return in.n && in.p[in.n - 1] == '\r' ? in.n - 1 : in.n;
}

enum line_status line_find(struct span in, size_t max, struct span *ret, size_t *consumed)
{
    size_t n = to_crlf(in);
    if (n == 0) {
        if (in.n < max) return LINE_MORE;
        *consumed = droppable(in);
        return LINE_TOO_LONG;
    }
    *consumed = n;
    if (n > max) return LINE_TOO_LONG;
    struct span line = {in.p, n - 2};
    /* RFC 5321 2.3.8: "MUST NOT recognize or generate any other character or character sequence as a line terminator":
     * in front of the first CRLF every CR and every LF is a bare one. */
    if (span_find(line, '\n') != SPAN_NPOS) return LINE_BARE_LF;
    if (span_find(line, '\r') != SPAN_NPOS) return LINE_BARE_CR;
    if (span_find(line, 0) != SPAN_NPOS) return LINE_NUL;
    *ret = line;
    return LINE_OK;
}

bool line_skip(struct span in, size_t *consumed)
{
    size_t n = to_crlf(in);
    *consumed = n ? n : droppable(in);
    return n != 0;
}
