/* relay: the process that talks to next hops. It gets transactions from the spooler, connected sockets from the connector, and one
 * response of an exchange at a time from the directory; content it reads from segments on a lease. It opens nothing and connects nowhere
 * (DESIGN 4). */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/credential.h"
#include "process/relay_private.h"
#include "system/log.h"

static const struct ipc_allowed from_connector[] = {{MSG_CONNECT_OPEN, 1, UINT16_MAX, 1},
                                                    {MSG_CONNECT_ANSWER, 1, UINT16_MAX, 0}};
static const struct ipc_allowed from_directory[] = {{MSG_CREDENTIAL_ANSWER, 1, CREDENTIAL_ANSWER_OCTETS, 0}};

/* One relay a process. */
static struct relay *relay_of(struct child *c)
{
    static struct relay relay = {
        .spooler_fd = -1, .connector_fd = -1, .directory_fd = -1, .authorities_fd = -1};
    c->state = &relay;
    relay.child = c;
    return &relay;
}

static void replace_fd(int *slot, int fd)
{
    if (*slot >= 0) close(*slot);
    *slot = fd;
}

/* ---- conversations */

void relay_spooler_lost(struct relay *r, const char *constant_reason)
{
    if (!r->lost) r->lost = constant_reason;
}

/* Nobody waits for the results any more; what was in hand will be asked for again. */
static void spooler_end(struct relay *r)
{
    ipc_close(&r->spooler);
    relay_links_drop(r);
    relay_jobs_drop(r);
    relay_leases_drop(r);
}

static void spooler_closed(void *context, const char *reason)
{
    relay_spooler_lost(context, reason);
}

static void connector_closed(void *context, const char *reason)
{
    struct relay *r = context;
    ipc_close(&r->connector);
    child_peer_lost(r->child, PROC_CONNECTOR, 0, reason);
}

static void directory_closed(void *context, const char *reason)
{
    struct relay *r = context;
    ipc_close(&r->directory);
    r->directory_gone = true;
    child_peer_lost(r->child, PROC_DIRECTORY, 0, reason);
}

static int take_fd(int *slot)
{
    int fd = *slot;
    *slot = -1;
    return fd;
}

static void open_peers(struct relay *r)
{
    struct loop *l = r->child->loop;
    if (r->spooler_fd >= 0) {
        spooler_end(r);
        r->lost = NULL;
        r->spooler = ipc_open(l, take_fd(&r->spooler_fd), relay_from_spooler, relay_from_spooler_n,
                              RELAY_QUEUED, relay_spooler_said, spooler_closed, r);
    }
    if (r->connector_fd >= 0) {
        ipc_close(&r->connector);
        r->connector = ipc_open(l, take_fd(&r->connector_fd), from_connector, 2, RELAY_QUEUED,
                                relay_connector_said, connector_closed, r);
        relay_links_ask_again(r);
    }
    if (r->directory_fd >= 0) {
        ipc_close(&r->directory);
        r->directory_gone = true;
        r->directory = ipc_open(l, take_fd(&r->directory_fd), from_directory, 1, RELAY_QUEUED,
                                relay_directory_said, directory_closed, r);
        if (r->directory) ipc_secret(r->directory); /* its answers hold passwords (I10) */
        relay_links_log_in(r);
    }
}

static void relay_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct relay *r = relay_of(c);
    (void)index, (void)generation;
    int *slot = role == PROC_SPOOLER     ? &r->spooler_fd
                : role == PROC_CONNECTOR ? &r->connector_fd
                : role == PROC_DIRECTORY ? &r->directory_fd
                                         : NULL;
    if (!slot) {
        close(fd);
        return;
    }
    replace_fd(slot, fd);
    if (r->started) open_peers(r);
}

static void relay_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct relay *r = relay_of(c);
    (void)a, (void)b;
    if (kind == GRANT_AUTHORITIES && !r->started)
        replace_fd(&r->authorities_fd, fd);
    else
        close(fd);
}

/* ---- life */

/* The authorities that the system trusts; none: nobody is verified by one. */
static bool make_tls(struct relay *r, const char **error)
{
    struct stat st;
    struct span pem = {NULL, 0};
    void *text = NULL;
    if (r->authorities_fd >= 0 && fstat(r->authorities_fd, &st) == 0 && st.st_size > 0) {
        *error = "the file of trusted certificates is too large";
        if (st.st_size > LIMIT_AUTHORITIES_OCTETS) return false;
        *error = "the file of trusted certificates cannot be read";
        text = malloc((size_t)st.st_size);
        if (!text || pread(r->authorities_fd, text, (size_t)st.st_size, 0) != st.st_size) return false;
        pem = span_of(text, (size_t)st.st_size);
    }
    replace_fd(&r->authorities_fd, -1);
    r->tls = tls_client_context_create(pem, error);
    free(text);
    return r->tls && tls_client_warm_up(r->tls, error);
}

static bool relay_prepare(struct child *c, const char **error)
{
    struct relay *r = relay_of(c);
    *error = "no memory for TLS";
    if (!tls_memory_init(LIMIT_TLS_ARENA_OCTETS_DEFAULT) || !make_tls(r, error)) return false;
    struct outbound_setup setup = {.loop = c->loop,
                                   .tls = r->tls,
                                   .hostname = c->config->hostname,
                                   .hooks = &relay_outbound_hooks,
                                   .context = r,
                                   .sessions = RELAY_LINKS};
    *error = "no memory for sessions";
    r->outbound = outbound_create(&setup);
    return r->outbound && relay_jobs_create(r) && relay_links_create(r);
}

static void look(struct timer *t)
{
    struct relay *r = LIST_OF(t, struct relay, look_timer);
    relay_links_overdue(r);
    loop_timer_set(r->child->loop, t, loop_now_ms(r->child->loop) + RELAY_LOOK_MS, look);
}

static bool relay_start(struct child *c, const char **error)
{
    struct relay *r = relay_of(c);
    (void)error;
    r->started = true;
    open_peers(r);
    look(&r->look_timer);
    return true;
}

static void drain_over(struct timer *t)
{
    struct relay *r = LIST_OF(t, struct relay, drain_timer);
    child_exit(r->child, 0);
}

static void relay_drain(struct child *c, bool stopping)
{
    struct relay *r = relay_of(c);
    r->draining = true;
    r->stopping |= stopping;
    relay_links_quit(r);
    if (!stopping) return;
    relay_links_abandon(r);
    loop_timer_set(c->loop, &r->drain_timer, loop_now_ms(c->loop) + c->config->drain_seconds * 1000u,
                   drain_over);
}

static void relay_after_turn(struct child *c)
{
    struct relay *r = relay_of(c);
    outbound_after_turn(r->outbound);
    if (r->lost) {
        const char *reason = r->lost;
        spooler_end(r);
        r->lost = NULL;
        if (!r->draining) child_peer_lost(c, PROC_SPOOLER, 0, reason);
    }
    if (r->directory_gone) relay_links_log_in_again(r);
    relay_links_ask(r);
    if (r->spooler) ipc_flush(r->spooler);
    if (r->connector) ipc_flush(r->connector);
    if (r->directory) ipc_flush(r->directory);
    bool told = !r->spooler || ipc_idle(r->spooler); /* else what was delivered would be delivered again */
    if (r->draining && told && (r->stopping ? r->n_working : r->n_jobs) == 0) child_exit(c, 0);
}

static void put_count(struct buf *json, const char *name, uint64_t n)
{
    buf_byte(json, ',');
    buf_byte(json, '"');
    buf_str(json, name);
    buf_str(json, "\":");
    buf_u64(json, n);
}

static void relay_status(struct child *c, struct buf *json)
{
    const struct relay *r = relay_of(c);
    buf_str(json, "\"jobs\":");
    buf_u64(json, r->n_jobs);
    put_count(json, "idle", r->n_idle);
    put_count(json, "relayed", r->counters.relayed);
    put_count(json, "deferred", r->counters.deferred);
    put_count(json, "failed", r->counters.failed);
    put_count(json, "connections", r->counters.sessions);
    put_count(json, "reused", r->counters.reused);
    put_count(json, "leases", r->n_leases);
}

const struct child_hooks relay_hooks = {
    .peer = relay_peer,
    .grant = relay_grant,
    .prepare = relay_prepare,
    .start = relay_start,
    .drain = relay_drain,
    .status = relay_status,
    .after_turn = relay_after_turn,
};
