#include "spool/slab.h"

#include <stdlib.h>

#define CHUNK_OCTETS 1048576

static size_t class_of(size_t octets)
{
    return (octets + SLAB_STEP - 1) / SLAB_STEP;
}

void *slab_take(struct slab *s, size_t octets)
{
    size_t c = class_of(octets ? octets : 1);
    if (c > SLAB_CLASSES) {
        void *p = malloc(octets);
        if (p) s->used += octets;
        return p;
    }
    void *p = s->free[c];
    if (p) {
        memcpy(&s->free[c], p, sizeof(void *));
    } else {
        if (s->chunk_left < c * SLAB_STEP) {
            uint8_t *chunk = malloc(CHUNK_OCTETS); /* the rest of the old one is lost: below 1024 octets */
            if (!chunk) return NULL;
            memcpy(chunk, &s->chunks, sizeof(void *));
            s->chunks = chunk;
            s->chunk = chunk + SLAB_STEP;
            s->chunk_left = CHUNK_OCTETS - SLAB_STEP;
        }
        p = s->chunk;
        s->chunk += c * SLAB_STEP;
        s->chunk_left -= c * SLAB_STEP;
    }
    s->used += c * SLAB_STEP;
    return p;
}

void slab_give(struct slab *s, void *p, size_t octets)
{
    size_t c = class_of(octets ? octets : 1);
    if (!p) return;
    if (c > SLAB_CLASSES) {
        s->used -= octets;
        free(p);
        return;
    }
    s->used -= c * SLAB_STEP;
    memcpy(p, &s->free[c], sizeof(void *));
    s->free[c] = p;
}

void slab_destroy(struct slab *s)
{
    while (s->chunks) {
        void *next;
        memcpy(&next, s->chunks, sizeof next);
        free(s->chunks);
        s->chunks = next;
    }
    memset(s, 0, sizeof *s);
}
