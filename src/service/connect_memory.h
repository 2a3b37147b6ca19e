/* connect_memory: which addresses answered and which did not, for a while; a table of fixed size in which newer knowledge replaces older. */
#ifndef SERVICE_CONNECT_MEMORY_H
#define SERVICE_CONNECT_MEMORY_H

#include "policy/network.h"

struct connect_memory;

struct connect_memory *connect_memory_create(uint64_t seed); /* null: no memory */
void connect_memory_free(struct connect_memory **m);
void connect_memory_note(struct connect_memory *m, const struct address *a, uint64_t now_ms, bool worked);
/* 0: it worked, 1: nothing is known, 2: it did not work. */
unsigned connect_memory_rank(const struct connect_memory *m, const struct address *a, uint64_t now_ms);

#endif
