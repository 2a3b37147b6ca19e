/* What people and log readers see: no control, no broken UTF-8, whatever came in. */
#include "base/buf.h"
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void is_tame(struct buf *b)
{
    struct span rest = buf_span(b);
    must(!b->over && utf8_valid(rest));
    while (rest.n) {
        uint32_t code = 0;
        size_t n = utf8_next(rest, &code);
        must(n && !utf8_is_control(code));
        rest = span_skip(rest, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[6 * 4096 + 3];
    if (size == 0 || size > 4096) return 0;
    struct span in = {data + 1, size - 1};
    struct buf b = buf_on(memory, sizeof memory);
    buf_escaped(&b, in, data[0] * 16u);
    is_tame(&b);
    b = buf_on(memory, sizeof memory);
    buf_json(&b, in, data[0] * 16u);
    is_tame(&b);
    for (size_t i = 0; i < b.n; i++) { /* every quote has its backslash, every backslash its letter */
        must(b.p[i] != '"');
        if (b.p[i] != '\\') continue;
        i++;
        must(i < b.n && (b.p[i] == '"' || b.p[i] == '\\' || b.p[i] == 'u'));
    }
    return 0;
}
