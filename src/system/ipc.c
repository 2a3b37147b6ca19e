#include "system/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/ipc_private.h"

enum {
    READ_PACKETS = 4, /* of one recvmmsg */
    READ_ROUNDS = 8,  /* then other channels have their turn */
    IPC_QUEUED_MAX = 4096,
};

struct packet {
    uint32_t n;
    int fd; /* rides alone; -1: none */
    uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS];
};

/* packets[head .. head + waiting) of the ring are finished and wait, the next one is under construction. */
struct ipc {
    struct watch watch; /* first: the watch is the channel */
    struct loop *loop;
    const struct ipc_allowed *allowed;
    unsigned n_allowed;
    ipc_message_fn *message;
    ipc_closed_fn *closed;
    void *context;
    bool blocked;  /* the socket is full: wait for LOOP_WRITE */
    bool broken;   /* nothing goes out any more */
    bool reported; /* closed was called */
    bool calling;  /* inside callbacks: ipc_close leaves the memory to us */
    bool gone;     /* ipc_close was called inside a callback */
    bool secret;   /* octets are wiped when they were sent or served */
    unsigned ring, head, waiting;
    struct packet *packets;
};

/* What arrives is parsed at once, so one set of buffers serves all channels of a process. */
static struct {
    uint8_t octets[READ_PACKETS][LIMIT_IPC_MESSAGE_OCTETS];
    union {
        struct cmsghdr align;
        uint8_t octets[CMSG_SPACE(LIMIT_IPC_FDS * sizeof(int))];
    } control[READ_PACKETS];
} incoming;

static struct packet *under_construction(struct ipc *c)
{
    return &c->packets[(c->head + c->waiting) % c->ring];
}

static void on_event(struct watch *w, uint32_t events);

struct ipc *ipc_open(struct loop *l, int fd, const struct ipc_allowed *allowed, unsigned n,
                     unsigned max_queued, ipc_message_fn *message, ipc_closed_fn *closed, void *context)
{
    struct ipc *c = calloc(1, sizeof *c);
    struct packet *packets = max_queued <= IPC_QUEUED_MAX ? malloc((max_queued + 2) * sizeof *packets) : NULL;
    int flags = fcntl(fd, F_GETFL);
    if (!c || !packets || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        free(c);
        free(packets);
        close(fd);
        return NULL;
    }
    *c = (struct ipc){.loop = l,
                      .allowed = allowed,
                      .n_allowed = n,
                      .message = message,
                      .closed = closed,
                      .context = context,
                      .ring =
                          max_queued + 2, /* one under construction, one for a descriptor that follows it */
                      .packets = packets};
    packets[0].n = 0; /* the others are set when they begin: what was never used is never touched */
    packets[0].fd = -1;
    if (!loop_watch(l, &c->watch, fd, LOOP_READ, on_event)) {
        close(fd);
        free(packets);
        free(c);
        return NULL;
    }
    return c;
}

void ipc_secret(struct ipc *c)
{
    c->secret = true;
}

static void forget_octets(const struct ipc *c, void *p, size_t n)
{
    if (c->secret) explicit_bzero(p, n);
}

static void release(struct ipc *c)
{
    for (unsigned i = 0; i < c->waiting; i++) {
        struct packet *p = &c->packets[(c->head + i) % c->ring];
        if (p->fd >= 0) close(p->fd);
        forget_octets(c, p->octets, p->n);
    }
    forget_octets(c, under_construction(c)->octets, under_construction(c)->n);
    free(c->packets);
    free(c);
}

void ipc_close(struct ipc **channel)
{
    struct ipc *c = *channel;
    if (!c) return;
    *channel = NULL;
    loop_forget(c->loop, &c->watch);
    close(c->watch.fd);
    c->gone = c->broken = true;
    if (!c->calling) release(c);
}

int ipc_fd(const struct ipc *c)
{
    return c->watch.fd;
}

bool ipc_can_send(const struct ipc *c)
{
    return !c->broken && c->waiting + 2 < c->ring;
}

bool ipc_can_queue(const struct ipc *c, unsigned packets)
{
    return !c->broken && c->waiting + 1 + packets < c->ring;
}

bool ipc_broken(const struct ipc *c)
{
    return c->broken;
}

bool ipc_idle(const struct ipc *c)
{
    return c->broken || (c->waiting == 0 && c->packets[c->head].n == 0);
}

/* ---- sending */

/* False: the socket is full or broken. */
static bool send_packet(struct ipc *c, const struct packet *p)
{
    union {
        struct cmsghdr header;
        uint8_t octets[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)p->octets, p->n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (p->fd >= 0) {
        control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &p->fd, sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
    }
    ssize_t n;
    do
        n = sendmsg(c->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)p->n) return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS)) {
        c->blocked = true;
        if (!loop_change(c->loop, &c->watch, LOOP_READ | LOOP_WRITE)) c->broken = true;
    } else {
        c->broken =
            true; /* reported from on_event, which this asks for: never from within a caller's ipc_send */
        loop_change(c->loop, &c->watch, LOOP_READ | LOOP_WRITE);
    }
    return false;
}

/* The packet under construction is complete: the next one begins. The caller made sure that there is room. */
static void finish_packet(struct ipc *c)
{
    c->waiting++;
    struct packet *p = under_construction(c);
    p->n = 0;
    p->fd = -1;
}

void ipc_flush(struct ipc *c)
{
    if (c->broken || c->blocked) return;
    while (c->waiting > 0) {
        struct packet *p = &c->packets[c->head];
        if (!send_packet(c, p)) return;
        forget_octets(c, p->octets, p->n);
        if (p->fd >= 0) close(p->fd);
        p->fd = -1;
        c->head = (c->head + 1) % c->ring;
        c->waiting--;
    }
    struct packet *p = under_construction(c);
    if (p->n == 0 || !send_packet(c, p)) return;
    forget_octets(c, p->octets, p->n);
    p->n = 0;
}

/* Room for n octets in the packet under construction. */
static bool make_room(struct ipc *c, size_t n)
{
    if (c->broken || n > LIMIT_IPC_MESSAGE_OCTETS) return false;
    if (under_construction(c)->n + n <= LIMIT_IPC_MESSAGE_OCTETS) return true;
    ipc_flush(c);
    if (c->broken) return false;
    if (under_construction(c)->n == 0) return true;
    if (!ipc_can_send(c)) return false;
    finish_packet(c);
    return true;
}

static void append(struct packet *p, uint16_t type, struct span payload)
{
    uint16_t length = (uint16_t)payload.n;
    memcpy(p->octets + p->n, &type, sizeof type);
    memcpy(p->octets + p->n + sizeof type, &length, sizeof length);
    if (payload.n) memcpy(p->octets + p->n + IPC_HEADER_OCTETS, payload.p, payload.n);
    p->n += IPC_HEADER_OCTETS + length;
}

bool ipc_send(struct ipc *c, uint16_t type, struct span payload)
{
    if (payload.n > LIMIT_IPC_MESSAGE_OCTETS - IPC_HEADER_OCTETS) return false;
    if (!make_room(c, IPC_HEADER_OCTETS + payload.n)) return false;
    append(under_construction(c), type, payload);
    return true;
}

bool ipc_send_fd(struct ipc *c, uint16_t type, struct span payload, int fd)
{
    if (payload.n > LIMIT_IPC_MESSAGE_OCTETS - IPC_HEADER_OCTETS || !ipc_can_send(c)) return false;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return false;
    if (under_construction(c)->n > 0) finish_packet(c);
    struct packet *p = under_construction(c);
    append(p, type, payload);
    p->fd = copy;
    finish_packet(c);
    ipc_flush(c);
    return true;
}

/* ---- receiving */

bool ipc_packet_next(struct span *packet, const struct ipc_allowed *allowed, unsigned n, unsigned n_fds,
                     struct ipc_parsed *ret)
{
    uint16_t type, length;
    if (packet->n < IPC_HEADER_OCTETS) return false;
    memcpy(&type, packet->p, sizeof type);
    memcpy(&length, packet->p + sizeof type, sizeof length);
    struct span rest = span_skip(*packet, IPC_HEADER_OCTETS);
    if (length > rest.n) return false;
    if (n_fds > 0 && length != rest.n) return false; /* descriptors come with one message alone */
    for (unsigned i = 0; i < n; i++) {
        if (allowed[i].type != type) continue;
        if (length < allowed[i].min || length > allowed[i].max || n_fds != allowed[i].fds) return false;
        *ret = (struct ipc_parsed){type, span_head(rest, length)};
        *packet = span_skip(rest, length);
        return true;
    }
    return false;
}

static void report(struct ipc *c, const char *reason)
{
    c->broken = true;
    if (c->gone || c->reported) return;
    c->reported = true;
    c->closed(c->context, reason);
}

/* Collects what came along into fds; at most LIMIT_IPC_FDS by the size of the control buffer. */
static unsigned take_fds(struct msghdr *m, int fds[LIMIT_IPC_FDS])
{
    unsigned n = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (n < LIMIT_IPC_FDS)
                fds[n++] = fd;
            else
                close(fd);
        }
    }
    return n;
}

/* One packet whole: all its messages, or the reason why the channel ends. */
static const char *serve_packet(struct ipc *c, struct msghdr *m, size_t octets, const uint8_t *p)
{
    int fds[LIMIT_IPC_FDS];
    unsigned n_fds = take_fds(m, fds);
    const char *reason = octets == 0                 ? "end of file"
                         : m->msg_flags & MSG_CTRUNC ? "truncated descriptors"
                         : m->msg_flags & MSG_TRUNC  ? "truncated packet"
                         : c->gone || c->reported    ? "closed"
                                                     : NULL;
    struct span packet = span_of(p, octets);
    while (!reason && packet.n > 0 && !c->gone) {
        struct ipc_parsed message;
        if (!ipc_packet_next(&packet, c->allowed, c->n_allowed, n_fds, &message)) {
            reason = "malformed packet";
            break;
        }
        unsigned given = n_fds; /* theirs from here on */
        n_fds = 0;
        c->message(c->context, message.type, message.payload, fds, given);
    }
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    return reason;
}

/* True when there may be more to read. */
static bool read_packets(struct ipc *c)
{
    struct mmsghdr m[READ_PACKETS];
    struct iovec parts[READ_PACKETS];
    for (int i = 0; i < READ_PACKETS; i++) {
        parts[i] = (struct iovec){incoming.octets[i], LIMIT_IPC_MESSAGE_OCTETS};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                       .msg_iovlen = 1,
                                       .msg_control = &incoming.control[i],
                                       .msg_controllen = sizeof incoming.control[i]};
        m[i].msg_len = 0;
    }
    int n = recvmmsg(c->watch.fd, m, READ_PACKETS, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (n < 0) {
        /* ECONNRESET: it died before it had read everything. That is said once, before what it had sent itself, and then the end */
        if (errno == EINTR || errno == ECONNRESET) return true;
        if (errno != EAGAIN && errno != EWOULDBLOCK) report(c, "read error");
        return false;
    }
    const char *reason = NULL;
    for (int i = 0; i < n; i++) { /* also after an error: descriptors must be closed */
        const char *r = serve_packet(c, &m[i].msg_hdr, m[i].msg_len, incoming.octets[i]);
        forget_octets(c, incoming.octets[i], m[i].msg_len);
        if (r && !reason) {
            reason = r;
            report(c, r);
        }
    }
    return !reason && n == READ_PACKETS;
}

static void on_event(struct watch *w, uint32_t events)
{
    struct ipc *c = (struct ipc *)w;
    c->calling = true;
    if (events & LOOP_WRITE && c->blocked) {
        c->blocked = false;
        if (!loop_change(c->loop, &c->watch, LOOP_READ)) c->broken = true;
        ipc_flush(c);
    }
    int rounds = 0;
    if (events & (LOOP_READ | LOOP_HUP)) {
        while (!c->gone && !c->reported && rounds < READ_ROUNDS && read_packets(c))
            rounds++;
        /* an edge-triggered watch that is set again reports what is still there */
        if (rounds == READ_ROUNDS && !c->gone && !c->reported)
            loop_change(c->loop, &c->watch, LOOP_READ | (c->blocked ? (uint32_t)LOOP_WRITE : 0));
    }
    /* what the peer sent before it went is served first */
    if (c->broken && !c->gone && rounds < READ_ROUNDS) report(c, "write error");
    c->calling = false;
    if (c->gone) release(c);
}
