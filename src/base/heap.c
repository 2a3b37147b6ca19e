#include "base/heap.h"

struct heap heap_on(struct heap_entry *entry, uint32_t *place, uint32_t max)
{
    if (max) memset(place, 0, max * sizeof *place);
    return (struct heap){entry, place, 0, max};
}

void heap_move(struct heap *h, struct heap_entry *entry, uint32_t *place, uint32_t max)
{
    if (h->n) memcpy(entry, h->entry, h->n * sizeof *entry);
    if (h->max) memcpy(place, h->place, h->max * sizeof *place);
    if (max > h->max) memset(place + h->max, 0, (max - h->max) * sizeof *place);
    h->entry = entry;
    h->place = place;
    h->max = max;
}

static void put(struct heap *h, uint32_t i, struct heap_entry e)
{
    h->entry[i] = e;
    h->place[e.item] = i + 1;
}

/* e stands at i in thought; moves it to where it belongs. */
static void sift(struct heap *h, uint32_t i, struct heap_entry e)
{
    for (; i > 0 && e.key < h->entry[(i - 1) / 2].key; i = (i - 1) / 2)
        put(h, i, h->entry[(i - 1) / 2]);
    for (;;) {
        size_t child = (size_t)i * 2 + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && h->entry[child + 1].key < h->entry[child].key) child++;
        if (h->entry[child].key >= e.key) break;
        put(h, i, h->entry[child]);
        i = (uint32_t)child;
    }
    put(h, i, e);
}

bool heap_set(struct heap *h, uint32_t item, uint64_t key)
{
    if (item >= h->max) return false;
    uint32_t i = h->place[item] ? h->place[item] - 1 : h->n++;
    sift(h, i, (struct heap_entry){key, item});
    return true;
}

bool heap_remove(struct heap *h, uint32_t item)
{
    if (!heap_has(h, item)) return false;
    uint32_t i = h->place[item] - 1;
    h->place[item] = 0;
    h->n--;
    if (i < h->n) sift(h, i, h->entry[h->n]);
    return true;
}

bool heap_has(const struct heap *h, uint32_t item)
{
    return item < h->max && h->place[item] != 0;
}

const struct heap_entry *heap_first(const struct heap *h)
{
    return h->n ? h->entry : NULL;
}
