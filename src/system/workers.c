#include "system/workers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A third of the share of others; and a long slice: since Linux 6.12 whoever wakes up with an ordinary one (3 ms) need not wait for its end.
 * Older kernels take the nice value alone. */
enum { GIVES_WAY_NICE = 5, GIVES_WAY_SLICE_NANOSECONDS = 100000000 };

struct attributes { /* struct sched_attr of linux/sched/types.h, version 0 */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

struct queue {
    struct worker_task *first, **last;
};

struct worker {
    struct workers *all;
    void *state;
    pthread_t id;
    bool runs;
};

struct workers {
    struct watch watch; /* of the eventfd: tasks came back */
    struct loop *loop;
    worker_fn *work;
    worker_done_fn *done;
    void *context;
    struct worker threads[WORKERS_MAX];
    unsigned n;
    bool gives_way;
    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t changed;
    struct queue waiting, finished;
    bool stop;
};

static void put(struct queue *q, struct worker_task *t)
{
    t->next = NULL;
    *q->last = t;
    q->last = &t->next;
}

static struct worker_task *take(struct queue *q)
{
    struct worker_task *t = q->first;
    if (!t) return NULL;
    q->first = t->next;
    if (!q->first) q->last = &q->first;
    return t;
}

static void give_way(void)
{
    const struct attributes a = {.size = sizeof a,
                                 .policy = SCHED_OTHER,
                                 .nice = GIVES_WAY_NICE,
                                 .runtime = GIVES_WAY_SLICE_NANOSECONDS};
    (void)syscall(SYS_sched_setattr, 0, &a, 0); /* of this thread */
}

static void *run(void *argument)
{
    struct worker *me = argument;
    struct workers *w = me->all;
    if (w->gives_way) give_way();
    pthread_mutex_lock(&w->mutex);
    while (!w->stop) {
        struct worker_task *t = take(&w->waiting);
        if (!t) {
            pthread_cond_wait(&w->changed, &w->mutex);
            continue;
        }
        pthread_mutex_unlock(&w->mutex);
        w->work(t, me->state);
        pthread_mutex_lock(&w->mutex);
        bool first = w->finished.first == NULL;
        put(&w->finished, t);
        if (first) (void)!write(w->watch.fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static void came_back(struct watch *watch, uint32_t events)
{
    struct workers *w = (struct workers *)(void *)((char *)watch - offsetof(struct workers, watch));
    uint64_t count;
    (void)events;
    while (read(watch->fd, &count, sizeof count) == (ssize_t)sizeof count) {
    }
    pthread_mutex_lock(&w->mutex);
    struct worker_task *t = w->finished.first;
    w->finished = (struct queue){NULL, &w->finished.first};
    pthread_mutex_unlock(&w->mutex);
    while (t) {
        struct worker_task *next = t->next;
        w->done(w->context, t);
        t = next;
    }
}

struct workers *workers_create(struct loop *l, unsigned threads, void *const *states, worker_fn *work,
                               worker_done_fn *done, void *context)
{
    struct workers *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->loop = l;
    w->n = threads < WORKERS_MAX ? threads : WORKERS_MAX;
    w->work = work;
    w->done = done;
    w->context = context;
    w->waiting.last = &w->waiting.first;
    w->finished.last = &w->finished.first;
    for (unsigned i = 0; i < w->n; i++)
        w->threads[i] = (struct worker){.all = w, .state = states[i]};
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd >= 0 && loop_watch(l, &w->watch, fd, LOOP_READ, came_back)) return w;
    if (fd >= 0) close(fd);
    free(w);
    return NULL;
}

void workers_give_way(struct workers *w)
{
    if (w) w->gives_way = true;
}

bool workers_start(struct workers *w)
{
    sigset_t all, before;
    bool ok = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    for (unsigned i = 0; ok && i < w->n; i++)
        ok = w->threads[i].runs = pthread_create(&w->threads[i].id, NULL, run, &w->threads[i]) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

void workers_submit(struct workers *w, struct worker_task *task)
{
    pthread_mutex_lock(&w->mutex);
    put(&w->waiting, task);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->mutex);
}

void workers_free(struct workers **workers)
{
    struct workers *w = *workers;
    if (!w) return;
    *workers = NULL;
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->mutex);
    for (unsigned i = 0; i < w->n; i++)
        if (w->threads[i].runs) pthread_join(w->threads[i].id, NULL);
    loop_close(w->loop, &w->watch);
    pthread_mutex_destroy(&w->mutex);
    pthread_cond_destroy(&w->changed);
    free(w);
}
