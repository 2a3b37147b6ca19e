/* Questions and answers about aliases: what is read is written as the same octets. */
#include "directory/expand.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 16];
    struct span in = {data, size < sizeof memory ? size : sizeof memory};
    struct buf b = buf_on(memory, sizeof memory);
    struct expand_question q;
    struct expand_answer a;
    if (expand_question_read(in, &q)) {
        expand_question_put(&b, &q);
        must(!b.over && span_eq(buf_span(&b), in));
    }
    b.n = 0;
    if (expand_answer_read(in, &a)) {
        struct wire w = wire_on(a.targets);
        struct expand_target t;
        uint32_t n = 0;
        while (expand_target_read(&w, &t)) {
            must(t.path.n > 0 && t.path.n <= EXPAND_PATH_OCTETS);
            n++;
        }
        must(wire_done(&w) && n == a.count);
        expand_answer_put(&b, &a);
        must(!b.over && span_eq(buf_span(&b), in));
    }
    return 0;
}
