#include "process/directory_turns.h"

#include <stdlib.h>

#include "policy/guess.h"

enum { BUCKETS = 1024 };

struct line {
    struct list in_ring; /* while somebody stands here */
    struct list standing;
};

struct turn_source {
    struct turn_source *next; /* of its bucket */
    struct address network;
    unsigned n; /* turns that have entered */
    struct line lines[LOGIN_QUEUES];
};

struct turns {
    struct list rings[LOGIN_QUEUES]; /* sources: the first one's turn is next */
    struct turn_source *buckets[BUCKETS];
};

struct turns *turns_create(void)
{
    struct turns *t = calloc(1, sizeof *t);
    for (unsigned q = 0; t && q < LOGIN_QUEUES; q++)
        list_begin(&t->rings[q]);
    return t;
}

void turns_free(struct turns **t)
{
    free(*t);
    *t = NULL;
}

/* Who chooses networks that share a bucket makes a chain of LIMIT_LOGINS at most. */
static struct turn_source **place_of(struct turns *t, const struct address *network)
{
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof network->octets; i++)
        h = (h ^ network->octets[i]) * UINT64_C(0x100000001b3);
    struct turn_source **p = &t->buckets[(h >> 32) % BUCKETS];
    while (*p && memcmp((*p)->network.octets, network->octets, sizeof network->octets) != 0)
        p = &(*p)->next;
    return p;
}

bool turns_enter(struct turns *t, struct turn *turn, const struct address *client)
{
    struct address network = guess_network(client, true).base;
    struct turn_source **p = place_of(t, &network), *s = *p;
    if (!s) {
        s = *p = calloc(1, sizeof *s);
        if (!s) return false;
        s->network = network;
        for (unsigned q = 0; q < LOGIN_QUEUES; q++) {
            list_begin(&s->lines[q].in_ring);
            list_begin(&s->lines[q].standing);
        }
    }
    if (s->n == LIMIT_LOGINS_PER_SOURCE) return false;
    s->n++;
    list_begin(&turn->in_line);
    turn->source = s;
    return true;
}

void turns_leave(struct turns *t, struct turn *turn)
{
    struct turn_source *s = turn->source;
    if (!s) return;
    turn->source = NULL;
    list_take(&turn->in_line);
    for (unsigned q = 0; q < LOGIN_QUEUES; q++)
        if (list_empty(&s->lines[q].standing)) list_take(&s->lines[q].in_ring);
    if (--s->n > 0) return;
    *place_of(t, &s->network) = s->next;
    free(s);
}

void turns_stand(struct turns *t, struct turn *turn, enum login_queue line)
{
    struct turn_source *s = turn->source;
    if (list_empty(&s->lines[line].standing)) list_append(&t->rings[line], &s->lines[line].in_ring);
    list_append(&s->lines[line].standing, &turn->in_line);
}

bool turn_stands(const struct turn *turn)
{
    return turn->source && !list_empty(&turn->in_line);
}

struct turn *turns_next(struct turns *t, enum login_queue line)
{
    struct list *first = list_shift(&t->rings[line]);
    if (!first) return NULL;
    struct line *l = LIST_OF(first, struct line, in_ring);
    struct list *turn = list_shift(&l->standing);
    if (!list_empty(&l->standing)) list_append(&t->rings[line], first);
    return LIST_OF(turn, struct turn, in_line);
}
