/* heap: a queue by urgency: item numbers ordered by a key of 64 bits (a time, mostly), smallest first. Every operation is
 * O(log n) but a look at the first, O(1). An index by item number makes removal and change cheap, so the schedule of a
 * million messages needs no search. The memory is the caller's. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/span.h"

struct heap_entry {
    uint64_t key;
    uint32_t item;
};

struct heap {
    struct heap_entry *entry; /* max of them */
    uint32_t *place; /* by item number, max of them: index in entry + 1, 0 when the item is not in the heap */
    uint32_t n, max;
};

/* Empty, over memory of the caller: max entries and max places (they are cleared here). Items are 0 to max - 1. */
struct heap heap_on(struct heap_entry *entry, uint32_t *place, uint32_t max);
/* The same heap in larger memory; max is not below h->max. The old memory is free afterwards. */
void heap_move(struct heap *h, struct heap_entry *entry, uint32_t *place, uint32_t max);

/* Puts the item in, or changes its key when it is in. False when the number is not below max. */
MUST_USE bool heap_set(struct heap *h, uint32_t item, uint64_t key);
/* False when it was not in. */
bool heap_remove(struct heap *h, uint32_t item);
bool heap_has(const struct heap *h, uint32_t item);
/* The smallest key, null when empty; valid until the heap changes. Equal keys come in any order. */
const struct heap_entry *heap_first(const struct heap *h);

#endif
