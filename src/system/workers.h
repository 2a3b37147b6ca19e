/* workers: threads for work that computes for long or waits, beside a loop that must not. A task is worked in one thread from beginning to
 * end and comes back to the loop's thread. */
#ifndef SYSTEM_WORKERS_H
#define SYSTEM_WORKERS_H

#include "system/loop.h"

struct worker_task { /* embed it; its owner leaves it alone from workers_submit until done */
    struct worker_task *next;
};
struct workers;
/* In a thread. state: of that thread, see workers_create. */
typedef void worker_fn(struct worker_task *task, void *state);
/* In the loop's thread, once for each task, in no order. */
typedef void worker_done_fn(void *context, struct worker_task *task);

/* threads: 1..WORKERS_MAX. states: one a thread, borrowed. Null: no memory or no descriptor. */
struct workers *workers_create(struct loop *l, unsigned threads, void *const *states, worker_fn *work,
                               worker_done_fn *done, void *context);
/* Before workers_start: its threads give way to whatever else wants to run on this machine, so that long computations do not delay who
 * answers quickly. */
void workers_give_way(struct workers *w); /* accepts null */
bool workers_start(struct workers *w);    /* makes the threads; false: it could not */
void workers_submit(struct workers *w, struct worker_task *task);
/* Waits for what is being worked; what waits is dropped (done is not called for it). Accepts null. */
void workers_free(struct workers **w);

#define WORKERS_MAX 16

#endif
