/* base64 and hex: one text for one value. */
#include "base/base64.h"
#include "base/hex.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[2][4 * 4096];
    struct span in = {data, size};
    if (size > 4096) return 0;
    struct buf e = buf_on(memory[0], sizeof memory[0]), d = buf_on(memory[1], sizeof memory[1]);
    base64_encode(in, &e);
    must(e.n == BASE64_OCTETS(size));
    must(base64_decode(buf_span(&e), &d) && span_eq(buf_span(&d), in));
    d = buf_on(memory[1], sizeof memory[1]);
    if (base64_decode(in, &d)) { /* what is accepted is exactly what would have been written */
        e = buf_on(memory[0], sizeof memory[0]);
        base64_encode(buf_span(&d), &e);
        must(span_eq(buf_span(&e), in));
    } else {
        must(d.n == 0);
    }
    e = buf_on(memory[0], sizeof memory[0]);
    d = buf_on(memory[1], sizeof memory[1]);
    hex_encode(in, &e);
    must(hex_decode(buf_span(&e), &d) && span_eq(buf_span(&d), in));
    d = buf_on(memory[1], sizeof memory[1]);
    if (hex_decode(in, &d)) {
        e = buf_on(memory[0], sizeof memory[0]);
        hex_encode(buf_span(&d), &e);
        must(span_eq_nocase(buf_span(&e), in));
    }
    return 0;
}
