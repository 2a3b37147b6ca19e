/* ready: recipients that are due and wait for their next hop, in many first-in first-out lists over one memory: 32 octets each. What a
 * list gave out for an item (its ticket) finds it again, so one that leaves from the middle costs no search. */
#ifndef SPOOL_READY_H
#define SPOOL_READY_H

#include "base/span.h"

#define READY_NONE 0U /* no ticket */

struct ready_item {
    uint64_t id; /* message */
    uint32_t recipient;
    uint32_t sender; /* the caller's: which reverse-path of the message goes with it */
    uint32_t list;   /* number of the caller's */
    uint32_t next, prev;
};
_Static_assert(sizeof(struct ready_item) <= 32, "a million in one list cost at most 32 octets each");

struct ready {
    struct ready_item **pages;
    uint32_t n_pages, max_pages;
    uint32_t free; /* linked by next */
    uint32_t n;    /* items in lists */
};

struct ready_list { /* zeroed: empty */
    uint32_t first, last, n;
};

/* A ticket, or READY_NONE: no memory. It comes after all others. */
uint32_t ready_add(struct ready *r, struct ready_list *l, const struct ready_item *item);
/* The ticket is in that list. */
void ready_remove(struct ready *r, struct ready_list *l, uint32_t ticket);
/* Of a ticket that is in a list; valid until ready_add. */
const struct ready_item *ready_item(const struct ready *r, uint32_t ticket);
uint64_t ready_octets(const struct ready *r); /* of memory */
void ready_destroy(struct ready *r);

#endif
