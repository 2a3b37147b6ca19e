/* Replies: reading what any server may send, and writing text that any client may have chosen. */
#include "base/limits.h"
#include "smtp/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void is_one_line(struct buf *b)
{
    must(!b->over && b->n >= 6 && b->n <= LIMIT_REPLY_LINE_OCTETS);
    must(b->p[b->n - 2] == '\r' && b->p[b->n - 1] == '\n');
    for (size_t i = 0; i + 2 < b->n; i++)
        must(b->p[i] >= ' ' && b->p[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {data, size};
    uint8_t memory[LIMIT_REPLY_LINE_OCTETS];
    struct reply_line r;
    struct enhanced e = {0, 0, 0};
    size_t n = enhanced_parse(in, &e);
    must(n <= size && n <= 9 && (n == 0) == (e.class == 0));
    struct buf b = buf_on(memory, sizeof memory);
    reply_put(&b, 550, "5.1.1", in);
    is_one_line(&b);
    must(reply_parse(span_head(buf_span(&b), b.n - 2), &r) && r.code == 550 && r.last &&
         r.enhanced.class == 5);
    b = buf_on(memory, sizeof memory);
    reply_put_line(&b, 250, in, false);
    is_one_line(&b);
    must(reply_parse(span_head(buf_span(&b), b.n - 2), &r) && r.code == 250 && !r.last);
    if (!reply_parse(in, &r)) return 0;
    must(r.code >= 200 && r.code <= 599);
    must(r.enhanced.class == 0 || r.enhanced.class == r.code / 100);
    if (r.text.n) must(r.text.p == data + 4 && r.text.n == size - 4);
    return 0;
}
