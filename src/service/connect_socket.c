/* The sockets of a race. One that connected is handed over; nothing is ever read from it here. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/connect_private.h"

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static socklen_t fill(const struct attempt *a, const struct runner *r, union any_address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (a->hop.kind == NEXT_HOP_UNIX) {
        ret->local.sun_family = AF_UNIX;
        memcpy(ret->local.sun_path, a->hop.name.p, a->hop.name.n); /* LIMIT_SOCKET_PATH_OCTETS at most */
        return sizeof ret->local;
    }
    uint16_t port = htons(a->hosts[r->host].port);
    if (address_is_v4(&r->address)) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = port;
        memcpy(&ret->v4.sin_addr, r->address.octets + 12, 4);
        return sizeof ret->v4;
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = port;
    memcpy(&ret->v6.sin6_addr, r->address.octets, 16);
    return sizeof ret->v6;
}

void runner_stop(struct runner *r)
{
    if (!r->attempt || r->fd < 0) return; /* never started: zeroed */
    loop_forget(r->attempt->connect->loop, &r->watch);
    close(r->fd);
    r->fd = -1;
    r->attempt->connect->counts.sockets--;
}

static void lose(struct attempt *a, uint32_t i, int error)
{
    struct runner *r = &a->runners[i];
    const struct host *h = &a->hosts[r->host];
    const char *why = strerrordesc_np(error);
    runner_stop(r);
    a->race.runners[i].state = RACE_LOST;
    a->temporary = a->started = true;
    if (a->hop.kind == NEXT_HOP_UNIX) {
        attempt_note(a, a->hop.name, why ? why : "failed", SPAN(""));
        return;
    }
    a->lost = r;
    host_note(a, h, &r->address, why ? why : "failed", SPAN(""));
    connect_memory_note(a->connect->memory, &r->address, loop_now_ms(a->connect->loop), false);
}

/* Connected to an address of this host, at a port where we listen: mail would come back. */
static bool is_ourselves(const struct attempt *a, const struct runner *r)
{
    union any_address here;
    socklen_t n = sizeof here;
    const struct host *h = &a->hosts[r->host];
    if (a->hop.kind == NEXT_HOP_UNIX || (a->hop.kind == NEXT_HOP_HOST && h->literal)) return false;
    if (getsockname(r->fd, &here.any, &n) != 0) return false;
    bool same = here.any.sa_family == AF_INET ? memcmp(&here.v4.sin_addr, r->address.octets + 12, 4) == 0
                                              : memcmp(&here.v6.sin6_addr, r->address.octets, 16) == 0;
    return same && permit_is_listener(a->connect->config, &r->address, h->port, true);
}

/* Those that others outran, although they had begun before, are not tried first the next time. */
static void note_slow(struct attempt *a, uint32_t winner)
{
    uint64_t now = loop_now_ms(a->connect->loop);
    for (uint32_t i = 0; i < a->race.n; i++)
        if (i != winner && a->race.runners[i].state == RACE_RUNNING &&
            a->race.runners[i].started_ms < a->race.runners[winner].started_ms)
            connect_memory_note(a->connect->memory, &a->runners[i].address, now, false);
}

static void connected(struct attempt *a, uint32_t i)
{
    struct runner *r = &a->runners[i];
    if (is_ourselves(a, r)) {
        host_is_ours(a, a->hosts[r->host].preference);
        return;
    }
    if (a->hop.kind != NEXT_HOP_UNIX) {
        connect_memory_note(a->connect->memory, &r->address, loop_now_ms(a->connect->loop), true);
        note_slow(a, i);
    }
    attempt_open(a, r);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct runner *r = LIST_OF(w, struct runner, watch);
    struct attempt *a = r->attempt;
    uint32_t i = (uint32_t)(r - a->runners);
    int error = 0;
    socklen_t n = sizeof error;
    if (!(events & (LOOP_WRITE | LOOP_HUP))) return;
    if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0) error = errno;
    if (error)
        lose(a, i, error);
    else
        connected(a, i);
    attempt_go_on(a);
}

void runner_start(struct attempt *a, uint32_t i)
{
    static const int on = 1;
    struct connect *c = a->connect;
    struct runner *r = &a->runners[i];
    union any_address to;
    socklen_t n = fill(a, r, &to);
    int fd = c->counts.sockets < LIMIT_CONNECT_SOCKETS
                 ? socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
                 : -1;
    if (fd < 0 && (c->counts.sockets >= LIMIT_CONNECT_SOCKETS || errno == EMFILE || errno == ENFILE)) {
        a->race.runners[i].state = RACE_WAITING;
        a->starved = true;
        return;
    }
    a->started = true;
    if (fd < 0) {
        lose(a, i, errno);
        return;
    }
    r->fd = r->watch.fd = fd;
    c->counts.sockets++;
    if (to.any.sa_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, &to.any, n) == 0)
        connected(a, i);
    else if (errno != EINPROGRESS || !loop_watch(c->loop, &r->watch, fd, LOOP_WRITE, on_ready))
        lose(a, i, errno);
}

uint64_t runner_overdue(struct attempt *a)
{
    uint64_t now = loop_now_ms(a->connect->loop), next = UINT64_MAX;
    for (uint32_t i = 0; i < a->race.n; i++) {
        uint64_t end = a->race.runners[i].started_ms + LIMIT_CONNECT_SECONDS * 1000;
        if (a->race.runners[i].state != RACE_RUNNING) continue;
        if (end <= now)
            lose(a, i, ETIMEDOUT);
        else if (end < next)
            next = end;
    }
    return next;
}
