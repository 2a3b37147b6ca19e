/* EHLO replies of any server, line by line, and what is made of them written again. */
#include "smtp/ehlo.h"
#include "smtp/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[65536];
    struct span rest = {data, size};
    struct ehlo e = {0}, again = {0};
    while (rest.n) {
        struct span line = span_head(rest, span_find(rest, '\n'));
        ehlo_read_line(line, &e);
        rest = span_skip(rest, line.n + 1);
    }
    if (e.auth.n) must(e.auth.p >= data && e.auth.p + e.auth.n <= data + size && (e.extensions & EXT_AUTH));
    must(e.limit_rcptmax <= 999999 && e.limit_mailmax <= 999999);
    must(e.size == 0 || (e.extensions & EXT_SIZE));
    struct buf b = buf_on(memory, sizeof memory);
    ehlo_put(&b, span_of(data, size), &e);
    must(!b.over);
    size_t lines = 0;
    for (rest = buf_span(&b); rest.n; lines++) {
        size_t n = span_find(rest, '\n') + 1;
        struct reply_line r;
        must(n >= 2 && n <= 512 && reply_parse(span_head(rest, n - 2), &r) && r.code == 250 &&
             r.last == (n == rest.n));
        if (lines) ehlo_read_line(r.text, &again);
        rest = span_skip(rest, n);
    }
    must(lines == 1 + (size_t)__builtin_popcount(e.extensions) && again.extensions == e.extensions);
    must(again.size == e.size && again.limit_rcptmax == e.limit_rcptmax &&
         again.limit_mailmax == e.limit_mailmax);
    return 0;
}
