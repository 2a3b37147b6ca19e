/* arena: memory of one lifetime, with a ceiling. The only place of the pure rooms that calls malloc. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena;

struct arena *arena_create(size_t max_octets); /* null: no memory */
void arena_destroy(struct arena **a);          /* accepts null and frees all at once */
void arena_wipe(struct arena *a); /* zeroes all that was taken: before destroy, when secrets were in it */
/* Zeroed, aligned for anything; null when the ceiling or memory is reached. */
MUST_USE void *arena_take(struct arena *a, size_t octets);
MUST_USE void *arena_take_array(struct arena *a, size_t count, size_t octets_each); /* overflow-checked */
/* A copy with a NUL behind it (not counted); p null when there is no memory. */
MUST_USE struct span arena_copy(struct arena *a, struct span s);
size_t arena_used(const struct arena *a);

#endif
