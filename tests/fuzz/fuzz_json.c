/* The reader of the daemon's JSON lines: whatever a line holds, it ends, and strings come out without controls. */
#include <stdlib.h>

#include "cmd/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void walk(struct span raw, unsigned depth)
{
    char memory[4096];
    struct json j = json_enter(raw);
    struct span key, value;
    while (json_next(&j, &key, &value)) {
        struct buf b = buf_on(memory, sizeof memory);
        if (value.n == 0 || value.p < raw.p || value.p + value.n > raw.p + raw.n) abort();
        if (json_string(value, &b))
            for (size_t i = 0; i < b.n; i++)
                if (b.p[i] < 32 || b.p[i] == 127) abort();
        if (depth < 4) walk(value, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    walk((struct span){p, n}, 0);
    if (json_member((struct span){p, n}, "id").n > n) abort();
    return 0;
}
