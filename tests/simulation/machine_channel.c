/* Channels: what ipc.h says, without sockets. A message that was flushed arrives, whole and in order, when the receiver's turn comes;
 * it arrives also when its sender has died meanwhile. */
#include "machine_private.h"

#include <stdlib.h>

enum { CHANNELS = 8, MESSAGES = 512, PACKET = 16 /* messages */ };

struct letter_box { /* messages towards one end */
    struct note {
        uint16_t type;
        int fd; /* -1: none */
        size_t n;
        uint8_t *octets;
    } notes[MESSAGES];
    unsigned first, n, flushed;
};

struct ipc {
    bool used, calling, gone, told;
    struct loop *loop;
    struct channel *channel;
    unsigned end, n_allowed, max;
    const struct ipc_allowed *allowed;
    ipc_message_fn *message;
    ipc_closed_fn *closed;
    void *context;
};

struct channel {
    bool used, open[2];
    struct letter_box to[2];
    struct ipc ipc[2];
};
static struct channel channels[CHANNELS];

void machine_channel(int ends[2])
{
    struct channel *c = NULL;
    for (unsigned i = 0; i < CHANNELS && !c; i++)
        if (!channels[i].used) c = &channels[i];
    if (!c) abort();
    memset(c, 0, sizeof *c);
    c->used = c->open[0] = c->open[1] = true;
    for (unsigned i = 0; i < 2; i++) {
        struct descriptor *d;
        ends[i] = machine_descriptor(DESCRIPTOR_CHANNEL, &d);
        d->channel = c;
        d->end = i;
    }
}

struct ipc *ipc_open(struct loop *l, int fd, const struct ipc_allowed *allowed, unsigned n,
                     unsigned max_queued, ipc_message_fn *message, ipc_closed_fn *closed, void *context)
{
    struct descriptor *d = machine_of(fd);
    if (!d || d->kind != DESCRIPTOR_CHANNEL) return NULL;
    struct ipc *i = &d->channel->ipc[d->end];
    *i = (struct ipc){.used = true,
                      .loop = l,
                      .channel = d->channel,
                      .end = d->end,
                      .allowed = allowed,
                      .n_allowed = n,
                      .max = max_queued < MESSAGES ? max_queued : MESSAGES,
                      .message = message,
                      .closed = closed,
                      .context = context};
    d->kind = DESCRIPTOR_FREE;
    return i;
}

static void drop(struct letter_box *b, unsigned keep)
{
    while (b->n > keep) {
        struct note *m = &b->notes[(b->first + --b->n) % MESSAGES];
        if (m->fd >= 0) machine_close(m->fd);
        free(m->octets);
    }
    if (b->flushed > b->n) b->flushed = b->n;
}

static void end_close(struct ipc *i)
{
    struct channel *c = i->channel;
    drop(&c->to[i->end], 0);
    drop(&c->to[!i->end], c->to[!i->end].flushed);
    c->open[i->end] = i->used = false;
    c->used = c->open[0] || c->open[1];
    if (!c->used) drop(&c->to[!i->end], 0);
}

void ipc_close(struct ipc **p)
{
    struct ipc *i = *p;
    if (!i) return;
    *p = NULL;
    machine.moved++;
    i->gone = true;
    if (!i->calling) end_close(i);
}

void ipc_secret(struct ipc *c)
{
    (void)c;
}

static bool put(struct ipc *i, uint16_t type, struct span payload, int fd)
{
    struct letter_box *b = &i->channel->to[!i->end];
    if (i->gone || b->n == i->max) return false;
    struct note *m = &b->notes[(b->first + b->n) % MESSAGES];
    *m = (struct note){.type = type, .fd = fd, .n = payload.n, .octets = malloc(payload.n + 1)};
    if (!m->octets) abort();
    if (payload.n) memcpy(m->octets, payload.p, payload.n);
    if (machine.tamper) machine.tamper(type, m->octets, m->n);
    b->n++;
    machine.moved++;
    if (!i->channel->open[!i->end]) drop(b, 0); /* nobody reads it */
    return true;
}

bool ipc_send(struct ipc *c, uint16_t type, struct span payload)
{
    return put(c, type, payload, -1);
}

bool ipc_send_fd(struct ipc *c, uint16_t type, struct span payload, int fd)
{
    if (c->gone || c->channel->to[!c->end].n == c->max) return false;
    return put(c, type, payload, fd < MACHINE_FIRST ? machine_segment(fd) : fd);
}

void ipc_flush(struct ipc *c)
{
    c->channel->to[!c->end].flushed = c->channel->to[!c->end].n;
}

bool ipc_can_send(const struct ipc *c)
{
    return !c->gone && c->channel->to[!c->end].n + c->max / 2 < c->max;
}

/* A packet is some messages, here as elsewhere. */
bool ipc_can_queue(const struct ipc *c, unsigned packets)
{
    return !c->gone && c->channel->to[!c->end].n + packets * PACKET <= c->max;
}

bool ipc_idle(const struct ipc *c)
{
    const struct letter_box *b = &c->channel->to[!c->end];
    return b->n == b->flushed;
}

bool ipc_broken(const struct ipc *c)
{
    return c->gone || !c->channel->open[!c->end];
}

int ipc_fd(const struct ipc *c)
{
    (void)c;
    return -1;
}

static bool fits(const struct ipc *i, const struct note *m)
{
    for (unsigned k = 0; k < i->n_allowed; k++) {
        const struct ipc_allowed *a = &i->allowed[k];
        if (a->type == m->type) return m->n >= a->min && m->n <= a->max && (m->fd >= 0) == (a->fds == 1);
    }
    return false;
}

static void deliver(struct ipc *i)
{
    struct letter_box *b = &i->channel->to[i->end];
    struct note m = b->notes[b->first];
    b->first = (b->first + 1) % MESSAGES;
    b->n--;
    b->flushed--;
    machine.moved++;
    if (!fits(i, &m)) machine_wrong("a message of a type or length that may not come here");
    i->message(i->context, m.type, span_of(m.octets, m.n), &m.fd, m.fd >= 0);
    free(m.octets);
}

static void serve(struct ipc *i)
{
    struct letter_box *b = &i->channel->to[i->end];
    unsigned some =
        (unsigned)roll(machine.disk, 4) ? b->flushed : (unsigned)roll(machine.disk, b->flushed + 1);
    i->calling = true;
    while (some-- > 0 && !i->gone)
        deliver(i);
    if (!i->gone && b->n == 0 && !i->channel->open[!i->end] && !i->told) {
        i->told = true;
        i->closed(i->context, "end of file");
    }
    i->calling = false;
    if (i->gone) end_close(i);
}

void machine_channels_serve(struct loop *l)
{
    for (unsigned k = 0; k < 2 * CHANNELS; k++) {
        struct ipc *i = &channels[k / 2].ipc[k % 2];
        if (i->used && i->loop == l) serve(i);
    }
}

bool machine_busy(const struct loop *l)
{
    for (unsigned k = 0; k < 2 * CHANNELS; k++) {
        const struct ipc *i = &channels[k / 2].ipc[k % 2];
        if (!i->used || i->loop != l) continue;
        if (i->channel->to[i->end].flushed || (!i->channel->open[!i->end] && !i->told)) return true;
    }
    return false;
}
