/* destination_private: the insides that destination.c, _group.c and _table.c share. */
#ifndef SPOOL_DESTINATION_PRIVATE_H
#define SPOOL_DESTINATION_PRIVATE_H

#include "base/heap.h"
#include "base/list.h"
#include "spool/destination.h"

struct rate { /* how many began in the interval that ends at end_ms */
    uint64_t end_ms;
    uint32_t n;
};

/* Who takes turns: those that have no transaction in hand, by standing, and those that have one. */
enum { ROW_MORE = DESTINATION_STANDING_COUNT, ROW_COUNT };

struct group { /* next hops that lead to the same exchangers */
    struct destination_limits limits;
    struct rate messages, connections;
    struct list blocked[ROW_COUNT]; /* members that wait for a session of it */
    uint32_t active, name_octets;
    uint8_t name[LIMIT_DOMAIN_OCTETS];
};

enum lined { LINED_NOWHERE, LINED_RUNNABLE, LINED_BLOCKED /* by its group */ };

struct destination {
    struct list turn; /* in its row, if it may begin now; or among those that its group blocks */
    struct list rest; /* among those that have nothing to do */
    uint64_t hash;
    struct destination_limits limits;
    struct ready_list queue;
    struct rate messages, connections;
    uint32_t number, active, sessions;
    uint32_t borrowed;       /* transactions in hand that were to use an idle session */
    uint32_t warm;           /* idle sessions that a relay probably still has, until warm_ms */
    uint32_t misses, rounds; /* since the last success: failures; back-offs */
    uint8_t standing, lined, row;
    struct group *group; /* null: none */
    uint64_t warm_ms, back_off_ms, idle_ms;
    uint64_t started, reached, missed, recipients;
    struct destination_failure *failure; /* with its texts behind it */
    uint32_t key_octets;
    uint8_t key[];
};

struct destinations {
    uint64_t seed;
    uint32_t slots, turn; /* turn: the standing that comes next */
    struct ready ready;
    struct group **groups;
    uint32_t n_groups;
    struct list runnable[ROW_COUNT];
    struct list idle; /* the one that rests longest is first */
    uint32_t n_idle;
    uint32_t active[DESTINATION_STANDING_COUNT], known[DESTINATION_STANDING_COUNT];
    uint32_t first[DESTINATION_STANDING_COUNT]; /* destinations with transactions in hand */
    uint32_t more;                              /* transactions in hand beside those first ones */
    struct destination **all;                   /* by number; null: free */
    uint32_t *free;                             /* numbers */
    uint32_t n, n_free, max;
    uint32_t *places; /* hash table of number + 1, twice as many as max */
    struct heap wake; /* by number */
    uint64_t octets;
};

/* destination_table.c */
struct destination *destination_find(const struct destinations *t, struct span key);
struct destination *destination_make(struct destinations *t, struct span key,
                                     const struct destination_limits *limits); /* null: no memory */
void destination_forget(struct destinations *t, struct destination *d);
void destination_keep_failure(struct destinations *t, struct destination *d,
                              const struct destination_failure *f);

/* When one more may begin by this rate; 0: at any time. */
static inline uint64_t rate_ms(const struct rate *r, const struct destination_rate *limit)
{
    return limit->max != DESTINATION_NO_MAX && r->n >= limit->max ? r->end_ms : 0;
}
static inline void rate_count(struct rate *r, const struct destination_rate *limit, uint64_t now_ms)
{
    if (now_ms >= r->end_ms) *r = (struct rate){now_ms + limit->interval_ms, 0};
    r->n++;
}

/* destination.c: after each change: it stands among those that may begin, waits for a time or for a session, or is forgotten */
void destination_settle(struct destinations *t, struct destination *d, uint64_t now_ms);
/* destination_group.c: a session of a member ended */
void destination_group_wake(struct destinations *t, struct group *g, uint64_t now_ms);

#endif
