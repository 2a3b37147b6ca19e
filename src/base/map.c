#include "base/map.h"

struct map map_on(struct map_slot *slot, size_t slots, uint64_t seed)
{
    while (slots & (slots - 1))
        slots &= slots - 1;
    if (slots) memset(slot, 0, slots * sizeof *slot);
    return (struct map){slot, slots, 0, seed};
}

/* The slot where a key's search begins: the finaliser of splitmix64 over key and seed. */
static size_t home(const struct map *m, uint64_t key)
{
    uint64_t h = key ^ m->seed;
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(h ^ h >> 31) & (m->slots - 1);
}

/* The key's slot, or the free one where its search ends. There is always a free one. */
static size_t seek(const struct map *m, uint64_t key)
{
    size_t i = home(m, key);
    while (m->slot[i].used && m->slot[i].key != key)
        i = (i + 1) & (m->slots - 1);
    return i;
}

uint32_t *map_get(const struct map *m, uint64_t key)
{
    if (m->n == 0) return NULL;
    struct map_slot *s = &m->slot[seek(m, key)];
    return s->used ? &s->value : NULL;
}

bool map_set(struct map *m, uint64_t key, uint32_t value)
{
    if (m->slots < 2) return false;
    struct map_slot *s = &m->slot[seek(m, key)];
    if (!s->used) {
        if (m->n + 1 > m->slots - (m->slots + 3) / 4) return false;
        m->n++;
    }
    *s = (struct map_slot){key, value, 1};
    return true;
}

bool map_remove(struct map *m, uint64_t key)
{
    if (m->n == 0) return false;
    size_t mask = m->slots - 1, hole = seek(m, key);
    if (!m->slot[hole].used) return false;
    /* What stands behind moves up unless its search begins behind the hole: no tombstones, so age costs nothing. */
    for (size_t i = (hole + 1) & mask; m->slot[i].used; i = (i + 1) & mask) {
        size_t h = home(m, m->slot[i].key);
        if (((i - h) & mask) >= ((i - hole) & mask)) {
            m->slot[hole] = m->slot[i];
            hole = i;
        }
    }
    m->slot[hole] = (struct map_slot){0};
    m->n--;
    return true;
}

void map_move(const struct map *from, struct map *to)
{
    const struct map_slot *s;
    size_t at = 0;
    while ((s = map_next(from, &at))) {
        to->slot[seek(to, s->key)] = *s;
        to->n++;
    }
}

const struct map_slot *map_next(const struct map *m, size_t *at)
{
    while (*at < m->slots) {
        const struct map_slot *s = &m->slot[(*at)++];
        if (s->used) return s;
    }
    return NULL;
}
