#include "base/arena.h"

#include <stdlib.h>

enum { ALIGNMENT = 16, CHUNK_FIRST = 4096, CHUNK_MAX = 1 << 20 };

struct chunk {
    struct chunk *next;
    size_t n, max; /* octets taken, octets there are */
    _Alignas(ALIGNMENT) uint8_t p[];
};

struct arena {
    struct chunk *head;
    size_t used, max; /* octets taken of all chunks, rounded to the alignment; the ceiling */
    size_t next_chunk;
};

struct arena *arena_create(size_t max_octets)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a) {
        a->max = max_octets;
        a->next_chunk = CHUNK_FIRST;
    }
    return a;
}

void arena_destroy(struct arena **a)
{
    if (!a || !*a) return;
    for (struct chunk *c = (*a)->head, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(*a);
    *a = NULL;
}

void arena_wipe(struct arena *a)
{
    for (struct chunk *c = a->head; c; c = c->next)
        explicit_bzero(c->p, c->n);
}

/* A chunk with room for octets, in front of the list. The ceiling was checked. */
static struct chunk *chunk_add(struct arena *a, size_t octets)
{
    size_t size = a->next_chunk;
    if (size > a->max - a->used) size = a->max - a->used; /* never promise more than may be taken */
    if (size < octets) size = octets;
    if (size > SIZE_MAX - sizeof(struct chunk)) return NULL;
    struct chunk *c = calloc(1, sizeof *c + size);
    if (!c) return NULL;
    c->max = size;
    c->next = a->head;
    a->head = c;
    if (a->next_chunk < CHUNK_MAX) a->next_chunk *= 2;
    return c;
}

void *arena_take(struct arena *a, size_t octets)
{
    if (octets == 0) octets = 1; /* every take has an address of its own */
    if (octets > SIZE_MAX - ALIGNMENT) return NULL;
    octets = (octets + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (octets > a->max - a->used) return NULL;
    struct chunk *c = a->head;
    if (!c || c->max - c->n < octets) c = chunk_add(a, octets);
    if (!c) return NULL;
    void *p = c->p + c->n;
    c->n += octets;
    a->used += octets;
    return p;
}

void *arena_take_array(struct arena *a, size_t count, size_t octets_each)
{
    size_t octets;
    if (__builtin_mul_overflow(count, octets_each, &octets)) return NULL;
    return arena_take(a, octets);
}

struct span arena_copy(struct arena *a, struct span s)
{
    uint8_t *p = s.n < SIZE_MAX ? arena_take(a, s.n + 1) : NULL;
    if (!p) return (struct span){NULL, 0};
    if (s.n) memcpy(p, s.p, s.n);
    return (struct span){p, s.n};
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
