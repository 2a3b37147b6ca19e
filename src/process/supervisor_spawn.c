/* What a child begins with: nothing but descriptors 0 to 2 and its channel; then, over the channel, the config, what its role
 * may hold, whom it may talk to, START. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/peers.h"
#include "process/supervisor_private.h"
#include "system/sandbox.h"

enum { CHANNEL_OCTETS = 1 << 20, CHANNEL_QUEUE = SUPERVISE_GRANTS_MAX };

/* In the child, between fork and exec: only what is safe there. */
static void become_child(struct process *p, int channel)
{
    static char program[] = "/proc/self/exe", name[] = "sallyportd", role[] = "--role";
    char *arguments[] = {name, role, p->name,
                         NULL}; /* the name is for ps; the role itself is told by HELLO */
    sigset_t none;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGPIPE, &standard, NULL);
    setpgid(0, 0); /* a Ctrl-C is for the supervisor: it drains */
    if (dup3(channel, SUPERVISE_FD, 0) < 0 && errno == EINVAL)
        fcntl(channel, F_SETFD, 0); /* it is that one already */
    if (close_range(SUPERVISE_FD + 1, ~0u, 0) != 0) _exit(126);
    char *environment[] = {NULL};
    execve(program, arguments, environment);
    _exit(127);
}

static int pair_with_room(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return -1;
    static const int octets = CHANNEL_OCTETS;
    for (int i = 0; i < 2; i++)
        if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets) != 0)
            setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &octets,
                       sizeof octets); /* as much as an ordinary user may */
    return 0;
}

static bool start_process(struct process *p)
{
    int pair[2];
    if (pair_with_room(pair) != 0) return false;
    pid_t pid = fork();
    if (pid == 0) become_child(p, pair[1]);
    int why = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        errno = why;
        return false;
    }
    p->pid = pid;
    p->started_ms = p->answered_ms = loop_now_ms(p->supervisor->loop);
    p->channel = ipc_open(p->supervisor->loop, pair[0], supervise_from_child, supervise_from_child_n,
                          CHANNEL_QUEUE, supervisor_on_message, supervisor_on_closed, p);
    return p->channel != NULL; /* if not, its end of the pair is closed and it ends by itself */
}

static struct generation *generation_of(const struct process *p)
{
    struct generation *starting = supervisor_starting(p->supervisor);
    return p->generation ? p->generation : p->supervisor->serving ? p->supervisor->serving : starting;
}

static bool say_hello(struct process *p, const struct generation *g)
{
    const struct config *c = g->load.config;
    struct supervise_hello m = {
        .role = (uint8_t)p->role,
        .index = p->index,
        .generation = g->number,
        .n_edges = g->n_edges,
        .column = p->column,
        .pool = {c->pool_small_blocks, c->pool_large_blocks},
        .insecure_no_sandbox = p->supervisor->options.insecure_no_sandbox,
        .debug_sandbox = p->supervisor->options.debug_sandbox,
    };
    for (unsigned i = 0; i < p->supervisor->n_listenings; i++)
        m.listeners_shared |= p->supervisor->listenings[i].shared;
    struct config_files_owner account;
    role_account(p->role, &account);
    m.uid = account.uid;
    m.gid = account.gid;
    if (role_table[p->role].group) m.group = sandbox_group(role_table[p->role].group);
    uint8_t memory[SUPERVISE_HELLO_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    supervise_hello_put(&b, &m);
    int bundle = supervisor_open_again(g->bundle);
    bool ok = bundle >= 0 && ipc_send_fd(p->channel, SUPERVISE_HELLO, buf_span(&b), bundle);
    if (bundle >= 0) close(bundle);
    return ok;
}

bool supervisor_grant(struct process *p, enum grant kind, unsigned a, unsigned b, int fd)
{
    uint8_t memory[SUPERVISE_GRANT_OCTETS];
    struct buf payload = buf_on(memory, sizeof memory);
    supervise_grant_put(&payload, &(struct supervise_grant){(uint8_t)kind, a, b});
    return ipc_send_fd(p->channel, SUPERVISE_GRANT, buf_span(&payload), fd);
}

static bool grant_opened(struct process *p, const struct generation *g)
{
    for (size_t i = 0; i < g->n_opened; i++) {
        const struct opened *o = &g->opened[i];
        if (supervisor_role_of_grant(o->kind) != p->role) continue;
        /* the spool's is the locked description itself: the spooler shares the lock, and it outlasts us */
        int fd = o->kind == GRANT_SPOOL ? fcntl(p->supervisor->lock, F_DUPFD_CLOEXEC, 3)
                                        : supervisor_open_again(o->fd);
        bool ok = fd >= 0 && supervisor_grant(p, o->kind, o->a, o->b, fd);
        if (fd >= 0) close(fd);
        if (!ok) return false;
    }
    return true;
}

bool supervisor_send_config(struct process *p, const struct generation *g)
{
    int bundle = supervisor_open_again(g->bundle);
    bool ok = bundle >= 0 && grant_opened(p, g) &&
              ipc_send_fd(p->channel, SUPERVISE_CONFIG, span_of(&g->number, sizeof(uint32_t)), bundle);
    if (bundle >= 0) close(bundle);
    return ok;
}

/* Socket i of a listener is for edge i; when there are more sockets than edges, an edge serves several. */
static bool grant_listeners(struct process *p, const struct generation *g)
{
    const struct config *c = g->load.config;
    for (uint32_t s = 0; s < c->n_servers; s++)
        for (uint32_t i = 0; c->servers[s].role != ROLE_GATE && i < c->servers[s].n_listeners; i++) {
            const struct listening *l = supervisor_listening(p->supervisor, &c->servers[s].listeners[i]);
            if (!l) return false;
            for (unsigned k = l->shared ? 0 : p->index; k < l->n; k += l->shared ? 1 : g->n_edges)
                if (!supervisor_grant(p, GRANT_LISTENER, s, i, l->fds[k])) return false;
        }
    return true;
}

static bool grant_to_edge(struct process *p, const struct generation *g)
{
    struct supervisor *s = p->supervisor;
    const struct config *c = g->load.config;
    p->pool = pool_create((struct pool_geometry){c->pool_small_blocks, c->pool_large_blocks});
    if (p->pool < 0 || g->map < 0) return false;
    return grant_listeners(p, g) && supervisor_grant(p, GRANT_POOL, p->index, g->number, p->pool) &&
           supervisor_grant(p, GRANT_SOURCES, 0, 0, s->sources) &&
           supervisor_grant(p, GRANT_RATES, 0, 0, s->rates) &&
           supervisor_grant(p, GRANT_TICKET_KEYS, 0, 0, s->tickets_fd) &&
           supervisor_grant(p, GRANT_MAP, 0, 0, g->map);
}

/* A conversation of spooler and edge begins with the edge's pool. */
static bool grant_pool(struct process *to, const struct process *edge)
{
    if (to->role != PROC_SPOOLER || edge->role != PROC_EDGE) return true;
    return edge->pool >= 0 &&
           supervisor_grant(to, GRANT_POOL, edge->index, edge->generation->number, edge->pool);
}

static bool tell_peer(struct process *to, const struct process *about, uint32_t serial, int fd)
{
    uint8_t memory[SUPERVISE_PEER_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    const struct generation *g = generation_of(about);
    supervise_peer_put(&b, &(struct supervise_peer){(uint8_t)about->role, about->index, g->number, serial});
    return ipc_send_fd(to->channel, SUPERVISE_PEER, buf_span(&b), fd);
}

void supervisor_introduce(struct process *a, struct process *b)
{
    int pair[2];
    if (pair_with_room(pair) != 0) {
        log_note(LOG_LEVEL_ERROR, "peer", "no socketpair", errno);
        return;
    }
    uint32_t serial = ++a->supervisor->conversations;
    size_t at_a = (size_t)(a - a->supervisor->processes), at_b = (size_t)(b - a->supervisor->processes);
    a->serials[at_b] = b->serials[at_a] = serial;
    a->lost[at_b] = false;
    b->lost[at_a] = false;
    if (!grant_pool(a, b) || !grant_pool(b, a) || !tell_peer(a, b, serial, pair[0]) ||
        !tell_peer(b, a, serial, pair[1]))
        log_note(LOG_LEVEL_ERROR, "peer", b->name, 0);
    close(pair[0]);
    close(pair[1]);
}

bool supervisor_may_meet(const struct process *a, const struct process *b)
{
    if (!peers_may_talk(a->role, b->role)) return false;
    /* an edge that needs no names of clients has nobody to ask */
    if (a->role == PROC_EDGE && b->role == PROC_RESOLVER)
        return config_asks_names(generation_of(a)->load.config);
    if (a->role == PROC_RESOLVER && b->role == PROC_EDGE) return supervisor_may_meet(b, a);
    bool spooler = a->role == PROC_SPOOLER || b->role == PROC_SPOOLER;
    bool directory = a->role == PROC_DIRECTORY || b->role == PROC_DIRECTORY;
    if (spooler && directory) return generation_of(a) == generation_of(b);
    return !a->generation || !b->generation || a->generation == b->generation;
}

static void introduce_to_all(struct process *p)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *q = &p->supervisor->processes[i];
        if (q != p && supervisor_process_alive(q) && supervisor_may_meet(p, q)) supervisor_introduce(p, q);
    }
}

bool supervisor_spawn(struct process *p)
{
    struct supervisor *s = p->supervisor;
    const struct generation *g = generation_of(p);
    if (!start_process(p)) return false;
    p->state = PROCESS_STARTING;
    bool ok = say_hello(p, g) && grant_opened(p, g);
    if (p->role == PROC_EDGE) ok = ok && grant_to_edge(p, g);
    if (p->role == PROC_ADMIN) ok = ok && supervisor_grant(p, GRANT_CONTROL, 0, 0, s->control);
    if (p->role == PROC_MAILBOX) ok = ok && supervisor_grant(p, GRANT_LOCK, 0, 0, s->lock);
    if (ok) introduce_to_all(p);
    ok = ok && ipc_send(p->channel, SUPERVISE_START, (struct span){NULL, 0});
    ipc_flush(p->channel);
    if (!ok) supervisor_process_kill(p); /* it is reaped like any other that died */
    return true;
}
