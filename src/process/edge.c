/* edge: the process that talks to strangers. It holds listening sockets, its block pool and public certificates; it opens
 * nothing, connects nowhere and has no private key (DESIGN 4). */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/login_message.h"
#include "directory/sender_message.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "process/supervise.h"
#include "sasl/mechanism.h"
#include "service/inbound.h"
#include "spool/message_id.h"
#include "system/log.h"
#include "system/tls.h"
#include "system/tls_ticket.h"

#define EDGE_TRIM_MS 30000

struct edge_grant {
    enum grant kind;
    unsigned a, b;
    int fd;
};

struct edge {
    struct pool pool;
    struct sources sources;
    struct rates rates;
    struct recipients recipients;
    struct barred *barred;
    struct tls_context **tls; /* one per server */
    struct ipc *spooler, *keyring, *directory, *resolver;
    struct inbound *inbound;
    struct timer drain_timer, trim_timer;
    struct edge_grant grants[SUPERVISE_GRANTS_MAX];
    unsigned n_grants;
    int spooler_fd, keyring_fd, directory_fd, resolver_fd; /* conversations offered before the start; -1 */
    struct child *child;
    bool started, draining, stopping;
    bool surplus;            /* more was granted than an edge takes */
    uint64_t drain_until_ms; /* stopping: sessions that are still open then are cut */
    uint8_t problem[512];
};

/* One edge a process. Grants and conversations arrive before there is anything else. */
static struct edge *edge_of(struct child *c)
{
    static struct edge edge = {.spooler_fd = -1, .keyring_fd = -1, .directory_fd = -1, .resolver_fd = -1};
    c->state = &edge;
    edge.child = c;
    return &edge;
}

static const struct ipc_allowed from_spooler[] = {{MSG_SUBMIT_RESULT, 8, 64, 0}};
static const struct ipc_allowed from_keyring[] = {{MSG_SIGN_ANSWER, 11, SIGN_ANSWER_OCTETS_MAX, 0},
                                                  {MSG_KEY_ANSWER, KEY_ANSWER_OCTETS, KEY_ANSWER_OCTETS, 0}};

static const struct ipc_allowed from_directory[] = {
    {MSG_LOGIN_ANSWER, LOGIN_ANSWER_LEAST, LOGIN_ANSWER_OCTETS, 0},
    {MSG_SENDER_ANSWER, SENDER_ANSWER_OCTETS, SENDER_ANSWER_OCTETS, 0},
    {MSG_BANS, 2, BARRED_PART_OCTETS, 0}};

static const struct ipc_allowed from_resolver[] = {{MSG_DNS_ANSWER, 20, LIMIT_IPC_MESSAGE_OCTETS, 0}};

static bool submit(void *context, enum inbound_submit kind, struct span payload)
{
    static const uint16_t type[] = {MSG_SUBMIT_CHUNK, MSG_SUBMIT_COMMIT, MSG_SUBMIT_ABORT};
    struct edge *e = edge_of(context);
    return e->spooler && ipc_send(e->spooler, type[kind], payload);
}

static void spooler_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct child *c = context;
    struct submit_result r;
    (void)type;
    (void)fds;
    (void)n_fds;
    if (submit_result_read(payload, &r))
        inbound_result(edge_of(c)->inbound, &r);
    else
        log_note(LOG_LEVEL_ERROR, "ipc-malformed", "result of the spooler", 0);
}

static void spooler_closed(void *context, const char *reason)
{
    struct child *c = context;
    struct edge *e = edge_of(c);
    ipc_close(&e->spooler);
    inbound_spooler_lost(e->inbound);
    child_peer_lost(c, PROC_SPOOLER, 0, reason);
}

/* The edges of a generation find out the same: one says it. */
static void say_unusable(const struct child *c, unsigned server, struct span reason)
{
    if (c->index != 0) return;
    log_begin(LOG_LEVEL_ERROR, "certificate-unusable");
    log_span("server", c->config->servers[server].name);
    log_span("reason", reason);
    log_end();
}

/* The keyring says which key it holds: a certificate whose key does not fit would fail every handshake. */
static void key_answered(struct child *c, struct span payload)
{
    struct edge *e = edge_of(c);
    struct key_answer a;
    struct buf problem = buf_on(e->problem, sizeof e->problem - 1);
    if (!key_answer_read(payload, &a) || a.key.server >= c->config->n_servers || !e->tls[a.key.server])
        return;
    if (a.status == SIGN_OK && tls_context_key_fits(e->tls[a.key.server], a.key, a.fingerprint, &problem))
        return;
    say_unusable(c, a.key.server,
                 a.status == SIGN_OK ? buf_span(&problem) : SPAN("the keyring has no such key"));
    if (!tls_context_remove(e->tls[a.key.server], a.key)) inbound_tls_off(e->inbound, a.key.server);
}

static void keyring_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct child *c = context;
    (void)fds;
    (void)n_fds;
    if (type == MSG_KEY_ANSWER)
        key_answered(c, payload);
    else if (!inbound_key_answer(edge_of(c)->inbound, payload))
        log_note(LOG_LEVEL_ERROR, "ipc-malformed", "answer of the keyring", 0);
}

static void keyring_closed(void *context, const char *reason)
{
    struct child *c = context;
    struct edge *e = edge_of(c);
    ipc_close(&e->keyring);
    inbound_key_lost(e->inbound);
    child_peer_lost(c, PROC_KEYRING, 0, reason);
}

static bool ask_keyring(void *context, struct span question)
{
    struct edge *e = edge_of(context);
    return e->keyring && ipc_send(e->keyring, MSG_SIGN_QUESTION, question);
}

static bool ask_directory(void *context, enum inbound_question kind, struct span payload)
{
    static const uint16_t type[] = {MSG_LOGIN_BEGIN, MSG_LOGIN_STEP, MSG_LOGIN_CANCEL, MSG_SENDER_QUESTION};
    struct edge *e = edge_of(context);
    return e->directory && ipc_send(e->directory, type[kind], payload);
}

static void directory_message(void *context, uint16_t type, struct span payload, const int *fds,
                              unsigned n_fds)
{
    struct edge *e = edge_of(context);
    (void)fds;
    (void)n_fds;
    bool good = type == MSG_LOGIN_ANSWER    ? inbound_login_answer(e->inbound, payload)
                : type == MSG_SENDER_ANSWER ? inbound_sender_answer(e->inbound, payload)
                                            : barred_take(e->barred, payload);
    if (!good) log_note(LOG_LEVEL_ERROR, "ipc-malformed", "answer of the directory", 0);
}

static void directory_closed(void *context, const char *reason)
{
    struct child *c = context;
    struct edge *e = edge_of(c);
    ipc_close(&e->directory);
    inbound_directory_lost(e->inbound);
    child_peer_lost(c, PROC_DIRECTORY, 0, reason);
}

static bool ask_resolver(void *context, const struct dns_question *q)
{
    struct edge *e = edge_of(context);
    uint8_t memory[64 + LIMIT_DOMAIN_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    dns_question_put(&b, q);
    return e->resolver && !b.over && ipc_send(e->resolver, MSG_DNS_QUESTION, buf_span(&b));
}

static void resolver_message(void *context, uint16_t type, struct span payload, const int *fds,
                             unsigned n_fds)
{
    struct dns_answer a;
    (void)type;
    (void)fds;
    (void)n_fds;
    if (dns_answer_read(payload, &a))
        inbound_resolved(edge_of(context)->inbound, &a);
    else
        log_note(LOG_LEVEL_ERROR, "ipc-malformed", "answer of the resolver", 0);
}

static void resolver_closed(void *context, const char *reason)
{
    struct child *c = context;
    struct edge *e = edge_of(c);
    ipc_close(&e->resolver);
    inbound_resolver_lost(e->inbound);
    child_peer_lost(c, PROC_RESOLVER, 0, reason);
}

static void greet_spooler(struct edge *e)
{
    uint8_t memory[SUBMIT_POOL_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    submit_pool_put(&b, &(struct submit_pool){e->pool.geometry.small, e->pool.geometry.large});
    if (!e->spooler || !ipc_send(e->spooler, MSG_SUBMIT_POOL, buf_span(&b)))
        log_note(LOG_LEVEL_ERROR, "channel-failed", "spooler", errno);
}

static void open_peers(struct child *c)
{
    struct edge *e = edge_of(c);
    if (e->spooler_fd >= 0) {
        if (e->spooler) spooler_closed(c, "replaced");
        e->spooler =
            ipc_open(c->loop, e->spooler_fd, from_spooler, 1, 64, spooler_message, spooler_closed, c);
        e->spooler_fd = -1;
        greet_spooler(e);
    }
    if (e->keyring_fd >= 0) {
        if (e->keyring) keyring_closed(c, "replaced");
        e->keyring =
            ipc_open(c->loop, e->keyring_fd, from_keyring, 2, 16, keyring_message, keyring_closed, c);
        e->keyring_fd = -1;
    }
    if (e->directory_fd >= 0) {
        if (e->directory) directory_closed(c, "replaced");
        e->directory =
            ipc_open(c->loop, e->directory_fd, from_directory, 3, 64, directory_message, directory_closed, c);
        e->directory_fd = -1;
        if (e->directory) ipc_secret(e->directory);
    }
    if (e->resolver_fd >= 0) {
        if (e->resolver) resolver_closed(c, "replaced");
        e->resolver =
            ipc_open(c->loop, e->resolver_fd, from_resolver, 1, 64, resolver_message, resolver_closed, c);
        e->resolver_fd = -1;
    }
}

static void edge_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct edge *e = edge_of(c);
    (void)index;
    (void)generation;
    int *slot = role == PROC_SPOOLER     ? &e->spooler_fd
                : role == PROC_KEYRING   ? &e->keyring_fd
                : role == PROC_DIRECTORY ? &e->directory_fd
                : role == PROC_RESOLVER  ? &e->resolver_fd
                                         : NULL;
    if (slot && *slot >= 0) close(*slot); /* its peer died before we began */
    if (slot)
        *slot = fd;
    else
        close(fd);
    if (e->started) open_peers(c);
}

static void edge_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct edge *e = edge_of(c);
    if (kind == GRANT_TICKET_KEYS && e->started) { /* the hourly rotation */
        if (!tls_ticket_load(fd))
            log_note(LOG_LEVEL_ERROR, "ticket-keys", "unreadable, the former ones stay", 0);
        close(fd);
        return;
    }
    e->surplus |= e->n_grants == SUPERVISE_GRANTS_MAX;
    if (e->started || e->surplus) {
        close(fd);
        return;
    }
    e->grants[e->n_grants++] = (struct edge_grant){kind, a, b, fd};
}

static const void *map(int fd, int protection, size_t *octets)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0) return NULL;
    void *p = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return NULL;
    *octets = (size_t)st.st_size;
    return p;
}

static struct tls_context *make_context(const struct config_server *s)
{
    struct tls_context *c = tls_context_create(s->name);
    if (c && ((s->profile == PROFILE_LEGACY_DEVICE && !tls_context_old(c)) ||
              !tls_context_minimum(c, s->tls_minimum)))
        tls_context_free(&c);
    return c;
}

static bool read_chain(struct child *c, const struct edge_grant *g, const char **error)
{
    struct edge *e = edge_of(c);
    static uint8_t pem[LIMIT_CHAIN_OCTETS];
    ssize_t n = pread(g->fd, pem, sizeof pem, 0);
    if (n <= 0 || g->a >= c->config->n_servers || g->b >= c->config->servers[g->a].n_certificates)
        return false;
    const struct config_server *s = &c->config->servers[g->a];
    struct buf problem = buf_on(e->problem, sizeof e->problem - 1);
    if (!e->tls[g->a]) e->tls[g->a] = make_context(s);
    if (e->tls[g->a] && s->mechanisms & MECHANISM_BIT(MECHANISM_EXTERNAL)) tls_context_ask(e->tls[g->a]);
    struct tls_key_id key = {(uint16_t)g->a, (uint16_t)g->b};
    /* the arena's copies are NUL-terminated (base/arena.h) */
    bool ok =
        e->tls[g->a] && tls_context_add(e->tls[g->a], span_of(pem, (size_t)n),
                                        (const char *)s->certificates[g->b].chain_file.p, key, &problem);
    e->problem[problem.n] = '\0';
    if (!ok && problem.n) *error = (const char *)e->problem; /* the supervisor says it, once */
    return ok;
}

static bool read_authority_names(struct child *c, const struct edge_grant *g)
{
    struct edge *e = edge_of(c);
    uint8_t *pem = malloc(LIMIT_AUTHORITIES_OCTETS);
    ssize_t n = pem ? pread(g->fd, pem, LIMIT_AUTHORITIES_OCTETS, 0) : -1;
    bool ok = n > 0;
    for (uint32_t i = 0; ok && i < c->config->n_servers; i++)
        if (e->tls[i] && c->config->servers[i].name_authorities)
            ok = tls_context_name(e->tls[i], span_of(pem, (size_t)n));
    free(pem);
    return ok;
}

static bool take_grant(struct child *c, const struct edge_grant *g, const char **error)
{
    struct edge *e = edge_of(c);
    size_t octets = 0;
    const void *p;
    switch (g->kind) {
    case GRANT_POOL: *error = "the block pool cannot be mapped"; return pool_map(&e->pool, g->fd, c->pool);
    case GRANT_SOURCES:
        *error = "the table of sources cannot be mapped";
        p = map(g->fd, PROT_READ | PROT_WRITE, &octets);
        return p && sources_open(&e->sources, (void *)(uintptr_t)p, octets);
    case GRANT_RATES:
        *error = "the table of rates cannot be mapped";
        p = map(g->fd, PROT_READ | PROT_WRITE, &octets);
        return p && rates_open(&e->rates, (void *)(uintptr_t)p, octets);
    case GRANT_MAP:
        *error = "the recipient map cannot be mapped";
        p = map(g->fd, PROT_READ, &octets);
        return p && recipients_open(&e->recipients, p, octets);
    case GRANT_CHAIN: *error = "a certificate cannot be used"; return read_chain(c, g, error);
    case GRANT_AUTHORITY_NAMES:
        *error = "the authorities of clients cannot be named";
        return read_authority_names(c, g);
    case GRANT_TICKET_KEYS: *error = "the ticket keys cannot be read"; return tls_ticket_load(g->fd);
    default: return true;
    }
}

static bool warm_up(struct child *c, const char **error)
{
    struct edge *e = edge_of(c);
    struct tls_context *used[LIMIT_SERVERS];
    size_t n = 0;
    for (uint32_t i = 0; i < c->config->n_servers && n < LIMIT_SERVERS; i++)
        if (e->tls[i]) used[n++] = e->tls[i];
    return n == 0 || tls_warm_up(used, n, error);
}

/* All that sessions will ever need, while memory can still be had. */
static bool make_inbound(struct child *c, const char **error)
{
    struct edge *e = edge_of(c);
    struct inbound_setup setup = {
        .loop = c->loop,
        .config = c->config,
        .pool = &e->pool,
        .sources = &e->sources,
        .rates = &e->rates,
        .recipients = e->recipients,
        .edge = message_id_edge(c->generation, c->index),
        .column = c->column,
        .tls = e->tls,
        .submit = submit,
        .ask = ask_directory,
        .resolve = ask_resolver,
        .context = c,
    };
    void *barred = calloc(1, barred_octets());
    if (barred) e->barred = setup.barred = barred_on(barred);
    *error = "no memory for as many sessions and blocks as the configuration permits";
    e->inbound = barred ? inbound_create(&setup) : NULL;
    return e->inbound != NULL;
}

static bool edge_prepare(struct child *c, const char **error)
{
    struct edge *e = edge_of(c);
    *error = "more listening sockets and certificates than an edge takes";
    if (e->surplus) return false;
    *error = "no memory for TLS";
    if (!tls_memory_init(LIMIT_TLS_ARENA_OCTETS_DEFAULT)) return false;
    e->tls = calloc(c->config->n_servers + 1u, sizeof(struct tls_context *));
    if (!e->tls) return false;
    for (unsigned i = 0; i < e->n_grants; i++)
        if (!take_grant(c, &e->grants[i], error)) return false;
    for (unsigned i = 0; i < e->n_grants; i++)
        if (e->grants[i].kind != GRANT_LISTENER) close(e->grants[i].fd);
    *error = "a descriptor is missing: pool, sources, rates or recipient map";
    if (!e->pool.memory || !e->sources.memory || !e->rates.memory || !e->recipients.memory) return false;
    tls_keyring(ask_keyring, c);
    return warm_up(c, error) && make_inbound(c, error);
}

static void ask_for_keys(struct child *c)
{
    struct edge *e = edge_of(c);
    for (uint32_t s = 0; s < c->config->n_servers; s++)
        for (uint32_t i = 0; e->tls[s] && i < c->config->servers[s].n_certificates; i++) {
            uint8_t payload[KEY_QUESTION_OCTETS];
            struct buf b = buf_on(payload, sizeof payload);
            key_question_put(&b, (struct tls_key_id){(uint16_t)s, (uint16_t)i});
            if (!e->keyring || !ipc_send(e->keyring, MSG_KEY_QUESTION, buf_span(&b)))
                log_note(LOG_LEVEL_WARNING, "keyring", "not reachable yet", 0);
        }
}

/* Handshakes come in waves; the pages they needed are given back. */
static void trim(struct timer *t)
{
    struct edge *e = (struct edge *)(void *)((char *)t - offsetof(struct edge, trim_timer));
    (void)tls_memory_trim();
    loop_timer_set(e->child->loop, t, loop_now_ms(e->child->loop) + EDGE_TRIM_MS, trim);
}

static bool edge_start(struct child *c, const char **error)
{
    struct edge *e = edge_of(c);
    e->started = true;
    open_peers(c);
    ask_for_keys(c);
    loop_timer_set(c->loop, &e->trim_timer, loop_now_ms(c->loop) + EDGE_TRIM_MS, trim);
    *error = "a listening socket cannot be watched";
    for (unsigned i = 0; i < e->n_grants; i++)
        if (e->grants[i].kind == GRANT_LISTENER &&
            !inbound_listen(e->inbound, e->grants[i].a, e->grants[i].b, e->grants[i].fd, c->listeners_shared))
            return false;
    return true;
}

static void drain_again(struct timer *t)
{
    struct edge *e = (struct edge *)(void *)((char *)t - offsetof(struct edge, drain_timer));
    struct child *c = e->child;
    uint64_t now = loop_now_ms(c->loop);
    if (e->stopping) inbound_drain(e->inbound, true);
    if (e->stopping && now >= e->drain_until_ms) {
        child_exit(c, 0);
        return;
    }
    loop_timer_set(c->loop, t, now + 200, drain_again);
}

static void edge_drain(struct child *c, bool stopping)
{
    struct edge *e = edge_of(c);
    inbound_drain(e->inbound, stopping);
    e->draining = true;
    if (stopping && !e->stopping) {
        e->stopping = true;
        e->drain_until_ms = loop_now_ms(c->loop) + c->config->drain_seconds * 1000u;
    }
    loop_timer_set(c->loop, &e->drain_timer, loop_now_ms(c->loop) + 1, drain_again);
}

static void edge_after_turn(struct child *c)
{
    struct edge *e = edge_of(c);
    inbound_after_turn(e->inbound);
    if (e->draining && inbound_sessions(e->inbound) == 0) child_exit(c, 0);
    if (e->spooler) ipc_flush(e->spooler);
    if (e->keyring) ipc_flush(e->keyring);
    if (e->directory) ipc_flush(e->directory);
    if (e->resolver) ipc_flush(e->resolver);
}

static void edge_status(struct child *c, struct buf *json)
{
    if (edge_of(c)->inbound) inbound_status(edge_of(c)->inbound, json);
}

const struct child_hooks edge_hooks = {
    .peer = edge_peer,
    .grant = edge_grant,
    .prepare = edge_prepare,
    .start = edge_start,
    .drain = edge_drain,
    .status = edge_status,
    .after_turn = edge_after_turn,
};
