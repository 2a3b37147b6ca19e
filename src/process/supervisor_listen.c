#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/supervisor_private.h"
#include "system/notify.h"

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t socket_address(const struct address *a, uint16_t port, union socket_address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (address_is_v4(a)) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(port);
        memcpy(&ret->v4.sin_addr, a->octets + 12, 4);
        return sizeof ret->v4;
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons(port);
    memcpy(&ret->v6.sin6_addr, a->octets, 16);
    return sizeof ret->v6;
}

/* False: not a listening TCP socket of a family we know. */
static bool socket_name(int fd, struct address *a, uint16_t *port)
{
    union socket_address s;
    socklen_t n = sizeof s;
    int listening = 0;
    socklen_t listening_n = sizeof listening;
    if (getsockname(fd, &s.any, &n) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_n) != 0 || !listening)
        return false;
    if (s.any.sa_family == AF_INET) {
        static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        memcpy(a->octets, prefix, sizeof prefix);
        memcpy(a->octets + 12, &s.v4.sin_addr, 4);
        *port = ntohs(s.v4.sin_port);
        return true;
    }
    if (s.any.sa_family != AF_INET6) return false;
    memcpy(a->octets, &s.v6.sin6_addr, 16);
    *port = ntohs(s.v6.sin6_port);
    return true;
}

static struct listening *find(struct supervisor *s, const struct address *a, uint16_t port)
{
    for (unsigned i = 0; i < s->n_listenings; i++) {
        struct listening *l = &s->listenings[i];
        if (l->port == port && memcmp(&l->address, a, sizeof *a) == 0) return l;
    }
    return NULL;
}

static struct listening *add(struct supervisor *s, const struct address *a, uint16_t port)
{
    if (s->n_listenings == sizeof s->listenings / sizeof s->listenings[0]) return NULL;
    struct listening *l = &s->listenings[s->n_listenings++];
    *l = (struct listening){.address = *a, .port = port};
    return l;
}

static void put_endpoint(struct buf *b, const struct address *a, uint16_t port)
{
    if (!address_is_v4(a)) buf_byte(b, '[');
    address_put(b, a);
    if (!address_is_v4(a)) buf_byte(b, ']');
    buf_byte(b, ':');
    buf_u64(b, port);
}

void supervisor_adopt_sockets(struct supervisor *s)
{
    struct notify_socket passed[LIMIT_LISTENERS];
    size_t n = notify_sockets(passed, LIMIT_LISTENERS);
    for (size_t i = 0; i < n; i++) {
        struct address a;
        uint16_t port;
        struct listening *l =
            socket_name(passed[i].fd, &a, &port) && !find(s, &a, port) ? add(s, &a, port) : NULL;
        int flags = fcntl(passed[i].fd, F_GETFL);
        if (!l || flags < 0 || fcntl(passed[i].fd, F_SETFL, flags | O_NONBLOCK) != 0) {
            log_begin(LOG_LEVEL_WARNING, "passed-socket-unusable");
            log_str("name", passed[i].name);
            log_str("text", "it is no listening TCP socket, or there is one of that address already");
            log_end();
            close(passed[i].fd);
            if (l) s->n_listenings--;
            continue;
        }
        l->shared = true;
        l->n = 1;
        l->fds[0] = passed[i].fd;
    }
}

/* ---- binding */

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program has it: `ss -ltnp` shows which one; stop it, or choose another port";
    case EACCES:
        return "ports below 1024 need root, CAP_NET_BIND_SERVICE or a systemd socket; or choose another port";
    case EADDRNOTAVAIL: return "no interface of this machine has the address: `ip addr` shows those it has";
    case EAFNOSUPPORT: return "this machine has no such protocol family: remove the listener";
    default: return NULL;
    }
}

/* The first socket of an address binds without SO_REUSEPORT: so another program, or another sallyportd, that has the
 * port is an error and not a silent partner. The rest joins it. */
static int bind_one(const struct address *a, uint16_t port, bool first)
{
    union socket_address name;
    socklen_t n = socket_address(a, port, &name);
    static const int on = 1;
    int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (name.any.sa_family == AF_INET6) ok &= setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (!first) ok &= setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    ok = ok && bind(fd, &name.any, n) == 0;
    if (first) ok = ok && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
    if (ok && listen(fd, LISTEN_BACKLOG) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static void tell_bind(struct buf *text, const struct config_listener *l, int error)
{
    uint8_t memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, "cannot listen on ");
    put_endpoint(&b, &l->address, l->port);
    buf_str(&b, ": ");
    buf_str(&b, strerrordesc_np(error));
    supervisor_tell(text, &(struct config_problem){.severity = CONFIG_ERROR,
                                                   .place = l->place,
                                                   .text = buf_span(&b),
                                                   .suggestion = span_str(advice(error))});
}

/* A wildcard and an address of this machine may share a port; then only the kernel's rule for SO_REUSEPORT (one user) is
 * left to keep others out. */
static bool port_is_ours(const struct supervisor *s, uint16_t port)
{
    for (unsigned i = 0; i < s->n_listenings; i++)
        if (s->listenings[i].port == port && s->listenings[i].n > 0) return true;
    return false;
}

static bool bind_listener(struct supervisor *s, const struct config_listener *l, unsigned n_edges,
                          struct buf *text)
{
    struct listening *k = find(s, &l->address, l->port);
    if (!k) k = add(s, &l->address, l->port);
    while (k && !k->shared && k->n < n_edges) {
        int fd = bind_one(&l->address, l->port, k->n == 0);
        if (fd < 0 && errno == EADDRINUSE && port_is_ours(s, l->port))
            fd = bind_one(&l->address, l->port, false);
        if (fd < 0 && errno == EADDRINUSE && supervisor_may_wait(s)) continue;
        if (fd < 0) {
            tell_bind(text, l, errno);
            return false;
        }
        k->fds[k->n++] = fd;
    }
    if (!k) supervisor_tell_reason(text, SPAN("too many listeners"));
    if (k) k->wanted = true;
    return k != NULL;
}

bool supervisor_listen(struct supervisor *s, const struct generation *g, struct buf *text)
{
    const struct config *c = g->load.config;
    bool ok = true;
    for (unsigned i = 0; i < s->n_listenings; i++)
        s->listenings[i].wanted = false;
    for (uint32_t i = 0; i < c->n_servers; i++) {
        if (c->servers[i].role == ROLE_GATE) continue; /* not in this version, as the config's warning says */
        for (uint32_t k = 0; k < c->servers[i].n_listeners; k++)
            ok &= bind_listener(s, &c->servers[i].listeners[k], g->n_edges, text);
    }
    return ok;
}

static void close_listening(struct listening *l)
{
    for (unsigned i = 0; i < l->n; i++)
        close(l->fds[i]);
    l->n = 0;
}

static void forget_unwanted(struct supervisor *s)
{
    for (unsigned i = 0; i < s->n_listenings;) {
        struct listening *l = &s->listenings[i];
        if (l->wanted && l->n > 0) {
            i++;
            continue;
        }
        close_listening(l);
        *l = s->listenings[--s->n_listenings];
    }
}

void supervisor_listeners_serve(struct supervisor *s)
{
    forget_unwanted(s);
    for (unsigned i = 0; i < s->n_listenings; i++)
        s->listenings[i].served = s->listenings[i].n;
}

void supervisor_listeners_revert(struct supervisor *s)
{
    for (unsigned i = 0; i < s->n_listenings; i++) {
        struct listening *l = &s->listenings[i];
        while (l->n > l->served)
            close(l->fds[--l->n]);
        l->wanted = l->n > 0;
    }
    forget_unwanted(s);
}

void supervisor_close_listeners(struct supervisor *s)
{
    for (unsigned i = 0; i < s->n_listenings; i++)
        close_listening(&s->listenings[i]);
    s->n_listenings = 0;
    if (s->control < 0) return;
    close(s->control);
    s->control = -1;
    unlink(s->control_path);
}

const struct listening *supervisor_listening(const struct supervisor *s, const struct config_listener *l)
{
    for (unsigned i = 0; i < s->n_listenings; i++) {
        const struct listening *k = &s->listenings[i];
        if (k->port == l->port && memcmp(&k->address, &l->address, sizeof k->address) == 0) return k;
    }
    return NULL;
}

/* ---- the control socket */

/* True when nobody answers there: the socket of a process that died. */
static bool stale(const struct sockaddr_un *a)
{
    struct stat st;
    if (lstat(a->sun_path, &st) != 0) return errno == ENOENT;
    if (!S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof *a) != 0 && errno == ECONNREFUSED;
    if (fd >= 0) close(fd);
    return dead && unlink(a->sun_path) == 0;
}

bool supervisor_listen_control(struct supervisor *s, const struct config *c, struct buf *text)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *why = "the path is too long";
    int fd = -1;
    if (c->control_socket.n && c->control_socket.n < sizeof a.sun_path) {
        memcpy(a.sun_path, c->control_socket.p, c->control_socket.n);
        memcpy(s->control_path, a.sun_path, sizeof a.sun_path);
        why = "something else is there: another sallyportd, or a file";
        bool free_now;
        while (!(free_now = stale(&a)) && supervisor_may_wait(s))
            continue;
        if (free_now) {
            fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            mode_t before = umask(0117); /* 0660 */
            bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0;
            why = strerrordesc_np(errno);
            umask(before);
            const struct group *group = geteuid() == 0 ? getgrnam("sallyport") : NULL;
            if (ok && group && chown(a.sun_path, 0, group->gr_gid) != 0)
                log_note(LOG_LEVEL_WARNING, "control-socket", "its group cannot be set", errno);
            if (ok) {
                s->control = fd;
                return true;
            }
        }
    }
    if (fd >= 0) close(fd);
    uint8_t memory[4 * LIMIT_SOCKET_PATH_OCTETS + 256];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, "cannot listen on the control socket ");
    buf_escaped(&b, c->control_socket, LIMIT_SOCKET_PATH_OCTETS);
    buf_str(&b, ": ");
    buf_str(&b, why);
    supervisor_tell_reason(text, buf_span(&b));
    return false;
}
