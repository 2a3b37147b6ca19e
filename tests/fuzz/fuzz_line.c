/* The line finder: never a line with CR, LF or NUL in it, never more octets than there are, the same verdict however the
 * octets arrive. */
#include "smtp/line.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

/* The first CRLF by looking at every octet; SPAN_NPOS when there is none. */
static size_t plain_crlf(struct span in)
{
    for (size_t i = 1; i < in.n; i++)
        if (in.p[i] == '\n' && in.p[i - 1] == '\r') return i - 1;
    return SPAN_NPOS;
}

static enum line_status plain(struct span in, size_t max)
{
    size_t end = plain_crlf(in);
    if (end == SPAN_NPOS) return in.n < max ? LINE_MORE : LINE_TOO_LONG;
    if (end + 2 > max) return LINE_TOO_LONG;
    struct span line = span_head(in, end);
    return span_find(line, '\n') != SPAN_NPOS   ? LINE_BARE_LF
           : span_find(line, '\r') != SPAN_NPOS ? LINE_BARE_CR
           : span_find(line, 0) != SPAN_NPOS    ? LINE_NUL
                                                : LINE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    size_t max = (size_t)data[0] + 2;
    struct span in = {data + 1, size - 1};
    while (in.n) {
        struct span line = {NULL, 0};
        size_t consumed = 0;
        enum line_status s = line_find(in, max, &line, &consumed);
        must(s == plain(in, max));
        if (s == LINE_MORE) break;
        must(consumed <= in.n);
        if (s == LINE_OK) must(line.p == in.p && line.n + 2 == consumed && consumed <= max);
        bool ended = consumed >= 2 && in.p[consumed - 1] == '\n' && in.p[consumed - 2] == '\r';
        must(ended == (plain_crlf(in) != SPAN_NPOS));
        if (ended) must(consumed == plain_crlf(in) + 2);
        in = span_skip(in, consumed);
        while (!ended && in.n) { /* the rest of an over-long line, in pieces of up to seven octets */
            size_t dropped = 0;
            struct span piece = span_head(in, 7);
            ended = line_skip(piece, &dropped);
            must(dropped <= piece.n && (ended || dropped + 1 >= piece.n));
            if (!ended && dropped == 0) return 0; /* a CR alone, at the end */
            in = span_skip(in, dropped);
        }
    }
    return 0;
}
