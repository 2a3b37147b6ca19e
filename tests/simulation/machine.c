#include "machine.h"

#include "machine_private.h"

#include <errno.h>
#include <stdlib.h>

struct machine machine;
struct descriptor machine_table[MACHINE_DESCRIPTORS];
static unsigned table_top; /* none above it was ever used */

void machine_wrong(const char *constant_text)
{
    if (!machine.wrong) machine.wrong = constant_text;
}

void machine_begin(struct sim_disk *disk)
{
    table_top = 0;
    machine = (struct machine){.disk = disk, .mono_ms = 1000000, .unix_ms = UINT64_C(1795620000000)};
}

void machine_end(void)
{
    for (unsigned i = 0; i < MACHINE_DESCRIPTORS; i++)
        if (machine_table[i].kind != DESCRIPTOR_FREE) machine_wrong("a descriptor is left over");
}

int machine_descriptor(uint8_t kind, struct descriptor **ret)
{
    for (unsigned i = 0; i < MACHINE_DESCRIPTORS; i++)
        if (machine_table[i].kind == DESCRIPTOR_FREE) {
            machine_table[i] = (struct descriptor){.kind = kind};
            if (i >= table_top) table_top = i + 1;
            *ret = &machine_table[i];
            return MACHINE_FIRST + (int)i;
        }
    abort();
}

struct descriptor *machine_of(int fd)
{
    if (fd < MACHINE_FIRST) return NULL;
    struct descriptor *d = &machine_table[(unsigned)(fd - MACHINE_FIRST) % MACHINE_DESCRIPTORS];
    if (d->kind == DESCRIPTOR_FREE) machine_wrong("a closed descriptor is used");
    return d;
}

int machine_socket(struct socket *s)
{
    struct descriptor *d;
    s->fd = machine_descriptor(DESCRIPTOR_SOCKET, &d);
    s->open = true;
    d->socket = s;
    return s->fd;
}

int machine_segment(int file)
{
    struct descriptor *d;
    int fd = machine_descriptor(DESCRIPTOR_SEGMENT, &d);
    d->file = sim_disk_duplicate(machine.disk, file);
    return fd;
}

void machine_wake(struct socket *s, uint32_t events)
{
    struct descriptor *d = s->open ? machine_of(s->fd) : NULL;
    if (d) d->pending |= events;
}

static void socket_close(struct socket *s)
{
    struct pipe *down = &s->link->down;
    s->open = false;
    if (down->read < down->sent && roll(machine.disk, 4) == 0)
        link_reset(s->link, machine.disk); /* what was not read turns a close into a reset */
    s->link->up.ended = true;
}

void machine_close(int fd)
{
    struct descriptor *d = machine_of(fd);
    if (!d || d->kind == DESCRIPTOR_FREE) return;
    machine.moved++;
    if (d->kind == DESCRIPTOR_SOCKET) socket_close(d->socket);
    if (d->kind == DESCRIPTOR_SEGMENT) {
        struct disk disk = sim_disk_ops(machine.disk);
        disk.ops->close(disk.context, d->file);
    }
    if (d->kind == DESCRIPTOR_CHANNEL) machine_wrong("the end of a channel that nobody opened is closed");
    d->kind = DESCRIPTOR_FREE;
}

/* --- what the C library would do --- */

static ssize_t failed(int error)
{
    errno = error;
    return -1;
}

static ssize_t socket_read(struct socket *s, void *to, size_t n)
{
    struct pipe *down = &s->link->down;
    struct span inbox = span_head(pipe_inbox(down), n);
    if (inbox.n) {
        memcpy(to, inbox.p, inbox.n);
        down->read += inbox.n;
        s->read_ms = machine.mono_ms;
        machine.moved++;
        return (ssize_t)inbox.n;
    }
    if (down->reset) return failed(ECONNRESET);
    return pipe_over(down) ? 0 : failed(EAGAIN);
}

static ssize_t socket_send(struct socket *s, const void *from, size_t n)
{
    struct pipe *up = &s->link->up;
    if (up->reset) return failed(EPIPE);
    uint64_t waits = up->deaf ? 0 : up->sent - up->read;
    uint64_t room = waits < s->window ? s->window - waits : 0;
    if (n > room) {
        n = (size_t)room;
        s->blocked = true;
    }
    if (n == 0) return failed(EAGAIN);
    pipe_write(up, span_of(from, n));
    machine.moved++;
    return (ssize_t)n;
}

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n)
{
    struct descriptor *d = machine_of(fd);
    if (!d) return __real_read(fd, to, n);
    return d->kind == DESCRIPTOR_SOCKET ? socket_read(d->socket, to, n) : failed(EBADF);
}

ssize_t __real_send(int fd, const void *from, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t n, int flags)
{
    struct descriptor *d = machine_of(fd);
    if (!d) return __real_send(fd, from, n, flags);
    return d->kind == DESCRIPTOR_SOCKET ? socket_send(d->socket, from, n) : failed(EBADF);
}

ssize_t __real_pread64(int fd, void *to, size_t n, off_t offset);
ssize_t __wrap_pread64(int fd, void *to, size_t n, off_t offset);
ssize_t __wrap_pread64(int fd, void *to, size_t n, off_t offset)
{
    struct descriptor *d = machine_of(fd);
    struct disk disk = sim_disk_ops(machine.disk);
    if (!d) return __real_pread64(fd, to, n, offset);
    if (d->kind != DESCRIPTOR_SEGMENT) return failed(EBADF);
    int64_t got = disk.ops->read(disk.context, d->file, to, n, (uint64_t)offset);
    return got < 0 ? failed(EIO) : (ssize_t)got;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    if (fd < MACHINE_FIRST) return __real_close(fd);
    machine_close(fd);
    return 0;
}

/* --- the loop --- */

struct loop *loop_create(unsigned max_events_per_turn)
{
    struct loop *l = calloc(1, sizeof *l);
    (void)max_events_per_turn;
    if (!l) abort();
    l->now_ms = machine.mono_ms;
    l->unix_ms = machine.unix_ms;
    return l;
}

void loop_destroy(struct loop **l)
{
    free(*l);
    *l = NULL;
}

bool loop_watch(struct loop *l, struct watch *w, int fd, uint32_t interest, watch_fn *fn)
{
    struct descriptor *d = machine_of(fd);
    (void)interest;
    if (!d) return false;
    *w = (struct watch){fn, fd};
    d->watch = w;
    d->loop = l;
    d->pending = LOOP_WRITE | LOOP_READ;
    return true;
}

bool loop_change(struct loop *l, struct watch *w, uint32_t interest)
{
    (void)l, (void)w, (void)interest;
    return true;
}

void loop_forget(struct loop *l, struct watch *w)
{
    struct descriptor *d = machine_of(w->fd);
    (void)l;
    if (d) d->watch = NULL;
}

void loop_close(struct loop *l, struct watch *w)
{
    loop_forget(l, w);
    machine_close(w->fd);
}

void loop_timer_stop(struct loop *l, struct timer *t)
{
    (void)l;
    if (!t->prev) return;
    *t->prev = t->next;
    if (t->next) t->next->prev = t->prev;
    t->prev = NULL;
}

void loop_timer_set(struct loop *l, struct timer *t, uint64_t due_ms, void (*fn)(struct timer *))
{
    loop_timer_stop(l, t);
    t->due_ms = due_ms;
    t->fn = fn;
    t->next = l->timers;
    t->prev = &l->timers;
    if (t->next) t->next->prev = &t->next;
    l->timers = t;
}

uint64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

uint64_t loop_unix_ms(const struct loop *l)
{
    return l->unix_ms;
}

void loop_run(struct loop *l, void (*after_turn)(void *), void *context)
{
    machine_turn(l, after_turn, context);
}

void loop_stop(struct loop *l)
{
    (void)l;
}

static void serve_sockets(struct loop *l)
{
    unsigned top = table_top, first = top ? (unsigned)roll(machine.disk, top) : 0;
    for (unsigned i = 0; i < top; i++) {
        struct descriptor *d = &machine_table[(first + i) % top];
        if (d->kind != DESCRIPTOR_SOCKET || !d->watch || d->loop != l || !d->pending) continue;
        uint32_t events = d->pending;
        d->pending = 0;
        d->watch->fn(d->watch, events);
    }
}

static void serve_timers(struct loop *l)
{
    for (;;) { /* the earliest first; one that is set again by its function is not due yet, or is due now */
        struct timer *first = NULL;
        for (struct timer *t = l->timers; t; t = t->next)
            if (t->due_ms <= l->now_ms && (!first || t->due_ms < first->due_ms)) first = t;
        if (!first) return;
        loop_timer_stop(l, first);
        first->fn(first);
        if (first->prev && first->due_ms <= l->now_ms) return;
    }
}

void machine_turn(struct loop *l, void (*after)(void *), void *context)
{
    l->now_ms = machine.mono_ms;
    l->unix_ms = machine.unix_ms;
    serve_sockets(l);
    machine_channels_serve(l);
    serve_timers(l);
    after(context);
}
