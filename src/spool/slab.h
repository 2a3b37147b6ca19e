/* slab: memory for many small things of few sizes. Blocks of one size class come from chunks of 1 MiB and return to its free
 * list; what is larger comes from malloc. */
#ifndef SPOOL_SLAB_H
#define SPOOL_SLAB_H

#include "base/span.h"

#define SLAB_STEP    16
#define SLAB_CLASSES 64 /* up to 1024 octets */

struct slab {
    void *free[SLAB_CLASSES + 1];
    uint8_t *chunk; /* what is left of the newest chunk */
    size_t chunk_left;
    void *chunks; /* all, linked by their first word */
    size_t used;  /* octets handed out */
};

/* Not zeroed, aligned to 16; null: no memory. */
MUST_USE void *slab_take(struct slab *s, size_t octets);
/* octets: as it was taken. */
void slab_give(struct slab *s, void *p, size_t octets);
void slab_destroy(struct slab *s); /* everything of the classes; larger blocks must have been given back */

#endif
