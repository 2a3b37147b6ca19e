/* tls_arena: the memory of OpenSSL in a process: one region, mapped at start, with a ceiling. Chunks of 64 KiB serve one
 * size class each (16 octets .. 32 KiB) or, joined, one large request; a chunk whose last object was freed is anybody's again. Book-keeping lies
 * outside the objects, so that an overflow in the library does not become a write anywhere. */
#ifndef SYSTEM_TLS_ARENA_H
#define SYSTEM_TLS_ARENA_H

#include "base/span.h"

#define TLS_ARENA_CHUNK_OCTETS 65536

/* Maps the region: max_octets rounded down to whole chunks. False: too small, the map failed, or there is one already. */
MUST_USE bool tls_arena_map(size_t max_octets);
/* For tests: unmaps it; nothing of it may be in use. */
void tls_arena_unmap(void);

/* As malloc, realloc and free; 16-octet alignment. Null: size 0, or the ceiling is reached. */
void *tls_arena_take(size_t n);
void *tls_arena_resize(void *p, size_t n);
void tls_arena_give(void *p); /* accepts null; a pointer that was never taken ends the process */

struct tls_arena_count {
    size_t used, peak, max; /* octets of whole objects (classes, not requests) */
    size_t chunks;          /* chunks that hold something */
    uint64_t refused;
};
struct tls_arena_count tls_arena_count(void);

/* madvise(MADV_DONTNEED) on free chunks that were touched. Returns octets given back. */
size_t tls_arena_trim(void);

#endif
