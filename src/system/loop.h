/* loop: readiness and time. A thin layer over epoll (edge-triggered) with a timer wheel, nothing else. */
#ifndef SYSTEM_LOOP_H
#define SYSTEM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct watch;
typedef void watch_fn(struct watch *w, uint32_t events); /* LOOP_READ | LOOP_WRITE | LOOP_HUP */

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_HUP = 4,
    LOOP_FIN = 32 /* the peer's FIN is in the queue: read until the end, a short read is not the last */,
    LOOP_EXCLUSIVE = 8 /* listeners shared by edges */,
    LOOP_LEVEL = 16
};

struct watch { /* embed it; its owner keeps it alive until loop_forget, also within a callback */
    watch_fn *fn;
    int fd;
};

struct timer { /* embed it; zeroed before its first use */
    void (*fn)(struct timer *t);
    uint64_t due_ms;
    struct timer *next, **prev; /* private */
};

struct loop *loop_create(unsigned max_events_per_turn); /* null: errno */
void loop_destroy(struct loop **l);
/* Edge-triggered unless LOOP_LEVEL. False: errno. */
bool loop_watch(struct loop *l, struct watch *w, int fd, uint32_t interest, watch_fn *fn);
bool loop_change(struct loop *l, struct watch *w, uint32_t interest);
/* Forgets w and closes its descriptor, of which there must be no duplicate: one system call instead of two. */
void loop_close(struct loop *l, struct watch *w);
void loop_forget(struct loop *l, struct watch *w); /* pending events of this turn for w are dropped */

/* Millisecond resolution, at most 2^32 ms ahead; set again to move. fn may set it again. */
void loop_timer_set(struct loop *l, struct timer *t, uint64_t due_ms, void (*fn)(struct timer *));
void loop_timer_stop(struct loop *l, struct timer *t);

uint64_t loop_now_ms(const struct loop *l);  /* CLOCK_MONOTONIC, taken once a turn */
uint64_t loop_unix_ms(const struct loop *l); /* CLOCK_REALTIME, taken once a turn */

/* One turn: wait (at most until the next timer), call back. after_turn of loop_run is called when all events of a turn were
 * served: batches are flushed there. */
void loop_run(struct loop *l, void (*after_turn)(void *), void *context);
void loop_stop(struct loop *l);

#endif
