/* connector: finds addresses for next hops and connects (service/connect.h); it passes each socket on and reads not one octet of it. To admin it
 * says what it would find. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "service/connect.h"
#include "spool/question.h"
#include "system/log.h"

enum { PACKETS_QUEUED = 512, CLIENTS = 8 * (LIMIT_RELAYS_MAX + 1) }; /* of all generations that are alive */

struct connector_client { /* a relay, or a directory */
    struct connector *connector;
    struct ipc *channel;
    int fd; /* a conversation that waits for `start`; else -1 */
    enum role role;
    unsigned index, generation;
    bool broken; /* an answer could not be sent: closed at the end of the turn */
};

struct connector {
    struct child *child;
    struct connect *connect;
    struct ipc *resolver;
    int resolver_fd; /* as above */
    struct ipc *admin;
    int admin_fd;      /* as above */
    bool admin_broken; /* as above */
    struct connector_client clients[CLIENTS];
    uint64_t complain_ms; /* not before: of a service that cannot be connected to */
    bool started;
};

static const struct ipc_allowed from_resolver[] = {{MSG_DNS_ANSWER, 20, LIMIT_IPC_MESSAGE_OCTETS, 0}};
static const struct ipc_allowed from_relay[] = {
    {MSG_CONNECT_QUESTION, 20, 64 + NEXT_HOP_KEY_OCTETS + CONNECT_TRIED * sizeof(struct connect_tried), 0}};

static const struct ipc_allowed from_directory[] = {
    {MSG_SERVICE_QUESTION, CONNECT_SERVICE_QUESTION_OCTETS, CONNECT_SERVICE_QUESTION_OCTETS, 0}};
static const struct ipc_allowed from_admin[] = {{MSG_EXPLAIN_QUESTION, 20, 64 + NEXT_HOP_KEY_OCTETS, 0}};

static struct connector *connector_of(struct child *c)
{
    if (c->state) return c->state;
    struct connector *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->child = c;
    k->resolver_fd = k->admin_fd = -1;
    for (unsigned i = 0; i < CLIENTS; i++)
        k->clients[i] = (struct connector_client){.connector = k, .fd = -1};
    c->state = k;
    return k;
}

/* ---- the resolver */

static void resolver_closed(void *context, const char *reason)
{
    struct connector *k = context;
    ipc_close(&k->resolver);
    child_peer_lost(k->child, PROC_RESOLVER, 0, reason);
}

static void on_dns_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct connector *k = context;
    struct dns_answer a;
    (void)type, (void)fds, (void)n_fds;
    if (!k->resolver) return; /* closed while its packet is worked off */
    if (dns_answer_read(payload, &a))
        connect_dns_answer(k->connect, &a);
    else
        resolver_closed(k, "malformed answer");
}

static bool ask_resolver(void *context, const struct dns_question *q)
{
    struct connector *k = context;
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 32];
    struct buf b = buf_on(memory, sizeof memory);
    dns_question_put(&b, q);
    return k->resolver && !b.over && ipc_send(k->resolver, MSG_DNS_QUESTION, buf_span(&b));
}

static void resolver_open(struct connector *k, int fd)
{
    ipc_close(&k->resolver);
    k->resolver = ipc_open(k->child->loop, fd, from_resolver, sizeof from_resolver / sizeof from_resolver[0],
                           PACKETS_QUEUED, on_dns_answer, resolver_closed, k);
    if (k->resolver)
        connect_dns_again(k->connect);
    else
        log_note(LOG_LEVEL_ERROR, "channel-failed", "resolver", errno);
}

/* ---- relays and directories */

static void client_closed(void *context, const char *reason)
{
    struct connector_client *r = context;
    ipc_close(&r->channel);
    r->broken = false;
    connect_forget(r->connector->connect, r);
    child_peer_lost(r->connector->child, r->role, r->index, reason);
}

static void on_question(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct connector_client *r = context;
    struct connect_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!r->channel) return; /* closed while its packet is worked off */
    if (connect_question_read(payload, &q))
        connect_ask(r->connector->connect, r, &q);
    else
        client_closed(r, "malformed question");
}

static void on_service_question(void *context, uint16_t type, struct span payload, const int *fds,
                                unsigned n_fds)
{
    struct connector_client *r = context;
    struct connect_service_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!r->channel) return; /* closed while its packet is worked off */
    if (connect_service_question_read(payload, &q))
        connect_ask_service(r->connector->connect, r, &q);
    else
        client_closed(r, "malformed question");
}

/* A login is refused for it, and its line in the log says only that. */
static void complain(struct connector *k, struct span why)
{
    uint64_t now = loop_now_ms(k->child->loop);
    if (now < k->complain_ms) return;
    k->complain_ms = now + LIMIT_UNAVAILABLE_LOG_MS;
    log_begin(LOG_LEVEL_ERROR, "dovecot-unavailable");
    log_span("text", why);
    log_end();
}

static void send_answer(void *context, const void *asker, const struct connect_answer *a, int fd)
{
    struct connector *k = context;
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct connector_client *r = &k->clients[(const struct connector_client *)asker - k->clients];
    connect_answer_put(&b, a);
    if (r->role == PROC_DIRECTORY && a->status != CONNECT_OPEN) complain(k, a->text);
    if (!r->channel || r->broken) return;
    r->broken = b.over || !(fd >= 0 ? ipc_send_fd(r->channel, MSG_CONNECT_OPEN, buf_span(&b), fd)
                                    : ipc_send(r->channel, MSG_CONNECT_ANSWER, buf_span(&b)));
}

static void client_open(struct connector_client *r, int fd)
{
    struct connector *k = r->connector;
    if (r->channel) client_closed(r, "replaced");
    bool relay = r->role == PROC_RELAY;
    r->channel = ipc_open(k->child->loop, fd, relay ? from_relay : from_directory, 1, PACKETS_QUEUED,
                          relay ? on_question : on_service_question, client_closed, r);
    if (!r->channel) log_note(LOG_LEVEL_ERROR, "channel-failed", role_table[r->role].name, errno);
}

/* ---- admin */

static void admin_closed(void *context, const char *reason)
{
    struct connector *k = context;
    ipc_close(&k->admin);
    k->admin_broken = false;
    connect_forget(k->connect, &k->admin);
    child_peer_lost(k->child, PROC_ADMIN, 0, reason);
}

static void on_explain(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct connector *k = context;
    struct connect_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!k->admin) return; /* closed while its packet is worked off */
    if (connect_question_read(payload, &q))
        connect_explain(k->connect, &k->admin, &q);
    else
        admin_closed(k, "malformed question");
}

static void send_rows(void *context, const void *asker, uint64_t tag, struct span rows)
{
    struct connector *k = context;
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    (void)asker; /* only admin asks so */
    answer_put(&b, &(struct answer){.tag = tag, .status = ANSWER_OK, .last = 1, .text = rows});
    if (k->admin && !k->admin_broken)
        k->admin_broken = b.over || !ipc_send(k->admin, MSG_EXPLAIN_ANSWER, buf_span(&b));
}

static void admin_open(struct connector *k, int fd)
{
    if (k->admin) admin_closed(k, "replaced");
    k->admin = ipc_open(k->child->loop, fd, from_admin, 1, PACKETS_QUEUED, on_explain, admin_closed, k);
    if (!k->admin) log_note(LOG_LEVEL_ERROR, "channel-failed", "admin", errno);
}

/* ---- life */

/* Its place: one that was restarted takes its own again; null: all are taken. */
static struct connector_client *client_place(struct connector *k, enum role role, unsigned index,
                                             unsigned generation)
{
    struct connector_client *ret = NULL;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct connector_client *r = &k->clients[i];
        bool taken = r->channel || r->fd >= 0;
        if (taken && r->role == role && r->index == index && r->generation == generation) return r;
        if (!taken && !ret) ret = r;
    }
    if (ret) {
        ret->role = role;
        ret->index = index;
        ret->generation = generation;
    }
    return ret;
}

static void connector_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct connector *k = connector_of(c);
    struct connector_client *client =
        k && (role == PROC_RELAY || role == PROC_DIRECTORY) ? client_place(k, role, index, generation) : NULL;
    if (!k || (!client && role != PROC_RESOLVER && role != PROC_ADMIN)) {
        close(fd);
        return;
    }
    if (k->started && client) {
        client_open(client, fd);
    } else if (k->started) {
        (role == PROC_ADMIN ? admin_open : resolver_open)(k, fd);
    } else {
        int *waits = client ? &client->fd : role == PROC_ADMIN ? &k->admin_fd : &k->resolver_fd;
        if (*waits >= 0) close(*waits);
        *waits = fd;
    }
}

static bool connector_start(struct child *c, const char **error)
{
    static const struct connect_hooks hooks = {ask_resolver, send_answer, send_rows};
    struct connector *k = connector_of(c);
    uint64_t seed;
    *error = "no memory";
    if (!k || getrandom(&seed, sizeof seed, 0) != sizeof seed) return false;
    k->connect = connect_create(c->loop, c->config, &hooks, k, seed);
    if (!k->connect) return false;
    k->started = true;
    if (k->resolver_fd >= 0) resolver_open(k, k->resolver_fd);
    if (k->admin_fd >= 0) admin_open(k, k->admin_fd);
    k->resolver_fd = k->admin_fd = -1;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (k->clients[i].fd >= 0) client_open(&k->clients[i], k->clients[i].fd);
        k->clients[i].fd = -1;
    }
    return true;
}

static void connector_config(struct child *c, const struct config *fresh)
{
    struct connector *k = c->state;
    connect_config(k->connect, fresh);
}

static void connector_drain(struct child *c, bool stopping)
{
    (void)stopping;
    child_exit(c, 0);
}

static void connector_status(struct child *c, struct buf *json)
{
    const struct connector *k = c->state;
    struct connect_counts n = connect_count(k->connect);
    const struct {
        const char *key;
        uint64_t value;
    } members[] = {{"\"questions\":", n.questions}, {",\"opened\":", n.opened},
                   {",\"deferred\":", n.deferred},  {",\"failed\":", n.failed},
                   {",\"open\":", n.open},          {",\"sockets\":", n.sockets},
                   {",\"lookups\":", n.lookups}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        buf_str(json, members[i].key);
        buf_u64(json, members[i].value);
    }
}

static void connector_after_turn(struct child *c)
{
    struct connector *k = c->state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (k->clients[i].channel && k->clients[i].broken)
            client_closed(&k->clients[i], "answers are not read");
        if (k->clients[i].channel) ipc_flush(k->clients[i].channel);
    }
    if (k->admin && k->admin_broken) admin_closed(k, "answers are not read");
    if (k->admin) ipc_flush(k->admin);
    if (k->resolver) ipc_flush(k->resolver);
}

const struct child_hooks connector_hooks = {
    .peer = connector_peer,
    .start = connector_start,
    .drain = connector_drain,
    .config = connector_config,
    .status = connector_status,
    .after_turn = connector_after_turn,
};
