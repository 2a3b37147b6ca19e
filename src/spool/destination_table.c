/* destination_table: all destinations, by number and by key. */
#include "spool/destination_private.h"

#include <stdlib.h>

#define FAILURE_HOST_OCTETS LIMIT_RESULT_HOST_OCTETS

static uint64_t hash_of(uint64_t seed, struct span key)
{
    uint64_t h = seed ^ key.n;
    for (size_t i = 0; i < key.n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, key.p + i, key.n - i < 8 ? key.n - i : 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15U;
        h ^= h >> 29;
        h = (h + seed) * 0xbf58476d1ce4e5b9U;
        h ^= h >> 32;
    }
    return h;
}

static uint32_t place_mask(const struct destinations *t)
{
    return t->max * 2 - 1;
}

static uint32_t *place_find(const struct destinations *t, uint64_t hash, struct span key)
{
    for (uint32_t at = (uint32_t)hash & place_mask(t);; at = (at + 1) & place_mask(t)) {
        if (t->places[at] == 0) return &t->places[at];
        const struct destination *d = t->all[t->places[at] - 1];
        if (d->hash == hash && span_eq(span_of(d->key, d->key_octets), key)) return &t->places[at];
    }
}

static void place_remove(struct destinations *t, const struct destination *d)
{
    uint32_t mask = place_mask(t);
    uint32_t hole = (uint32_t)(place_find(t, d->hash, span_of(d->key, d->key_octets)) - t->places);
    for (uint32_t at = (hole + 1) & mask; t->places[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)t->all[t->places[at] - 1]->hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it is nearer to its home than the hole */
        t->places[hole] = t->places[at];
        hole = at;
    }
    t->places[hole] = 0;
}

static bool grow(struct destinations *t)
{
    uint32_t max = t->max ? t->max * 2 : 64;
    if (max > LIMIT_DESTINATIONS) return false;
    struct destination **all = malloc(max * sizeof(struct destination *));
    uint32_t *unused = malloc(max * sizeof *unused), *places = calloc((size_t)max * 2, sizeof *places);
    struct heap_entry *entries = malloc(max * sizeof *entries);
    uint32_t *entry_places = malloc(max * sizeof *entry_places);
    if (!all || !unused || !places || !entries || !entry_places) {
        free(all), free(unused), free(places), free(entries), free(entry_places);
        return false;
    }
    for (uint32_t i = 0; i < max; i++)
        all[i] = i < t->max ? t->all[i] : NULL;
    if (t->n_free) memcpy(unused, t->free, t->n_free * sizeof *unused);
    for (uint32_t i = max; i > t->max; i--)
        unused[t->n_free++] = i - 1;
    struct heap_entry *old_entries = t->wake.entry;
    uint32_t *old_places = t->wake.place;
    heap_move(&t->wake, entries, entry_places, max);
    free(t->all), free(t->free), free(t->places), free(old_entries), free(old_places);
    t->all = all;
    t->free = unused;
    t->places = places;
    t->max = max;
    for (uint32_t i = 0; i < max; i++)
        if (all[i]) *place_find(t, all[i]->hash, span_of(all[i]->key, all[i]->key_octets)) = i + 1;
    return true;
}

struct destination *destination_find(const struct destinations *t, struct span key)
{
    uint32_t *place = t->max ? place_find(t, hash_of(t->seed, key), key) : NULL;
    return place && *place ? t->all[*place - 1] : NULL;
}

struct destination *destination_make(struct destinations *t, struct span key,
                                     const struct destination_limits *limits)
{
    if (t->n_free == 0 && !grow(t)) return NULL;
    struct destination *d = calloc(1, sizeof *d + key.n);
    if (!d) return NULL;
    list_begin(&d->turn);
    list_begin(&d->rest);
    d->hash = hash_of(t->seed, key);
    d->limits = *limits;
    d->sessions = limits->sessions_first;
    d->number = t->free[--t->n_free];
    d->key_octets = (uint32_t)key.n;
    if (key.n) memcpy(d->key, key.p, key.n);
    *place_find(t, d->hash, key) = d->number + 1;
    t->all[d->number] = d;
    t->n++;
    t->known[d->standing]++;
    t->octets += sizeof *d + key.n;
    return d;
}

static size_t failure_octets(const struct destination_failure *f)
{
    return f ? sizeof *f + f->text.n + f->host.n : 0;
}

void destination_forget(struct destinations *t, struct destination *d)
{
    place_remove(t, d);
    list_take(&d->turn);
    (void)heap_remove(&t->wake, d->number);
    t->all[d->number] = NULL;
    t->free[t->n_free++] = d->number;
    t->n--;
    t->known[d->standing]--;
    t->octets -= sizeof *d + d->key_octets + failure_octets(d->failure);
    free(d->failure);
    free(d);
}

void destination_keep_failure(struct destinations *t, struct destination *d,
                              const struct destination_failure *f)
{
    struct span text = span_head(f->text, LIMIT_RESULT_TEXT_OCTETS),
                host = span_head(f->host, FAILURE_HOST_OCTETS);
    struct destination_failure *kept = malloc(sizeof *kept + text.n + host.n);
    if (!kept) return;
    uint8_t *strings = (uint8_t *)(kept + 1);
    *kept = *f;
    kept->text = span_of(strings, text.n);
    kept->host = span_of(strings + text.n, host.n);
    if (text.n) memcpy(strings, text.p, text.n);
    if (host.n) memcpy(strings + text.n, host.p, host.n);
    t->octets += failure_octets(kept) - failure_octets(d->failure);
    free(d->failure);
    d->failure = kept;
}
