/* schedule: which recipient is due when. Heaps of (time, message, recipient), one for those that are delivered here and one for those
 * that leave, so that neither stands behind the other; a recipient knows its place in its own. */
#ifndef SPOOL_SCHEDULE_H
#define SPOOL_SCHEDULE_H

#include "spool/index.h"

struct schedule_item {
    uint64_t due_ms;
    struct message *message;
    uint32_t recipient;
};
struct schedule_heap {
    struct schedule_item *items;
    size_t n, max;
};
struct schedule {
    struct schedule_heap local, outward; /* RECIPIENT_LOCAL; the others */
};

/* Puts it in, or moves it. False: no memory. */
MUST_USE bool schedule_set(struct schedule *s, struct message *m, uint32_t recipient, uint64_t due_ms);
void schedule_remove(struct schedule *s, struct message *m, uint32_t recipient);
void schedule_remove_all(struct schedule *s, struct message *m);
void schedule_moved(struct schedule *s, struct message *m); /* after index_grow */
/* The earliest of the local ones, of the others, or of both; null when there is none. */
const struct schedule_item *schedule_first(const struct schedule *s, bool local, bool outward);
/* A recipient's; null: it is not scheduled. */
const struct schedule_item *schedule_of(const struct schedule *s, struct message *m, uint32_t recipient);
void schedule_destroy(struct schedule *s);

/* How long to wait after that many attempts (1 or more): doubles from first to max, with up to a fifth more or less, but
 * never more than max, so that what failed together does not come back together. The same arguments give the same answer (simulation). RFC 5321 4.5.4.1. */
uint64_t schedule_back_off_ms(uint64_t seed, uint64_t id, uint32_t recipient, uint32_t attempts,
                              uint32_t first_seconds, uint32_t max_seconds);

#endif
