/* The timer wheel of the loop: four levels of 256 slots, set and stop in constant time. Separate from the loop so that it can
 * be tested in fake time. Times are milliseconds of any clock that does not go backward. */
#ifndef SYSTEM_LOOP_PRIVATE_H
#define SYSTEM_LOOP_PRIVATE_H

#include "system/loop.h"

enum { WHEEL_LEVELS = 4, WHEEL_SLOTS = 256 };

struct wheel {
    uint64_t base;                                   /* everything due at or before base has been called */
    struct timer *firing;                            /* what is left of the slot that is being called */
    uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64];   /* one bit for each slot that holds a timer */
    struct timer *slots[WHEEL_LEVELS * WHEEL_SLOTS]; /* lists */
};

void wheel_init(struct wheel *w, uint64_t now_ms);
/* t->fn must be set. A time that has passed means the next millisecond; one more than 2^32 - 1 ms ahead is cut to that. */
void wheel_set(struct wheel *w, struct timer *t, uint64_t due_ms);
void wheel_stop(struct wheel *w, struct timer *t);
/* Calls every timer that is due at now_ms, in order of time. */
void wheel_advance(struct wheel *w, uint64_t now_ms);
/* When wheel_advance must run next: never later than the first timer. False when no timer is set. */
bool wheel_next(const struct wheel *w, uint64_t *due_ms);

#endif
