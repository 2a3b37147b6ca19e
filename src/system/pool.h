/* pool: the block pool of one edge. Content of messages lies in a memfd made and sealed by the supervisor (F_SEAL_SHRINK |
 * GROW | SEAL): the edge maps it writable, the spooler read-only. Free lists live in the edge's private memory. */
#ifndef SYSTEM_POOL_H
#define SYSTEM_POOL_H

#include "base/limits.h"
#include "base/span.h"

struct pool_geometry {
    uint32_t small, large; /* blocks of each size */
};
#define POOL_NONE UINT32_MAX

struct pool { /* the edge's view */
    uint8_t *memory;
    struct pool_geometry geometry;
    uint32_t *free_small, *free_large; /* stacks */
    uint32_t free_small_n, free_large_n;
    uint8_t *taken; /* one octet a block: giving back what is free ends the process */
};

int pool_create(struct pool_geometry g);                           /* supervisor: a sealed memfd, or -1 */
bool pool_map(struct pool *p, int fd, struct pool_geometry g);     /* edge; checks size and seals */
void pool_unmap(struct pool *p);                                   /* accepts a zeroed one */
const uint8_t *pool_map_read_only(int fd, struct pool_geometry g); /* spooler; null on error */
size_t pool_octets(struct pool_geometry g);

/* POOL_NONE when there is none. */
uint32_t pool_take(struct pool *p, bool large);
void pool_give(struct pool *p, uint32_t block);
static inline uint32_t pool_block_octets(const struct pool *p, uint32_t block)
{
    return block < p->geometry.small ? LIMIT_BLOCK_SMALL_OCTETS : LIMIT_BLOCK_LARGE_OCTETS;
}
/* Where a block begins in the memory of that geometry; false for an index outside it. */
static inline bool pool_offset(struct pool_geometry g, uint32_t block, size_t *offset, uint32_t *octets)
{
    if (block < g.small) {
        *offset = (size_t)block * LIMIT_BLOCK_SMALL_OCTETS;
        *octets = LIMIT_BLOCK_SMALL_OCTETS;
        return true;
    }
    if (block - g.small >= g.large) return false;
    *offset =
        (size_t)g.small * LIMIT_BLOCK_SMALL_OCTETS + (size_t)(block - g.small) * LIMIT_BLOCK_LARGE_OCTETS;
    *octets = LIMIT_BLOCK_LARGE_OCTETS;
    return true;
}

#endif
