/* Addresses and networks: what is read is written in a form that reads back as the same. */
#include "policy/network.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address a, back;
    struct network n[8] = {0};
    size_t count = 0;
    struct span rest = {data, size};
    while (rest.n && count < 8) {
        size_t end = span_find(rest, '\n');
        struct span one = span_head(rest, end);
        uint8_t memory[64];
        struct buf b = buf_on(memory, sizeof memory);
        if (address_parse(one, &a)) {
            address_put(&b, &a);
            must(!b.over && b.n <= 39 && address_parse(buf_span(&b), &back) &&
                 memcmp(&a, &back, sizeof a) == 0);
        }
        if (network_parse(one, &n[count])) {
            must(n[count].bits <= 128 && network_holds(&n[count], &n[count].base));
            count++;
        }
        rest = end == SPAN_NPOS ? span_skip(rest, rest.n) : span_skip(rest, end + 1);
    }
    bool wide = network_union_too_wide(n, count);
    for (size_t i = 0; i < count; i++) {
        bool v4 = n[i].bits >= 96 && address_is_v4(&n[i].base);
        if (n[i].bits < (v4 ? 104 : 32)) must(wide); /* one alone is enough */
    }
    return 0;
}
