/* destination_group: limits of several next hops together. Groups come from the configuration: they are few, and stay. */
#include "spool/destination_private.h"

#include <stdlib.h>

static struct group *group_find(struct destinations *t, struct span name)
{
    for (uint32_t i = 0; i < t->n_groups; i++)
        if (span_eq(span_of(t->groups[i]->name, t->groups[i]->name_octets), name)) return t->groups[i];
    if (name.n > sizeof t->groups[0]->name || t->n_groups == LIMIT_DESTINATION_GROUPS) return NULL;
    struct group **grown = realloc(t->groups, (t->n_groups + 1) * sizeof(struct group *));
    if (!grown) return NULL;
    t->groups = grown;
    struct group *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    for (unsigned i = 0; i < ROW_COUNT; i++)
        list_begin(&g->blocked[i]);
    g->name_octets = (uint32_t)name.n;
    memcpy(g->name, name.p, name.n);
    t->groups[t->n_groups++] = g;
    return g;
}

/* As many of each row as have room now: there may be no slot for another row. Who has something else to wait for goes there. */
void destination_group_wake(struct destinations *t, struct group *g, uint64_t now_ms)
{
    for (unsigned row = 0; row < ROW_COUNT; row++)
        for (uint32_t n = g->active; n < g->limits.sessions_max && !list_empty(&g->blocked[row]); n++) {
            struct destination *d = LIST_OF(list_shift(&g->blocked[row]), struct destination, turn);
            d->lined = LINED_NOWHERE;
            destination_settle(t, d, now_ms);
        }
}

bool destinations_group(struct destinations *t, uint32_t destination, struct span name,
                        const struct destination_limits *limits, uint64_t now_ms)
{
    struct destination *d = t->all[destination];
    struct group *old = d->group, *g = name.n ? group_find(t, name) : NULL;
    if (name.n && !g) return false;
    if (g) g->limits = *limits;
    if (g == old) return true;
    if (d->lined == LINED_BLOCKED) {
        list_take(&d->turn);
        d->lined = LINED_NOWHERE;
    }
    if (old) old->active -= d->active;
    if (g) g->active += d->active;
    d->group = g;
    destination_settle(t, d, now_ms);
    if (old) destination_group_wake(t, old, now_ms);
    return true;
}
