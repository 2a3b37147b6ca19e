#include "spool/prepare.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define JOBS 32 /* a power of two */

struct ring {
    struct prepare_job jobs[JOBS];
    unsigned head, tail;
};

struct preparer {
    const struct disk *disk;
    uint32_t segment_octets;
    bool thread, stop, busy;
    pthread_t id;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct ring waiting, done;
};

#define ZERO_OCTETS 262144
#define ZERO_SYNC                                                                                            \
    8388608 /* written zeros go to disk in steps, so a batch's sync never waits for all of them */

static bool stopping(struct preparer *p)
{
    pthread_mutex_lock(&p->mutex);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->mutex);
    return stop;
}

/* The end of the service does not wait for a segment that nobody will use. */
static int write_zeros(struct preparer *p, int file)
{
    static _Alignas(DISK_ALIGN) const uint8_t zeros[ZERO_OCTETS];
    const struct disk *d = p->disk;
    uint64_t at = 0;
    while (at < p->segment_octets) {
        size_t n = p->segment_octets - at < ZERO_OCTETS ? (size_t)(p->segment_octets - at) : ZERO_OCTETS;
        int error = disk_write(d, file, zeros, n, at);
        at += n;
        if (error == 0 && (at % ZERO_SYNC == 0 || at == p->segment_octets))
            error = d->ops->sync(d->context, file);
        if (error) return error;
        if (at % ZERO_SYNC == 0 && stopping(p)) return -ECANCELED;
    }
    return 0;
}

static void create(struct preparer *p, struct prepare_job *job)
{
    const struct disk *d = p->disk;
    char fresh[DISK_NAME_OCTETS], name[DISK_NAME_OCTETS];
    segment_name_put(fresh, NAME_NEW, job->number);
    segment_name_put(name, segment_name_of(job->kind), job->number);
    int file = d->ops->open(d->context, fresh, DISK_CREATE);
    job->error = file < 0 ? file : 0;
    if (file < 0) return;
    job->error = d->ops->allocate(d->context, file,
                                  p->segment_octets); /* a full disk says so before it is written to */
    if (!job->error)
        job->error = job->kind == SEGMENT_LOG ? write_zeros(p, file) : d->ops->sync(d->context, file);
    if (!job->error) job->error = d->ops->rename(d->context, fresh, name);
    if (!job->error) job->error = d->ops->sync_directory(d->context);
    if (job->error) {
        d->ops->close(d->context, file);
        (void)d->ops->unlink(d->context, fresh); /* recovery removes what stays */
        return;
    }
    job->file = file;
}

static void reuse(const struct preparer *p, struct prepare_job *job)
{
    const struct disk *d = p->disk;
    char old[DISK_NAME_OCTETS], name[DISK_NAME_OCTETS];
    segment_name_put(old, segment_name_of(job->kind), job->old);
    segment_name_put(name, segment_name_of(job->kind), job->number);
    if (job->what == PREPARE_REMOVE) {
        job->error = d->ops->unlink(d->context, old);
        if (!job->error) job->error = d->ops->sync_directory(d->context);
        return;
    }
    job->error = d->ops->rename(d->context, old, name);
    if (!job->error) job->error = d->ops->sync_directory(d->context);
    if (job->error) return;
    int file = d->ops->open(d->context, name, DISK_WRITE);
    job->error = file < 0 ? file : 0;
    job->file = file < 0 ? -1 : file;
}

static void perform(struct preparer *p, struct prepare_job *job)
{
    job->file = -1;
    job->error = 0;
    if (job->what == PREPARE_CREATE)
        create(p, job);
    else
        reuse(p, job);
}

static bool ring_put(struct ring *r, const struct prepare_job *job)
{
    if (r->tail - r->head == JOBS) return false;
    r->jobs[r->tail++ % JOBS] = *job;
    return true;
}

static bool ring_take(struct ring *r, struct prepare_job *ret)
{
    if (r->tail == r->head) return false;
    *ret = r->jobs[r->head++ % JOBS];
    return true;
}

static void *helper(void *context)
{
    struct preparer *p = context;
    struct prepare_job job;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop) {
        if (!ring_take(&p->waiting, &job)) {
            pthread_cond_wait(&p->changed, &p->mutex);
            continue;
        }
        p->busy = true;
        pthread_mutex_unlock(&p->mutex);
        perform(p, &job);
        pthread_mutex_lock(&p->mutex);
        p->busy = false;
        (void)ring_put(&p->done,
                       &job); /* there is room: waiting and done together never hold more than JOBS */
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static bool start_thread(struct preparer *p)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&p->id, NULL, helper, p);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return error == 0;
}

struct preparer *preparer_create(const struct disk *d, uint32_t segment_octets, bool thread)
{
    struct preparer *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->disk = d;
    p->segment_octets = segment_octets;
    p->thread = thread;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (thread && !start_thread(p)) {
        free(p);
        return NULL;
    }
    return p;
}

void preparer_destroy(struct preparer **pp)
{
    struct preparer *p = *pp;
    struct prepare_job job;
    if (!p) return;
    if (p->thread) {
        pthread_mutex_lock(&p->mutex);
        p->stop = true;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->id, NULL);
    }
    while (ring_take(&p->done, &job))
        if (job.file >= 0) p->disk->ops->close(p->disk->context, job.file);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p);
    *pp = NULL;
}

bool preparer_ask(struct preparer *p, const struct prepare_job *job)
{
    bool taken;
    pthread_mutex_lock(&p->mutex);
    unsigned held = (p->waiting.tail - p->waiting.head) + (p->done.tail - p->done.head) + (p->busy ? 1 : 0);
    taken = held < JOBS && ring_put(&p->waiting, job);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    if (taken && !p->thread) {
        struct prepare_job now;
        while (ring_take(&p->waiting, &now)) {
            perform(p, &now);
            (void)ring_put(&p->done, &now);
        }
    }
    return taken;
}

bool preparer_result(struct preparer *p, bool wait, struct prepare_job *ret)
{
    pthread_mutex_lock(&p->mutex);
    bool got;
    while (!(got = ring_take(&p->done, ret)) && wait && p->thread &&
           (p->busy || p->waiting.tail != p->waiting.head))
        pthread_cond_wait(&p->changed, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    return got;
}
