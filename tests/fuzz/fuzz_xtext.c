/* xtext: what is encoded is valid if it was printable, and decodes to itself. */
#include "smtp/xtext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[3 * 4096], back[3 * 4096];
    struct span in = {data, size};
    if (size > 4096) return 0;
    bool printable = true;
    for (size_t i = 0; i < size; i++)
        printable &= data[i] >= ' ' && data[i] <= '~';
    struct buf x = buf_on(memory, sizeof memory), d = buf_on(back, sizeof back);
    xtext_encode(in, &x);
    must(!x.over && xtext_valid(buf_span(&x)) == printable);
    xtext_decode(buf_span(&x), &d);
    must(!d.over && span_eq(buf_span(&d), in));
    if (!xtext_valid(in)) return 0;
    d = buf_on(back, sizeof back);
    xtext_decode(in, &d);
    must(!d.over && d.n <= size);
    for (size_t i = 0; i < d.n; i++)
        must(d.p[i] >= ' ' && d.p[i] <= '~');
    return 0;
}
