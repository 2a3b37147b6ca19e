/* End of data, three ways: against an automaton that looks at one octet after the other; whole against cut anywhere; and
 * stuffed, then unstuffed. */
#include "smtp/dot.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 8192, LINE = 100 };

static void must(bool b)
{
    if (!b) abort();
}

struct result {
    struct buf content;
    size_t end; /* octets consumed, SPAN_NPOS when the data has not ended */
    uint8_t found;
};

static struct result result_on(uint8_t *memory, size_t n)
{
    return (struct result){buf_on(memory, n), SPAN_NPOS, 0};
}

/* One octet after the other; the input ends the data at some place. */
static void plain(struct span in, bool normalize, struct result *r)
{
    bool line_start = true;
    size_t line = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i], next = i + 1 < in.n ? in.p[i + 1] : 0;
        if (line_start && c == '.') {
            if (next == '\r' && i + 2 < in.n && in.p[i + 2] == '\n') {
                r->end = i + 3;
                return;
            }
            line_start = false;
            continue;
        }
        bool behind_cr = i > 0 && in.p[i - 1] == '\r', bare_lf = c == '\n' && !behind_cr;
        if (c == '\r' && next != '\n') r->found |= DOT_BARE_CR;
        if (bare_lf) r->found |= DOT_BARE_LF;
        if (c == 0) r->found |= DOT_NUL;
        if (c > 127) r->found |= DOT_8BIT;
        if (bare_lf && normalize) buf_byte(&r->content, '\r');
        buf_byte(&r->content, c);
        line += 1 + (bare_lf && normalize);
        if (line > LINE) r->found |= DOT_LONG_LINE;
        line_start = c == '\n' && behind_cr;
        if (line_start || (bare_lf && normalize)) line = 0;
    }
}

/* In pieces whose lengths come from cuts (none: whole). */
static void pieces(struct span in, struct span cuts, bool normalize, struct result *r)
{
    struct dot d;
    size_t at = 0, cut = 0;
    dot_begin(&d, LINE, normalize);
    while (at < in.n && r->end == SPAN_NPOS) {
        size_t n = cut < cuts.n ? (size_t)cuts.p[cut++] + 1 : in.n;
        struct span piece = span_head(span_skip(in, at), n), slice = {NULL, 0};
        size_t before = piece.n;
        enum dot_event e;
        while ((e = dot_next(&d, &piece, &slice)) != DOT_MORE && e != DOT_END) {
            if (e == DOT_CR) {
                must(normalize && piece.n && piece.p[0] == '\n');
                buf_byte(&r->content, '\r');
            } else {
                must(slice.n > 0);
                buf_put(&r->content, slice);
            }
        }
        if (e == DOT_MORE) must(piece.n == 0);
        at += before - piece.n;
        if (e == DOT_END) r->end = at;
    }
    r->found = d.found;
}

static void same(const struct result *a, const struct result *b)
{
    must(!a->content.over && !b->content.over && a->end == b->end && a->found == b->found);
    must(span_eq(buf_span(&a->content), buf_span(&b->content)));
}

static void stuff_and_back(struct span in, struct span cuts)
{
    static uint8_t wire[2 * MAX + 8], back[2 * MAX + 8];
    struct buf b = buf_on(wire, sizeof wire);
    struct result r = result_on(back, sizeof back);
    uint8_t state = 0;
    size_t cut = 0;
    for (struct span rest = in; rest.n;) {
        size_t n = cut < cuts.n ? (size_t)cuts.p[cut++] + 1 : rest.n;
        dot_stuff(&state, span_head(rest, n), &b);
        rest = span_skip(rest, n);
    }
    dot_finish(&state, &b);
    must(!b.over);
    pieces(buf_span(&b), cuts, false, &r);
    must(r.end == b.n);
    bool whole = in.n == 0 || (in.n > 1 && in.p[in.n - 1] == '\n' && in.p[in.n - 2] == '\r');
    must(r.content.n == in.n + (whole ? 0 : 2) && span_eq(span_head(buf_span(&r.content), in.n), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t text[MAX + 8], memory[3][2 * MAX + 16];
    if (size < 2 || size > MAX) return 0;
    bool normalize = data[0] & 1;
    size_t n_cuts = data[1] < size - 2 ? data[1] : size - 2;
    struct span cuts = {data + 2, n_cuts}, in = {data + 2 + n_cuts, size - 2 - n_cuts};
    struct buf b = buf_on(text, sizeof text);
    buf_put(&b, in);
    buf_put(&b, SPAN("\r\n.\r\n"));
    struct result want = result_on(memory[0], sizeof memory[0]),
                  whole = result_on(memory[1], sizeof memory[1]),
                  cut = result_on(memory[2], sizeof memory[2]);
    plain(buf_span(&b), normalize, &want);
    pieces(buf_span(&b), (struct span){NULL, 0}, normalize, &whole);
    pieces(buf_span(&b), cuts, normalize, &cut);
    same(&want, &whole);
    same(&want, &cut);
    stuff_and_back(in, cuts);
    return 0;
}
