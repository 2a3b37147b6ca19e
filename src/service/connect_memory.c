#include "service/connect_memory.h"

#include <stdlib.h>

#include "base/limits.h"

struct entry {
    struct address address;
    uint64_t at_ms; /* 0: empty */
    bool worked;
};

struct connect_memory {
    uint64_t seed;
    struct entry entries[LIMIT_CONNECT_REMEMBERED];
};

struct connect_memory *connect_memory_create(uint64_t seed)
{
    struct connect_memory *m = calloc(1, sizeof *m);
    if (m) m->seed = seed;
    return m;
}

void connect_memory_free(struct connect_memory **m)
{
    free(*m);
    *m = NULL;
}

static size_t place(const struct connect_memory *m, const struct address *a)
{
    uint64_t half[2];
    memcpy(half, a->octets, sizeof half);
    uint64_t h = (half[0] ^ m->seed) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29 ^ half[1]) * UINT64_C(0xbf58476d1ce4e5b9);
    return (size_t)((h ^ h >> 32) % LIMIT_CONNECT_REMEMBERED);
}

void connect_memory_note(struct connect_memory *m, const struct address *a, uint64_t now_ms, bool worked)
{
    m->entries[place(m, a)] = (struct entry){*a, now_ms ? now_ms : 1, worked};
}

unsigned connect_memory_rank(const struct connect_memory *m, const struct address *a, uint64_t now_ms)
{
    const struct entry *e = &m->entries[place(m, a)];
    uint64_t seconds = e->worked ? LIMIT_CONNECT_WORKED_SECONDS : LIMIT_CONNECT_FAILED_SECONDS;
    if (!e->at_ms || memcmp(&e->address, a, sizeof *a) != 0 || now_ms - e->at_ms > seconds * 1000) return 1;
    return e->worked ? 0 : 2;
}
