#include "system/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "system/loop_private.h"

struct loop {
    struct wheel wheel;
    uint64_t now_ms, unix_ms;
    int epoll_fd;
    bool stopped;
    int max_events, n_events, at; /* events[at] is being served */
    struct epoll_event events[];
};

static uint64_t clock_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void take_time(struct loop *l)
{
    l->now_ms = clock_ms(CLOCK_MONOTONIC);
    l->unix_ms = clock_ms(CLOCK_REALTIME);
}

struct loop *loop_create(unsigned max_events_per_turn)
{
    if (max_events_per_turn == 0 || max_events_per_turn > 4096) {
        errno = EINVAL;
        return NULL;
    }
    struct loop *l = calloc(1, sizeof *l + max_events_per_turn * sizeof l->events[0]);
    if (!l) return NULL;
    l->max_events = (int)max_events_per_turn;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0) {
        free(l);
        return NULL;
    }
    take_time(l);
    wheel_init(&l->wheel, l->now_ms);
    return l;
}

void loop_destroy(struct loop **l)
{
    if (!*l) return;
    close((*l)->epoll_fd);
    free(*l);
    *l = NULL;
}

static uint32_t epoll_bits(uint32_t interest)
{
    return (interest & LOOP_READ ? (uint32_t)EPOLLIN : 0) | (interest & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) |
           (interest & LOOP_EXCLUSIVE ? (uint32_t)EPOLLEXCLUSIVE : 0) |
           (interest & LOOP_LEVEL ? 0 : (uint32_t)EPOLLET | EPOLLRDHUP);
}

bool loop_watch(struct loop *l, struct watch *w, int fd, uint32_t interest, watch_fn *fn)
{
    struct epoll_event e = {.events = epoll_bits(interest), .data.ptr = w};
    w->fn = fn;
    w->fd = fd;
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

bool loop_change(struct loop *l, struct watch *w, uint32_t interest)
{
    struct epoll_event e = {.events = epoll_bits(interest), .data.ptr = w};
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e) == 0;
}

static void drop_events(struct loop *l, const struct watch *w)
{
    for (int i = l->at; i < l->n_events; i++)
        if (l->events[i].data.ptr == w) l->events[i].data.ptr = NULL;
}

void loop_forget(struct loop *l, struct watch *w)
{
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL); /* fails only when it was not watched */
    drop_events(l, w);
}

void loop_close(struct loop *l, struct watch *w)
{
    close(w->fd); /* the last descriptor of the socket: epoll forgets it by itself */
    drop_events(l, w);
}

void loop_timer_set(struct loop *l, struct timer *t, uint64_t due_ms, void (*fn)(struct timer *))
{
    t->fn = fn;
    wheel_set(&l->wheel, t, due_ms);
}

void loop_timer_stop(struct loop *l, struct timer *t)
{
    wheel_stop(&l->wheel, t);
}

uint64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

uint64_t loop_unix_ms(const struct loop *l)
{
    return l->unix_ms;
}

static int wait_ms(const struct loop *l)
{
    uint64_t due;
    if (!wheel_next(&l->wheel, &due)) return -1;
    uint64_t now = clock_ms(CLOCK_MONOTONIC);
    if (due <= now) return 0;
    return due - now > 3600000 ? 3600000 : (int)(due - now);
}

static void serve_events(struct loop *l)
{
    for (l->at = 0; l->at < l->n_events; l->at++) {
        struct watch *w = l->events[l->at].data.ptr;
        uint32_t e = l->events[l->at].events;
        if (!w) continue;
        w->fn(w, (e & EPOLLIN ? (uint32_t)LOOP_READ : 0) | (e & EPOLLOUT ? (uint32_t)LOOP_WRITE : 0) |
                     (e & (EPOLLHUP | EPOLLERR) ? (uint32_t)LOOP_HUP : 0) |
                     (e & EPOLLRDHUP ? (uint32_t)LOOP_FIN : 0));
    }
    l->n_events = 0;
}

void loop_run(struct loop *l, void (*after_turn)(void *), void *context)
{
    l->stopped = false;
    while (!l->stopped) {
        int n = epoll_wait(l->epoll_fd, l->events, l->max_events, wait_ms(l));
        take_time(l);
        l->n_events = n > 0 ? n : 0; /* EINTR: no event, timers may be due */
        serve_events(l);
        wheel_advance(&l->wheel, l->now_ms);
        if (after_turn) after_turn(context);
    }
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
