/* libunbound's events (unbound-event.h) on our loop. One event is a descriptor's readiness, a timer, or both; it fires once, or again
 * and again (PERSIST), until it is taken off. An event may be freed inside its own call. */
#include <stdlib.h>
#include <sys/time.h>
#include <unbound-event.h>

#include "base/list.h"
#include "system/dns_private.h"

struct base {
    struct ub_event_base super; /* first: libunbound knows nothing else */
    struct loop *loop;
};

struct event {
    struct ub_event super; /* first */
    struct base *base;
    struct watch watch;
    struct timer timer;
    int fd;
    short bits;
    bool watched, timed;
    uint64_t period_ms; /* PERSIST: the timer begins anew after each call */
    void (*call)(int fd, short bits, void *argument);
    void *argument;
};

static struct event *event_of(struct ub_event *e)
{
    return (struct event *)(void *)e;
}

static void rest(struct event *e)
{
    if (e->watched) loop_forget(e->base->loop, &e->watch);
    if (e->timed) loop_timer_stop(e->base->loop, &e->timer);
    e->watched = e->timed = false;
}

static void on_timer(struct timer *t);

static void set_timer(struct event *e)
{
    e->timed = true;
    loop_timer_set(e->base->loop, &e->timer, loop_now_ms(e->base->loop) + e->period_ms, on_timer);
}

/* The call may free e: nothing of it is used afterwards. */
static void fire(struct event *e, short what)
{
    bool timed = e->timed || what == UB_EV_TIMEOUT;
    if (!(e->bits & UB_EV_PERSIST))
        rest(e);
    else if (timed)
        set_timer(e);
    e->call(e->fd, what, e->argument);
}

static void on_timer(struct timer *t)
{
    struct event *e = LIST_OF(t, struct event, timer);
    e->timed = false;
    fire(e, UB_EV_TIMEOUT);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct event *e = LIST_OF(w, struct event, watch);
    short what = 0;
    if (events & (LOOP_READ | LOOP_HUP | LOOP_FIN)) what |= UB_EV_READ;
    if (events & (LOOP_WRITE | LOOP_HUP)) what |= UB_EV_WRITE;
    what &= e->bits;
    if (what) fire(e, what);
}

/* ---- what libunbound calls */

static void event_add_bits(struct ub_event *u, short bits)
{
    event_of(u)->bits |= bits;
}

static void event_del_bits(struct ub_event *u, short bits)
{
    event_of(u)->bits &= (short)~bits;
}

static void event_set_fd(struct ub_event *u, int fd)
{
    event_of(u)->fd = fd;
}

static void event_free(struct ub_event *u)
{
    struct event *e = event_of(u);
    rest(e);
    free(e);
}

static int event_add(struct ub_event *u, struct timeval *after)
{
    struct event *e = event_of(u);
    rest(e);
    if (e->bits & (UB_EV_READ | UB_EV_WRITE)) {
        uint32_t interest = LOOP_LEVEL | (e->bits & UB_EV_READ ? (uint32_t)LOOP_READ : 0) |
                            (e->bits & UB_EV_WRITE ? (uint32_t)LOOP_WRITE : 0);
        if (!loop_watch(e->base->loop, &e->watch, e->fd, interest, on_ready)) return -1;
        e->watched = true;
    }
    if (after) {
        e->period_ms = (uint64_t)after->tv_sec * 1000 + ((uint64_t)after->tv_usec + 999) / 1000;
        set_timer(e);
    }
    return 0;
}

static int event_del(struct ub_event *u)
{
    rest(event_of(u));
    return 0;
}

static int event_add_timer(struct ub_event *u, struct ub_event_base *base, void (*call)(int, short, void *),
                           void *argument, struct timeval *after)
{
    struct event *e = event_of(u);
    (void)base;
    e->call = call;
    e->argument = argument;
    return event_add(u, after);
}

static int event_no_signal(struct ub_event *u, struct timeval *after)
{
    (void)u, (void)after;
    return -1;
}

static int event_no_signal_del(struct ub_event *u)
{
    (void)u;
    return -1;
}

static void event_no_windows(struct ub_event *u)
{
    (void)u;
}

static void event_no_windows_block(struct ub_event *u, int bits)
{
    (void)u, (void)bits;
}

static struct ub_event_vmt event_calls = {
    .add_bits = event_add_bits,
    .del_bits = event_del_bits,
    .set_fd = event_set_fd,
    .free = event_free,
    .add = event_add,
    .del = event_del,
    .add_timer = event_add_timer,
    .del_timer = event_del,
    .add_signal = event_no_signal,
    .del_signal = event_no_signal_del,
    .winsock_unregister_wsaevent = event_no_windows,
    .winsock_tcp_wouldblock = event_no_windows_block,
};

static struct ub_event *base_new_event(struct ub_event_base *u, int fd, short bits,
                                       void (*call)(int, short, void *), void *argument)
{
    struct event *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->super = (struct ub_event){UB_EVENT_MAGIC, &event_calls};
    e->base = (struct base *)(void *)u;
    e->fd = fd;
    e->bits = bits;
    e->call = call;
    e->argument = argument;
    return &e->super;
}

static void base_no_free(struct ub_event_base *u)
{
    (void)u; /* dns_event_base_free does, when its owner says so */
}

static int base_no_dispatch(struct ub_event_base *u)
{
    (void)u;
    return -1;
}

static int base_no_exit(struct ub_event_base *u, struct timeval *after)
{
    (void)u, (void)after;
    return -1;
}

static struct ub_event *base_no_signal(struct ub_event_base *u, int fd, void (*call)(int, short, void *),
                                       void *argument)
{
    (void)u, (void)fd, (void)call, (void)argument;
    return NULL;
}

static struct ub_event *base_no_windows(struct ub_event_base *u, void *wsaevent,
                                        void (*call)(int, short, void *), void *argument)
{
    (void)u, (void)wsaevent, (void)call, (void)argument;
    return NULL;
}

static struct ub_event_base_vmt base_calls = {
    .free = base_no_free,
    .dispatch = base_no_dispatch,
    .loopexit = base_no_exit,
    .new_event = base_new_event,
    .new_signal = base_no_signal,
    .winsock_register_wsaevent = base_no_windows,
};

struct ub_event_base *dns_event_base_create(struct loop *l)
{
    struct base *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->super = (struct ub_event_base){UB_EVENT_MAGIC, &base_calls};
    b->loop = l;
    return &b->super;
}

void dns_event_base_free(struct ub_event_base **b)
{
    free(*b);
    *b = NULL;
}
