#include "system/pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without these a compromised edge could shorten the memory under the spooler's reads and kill it by SIGBUS. */
#define POOL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

size_t pool_octets(struct pool_geometry g)
{
    return (size_t)g.small * LIMIT_BLOCK_SMALL_OCTETS + (size_t)g.large * LIMIT_BLOCK_LARGE_OCTETS;
}

int pool_create(struct pool_geometry g)
{
    int fd = memfd_create("sallyport-pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (ftruncate(fd, (off_t)pool_octets(g)) != 0 || fcntl(fd, F_ADD_SEALS, POOL_SEALS) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Size and seals are as agreed, so that no access to the mapping can fault later. */
static bool pool_sound(int fd, struct pool_geometry g)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    return pool_octets(g) > 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == pool_octets(g) &&
           seals >= 0 && (seals & POOL_SEALS) == POOL_SEALS;
}

bool pool_map(struct pool *p, int fd, struct pool_geometry g)
{
    if (!pool_sound(fd, g)) return false;
    void *memory = mmap(NULL, pool_octets(g), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return false;
    uint32_t *stacks = calloc((size_t)g.small + g.large, sizeof *stacks);
    uint8_t *taken = calloc((size_t)g.small + g.large, 1);
    if (!stacks || !taken) {
        free(stacks);
        free(taken);
        munmap(memory, pool_octets(g));
        return false;
    }
    *p = (struct pool){memory, g, stacks, stacks + g.small, g.small, g.large, taken};
    /* the lowest block on top: memory that was never used stays untouched */
    for (uint32_t i = 0; i < g.small; i++)
        p->free_small[i] = g.small - 1 - i;
    for (uint32_t i = 0; i < g.large; i++)
        p->free_large[i] = g.small + g.large - 1 - i;
    return true;
}

void pool_unmap(struct pool *p)
{
    if (!p->memory) return;
    munmap(p->memory, pool_octets(p->geometry));
    free(p->free_small); /* both stacks */
    free(p->taken);
    *p = (struct pool){0};
}

const uint8_t *pool_map_read_only(int fd, struct pool_geometry g)
{
    if (!pool_sound(fd, g)) return NULL;
    void *memory = mmap(NULL, pool_octets(g), PROT_READ, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

uint32_t pool_take(struct pool *p, bool large)
{
    uint32_t *left = large ? &p->free_large_n : &p->free_small_n;
    if (*left == 0) return POOL_NONE;
    uint32_t block = (large ? p->free_large : p->free_small)[--*left];
    p->taken[block] = 1;
    return block;
}

void pool_give(struct pool *p, uint32_t block)
{
    /* A block given back twice would put two senders' mail into one block: better no process than that. */
    if (block >= p->geometry.small + p->geometry.large || !p->taken[block]) abort();
    p->taken[block] = 0;
    if (block < p->geometry.small)
        p->free_small[p->free_small_n++] = block;
    else
        p->free_large[p->free_large_n++] = block;
}
