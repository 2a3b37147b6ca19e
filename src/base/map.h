/* map: u64 -> u32 in open addressing, over memory of the caller, who also decides when it grows: map_set says no at three
 * quarters, map_move goes into a larger one. 16 octets a slot. The seed keeps a stranger who chooses keys from choosing
 * collisions. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map_slot {
    uint64_t key;
    uint32_t value;
    uint32_t used;
};

struct map {
    struct map_slot *slot;
    size_t slots; /* a power of two, at least 2 */
    size_t n;     /* keys in it */
    uint64_t seed;
};

/* Empty. slots is rounded down to a power of two; the slots are cleared here. */
struct map map_on(struct map_slot *slot, size_t slots, uint64_t seed);
/* Every key of from into the empty map to, which has at least as many slots. */
void map_move(const struct map *from, struct map *to);

/* The value, null when the key is not in; valid until the map changes. */
uint32_t *map_get(const struct map *m, uint64_t key);
/* Puts in or replaces. False when the key is new and the map is three quarters full. */
MUST_USE bool map_set(struct map *m, uint64_t key, uint32_t value);
bool map_remove(struct map *m, uint64_t key); /* false when it was not in */

/* All pairs in no order: begin with *at = 0; null at the end. The map must not change meanwhile. */
const struct map_slot *map_next(const struct map *m, size_t *at);

#endif
