/* resolver: asks the DNS for the connector, and names of clients for the edges, and validates what comes back (system/dns.h). It reads what
 * strangers' name servers say, so it can open no file and listen to nobody; keys of the root and the list of servers come from the supervisor by descriptor. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "system/dns.h"
#include "system/log.h"

enum {
    ANSWERS_QUEUED = 512,
    SERVER_TEXT_OCTETS = 64,
    BOGUS_LOG_MS = 60000,
    CLIENTS = 1 + 8 * LIMIT_EDGES_MAX
};

struct resolver_file { /* what a granted descriptor held */
    uint8_t *text;
    size_t n, max;
};

struct resolver_servers {
    char text[LIMIT_RESOLVERS][SERVER_TEXT_OCTETS];
    const char *pointers[LIMIT_RESOLVERS];
    unsigned n;
};

struct resolver_client { /* the connector; the edges of all generations that are alive */
    struct resolver *resolver;
    struct ipc *channel;
    int fd; /* a conversation that waits for `start`; else -1 */
    enum role role;
    unsigned index, generation;
    unsigned open;   /* its questions */
    uint64_t second; /* of an edge: in which asked are counted */
    unsigned asked;
    bool broken; /* an answer could not be sent: closed at the end of the turn */
};

struct resolver {
    struct child *child;
    struct dns *dns;
    struct resolver_client clients[CLIENTS];
    struct resolver_file resolv_conf, anchors;
    uint64_t questions, failed, bogus, bogus_logged_ms;
    bool started;
};

static const struct ipc_allowed allowed[] = {
    {MSG_DNS_QUESTION, 8 + 2 + 2 + 1, 8 + 2 + 2 + LIMIT_DOMAIN_OCTETS, 0}};

static struct resolver *resolver_of(struct child *c)
{
    if (c->state) return c->state;
    struct resolver *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->child = c;
    for (unsigned i = 0; i < CLIENTS; i++)
        r->clients[i] = (struct resolver_client){.resolver = r, .fd = -1};
    r->resolv_conf.max = LIMIT_RESOLV_CONF_OCTETS;
    r->anchors.max = LIMIT_TRUST_ANCHOR_OCTETS;
    c->state = r;
    return r;
}

/* ---- what is asked */

static void client_closed(void *context, const char *reason)
{
    struct resolver_client *k = context;
    struct resolver *r = k->resolver;
    ipc_close(&k->channel);
    if (r->dns) dns_forget(r->dns, k);
    k->open = 0;
    k->broken = false;
    child_peer_lost(r->child, k->role, k->index, reason);
}

static void send_answer(struct resolver_client *k, const struct dns_answer *a)
{
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    dns_answer_put(&b, a);
    if (k->channel && !k->broken) k->broken = b.over || !ipc_send(k->channel, MSG_DNS_ANSWER, buf_span(&b));
}

static void on_answer(void *asker, const struct dns_answer *a)
{
    struct resolver_client *k = asker;
    struct resolver *r = k->resolver;
    uint64_t now = loop_now_ms(r->child->loop);
    k->open -= k->open > 0;
    r->failed += a->status == DNS_FAILED;
    r->bogus += a->status == DNS_BOGUS;
    if (a->status == DNS_BOGUS && (r->bogus_logged_ms == 0 || now - r->bogus_logged_ms > BOGUS_LOG_MS)) {
        r->bogus_logged_ms = now;
        log_begin(LOG_LEVEL_WARNING, "dns-bogus");
        log_span("text", a->why);
        log_str("hint", "one domain: its DNSSEC is broken, mail to it waits. All domains: the resolvers "
                        "strip signatures; "
                        "name others, or write: resolver recursion");
        log_end();
    }
    send_answer(k, a);
}

static bool ends_with(struct span name, struct span end)
{
    return name.n > end.n && span_eq_nocase(span_skip(name, name.n - end.n), end);
}

/* An edge talks to strangers: what it may ask is the names of clients, and so many. */
static bool edge_may(struct resolver_client *k, const struct dns_question *q)
{
    uint64_t second = loop_now_ms(k->resolver->child->loop) / 1000;
    bool reverse = ends_with(q->name, SPAN(".in-addr.arpa")) || ends_with(q->name, SPAN(".ip6.arpa"));
    if (k->role != PROC_EDGE) return true;
    if (second != k->second) k->asked = 0;
    k->second = second;
    return (q->type == DNS_PTR ? reverse : q->type == DNS_A || q->type == DNS_AAAA) &&
           k->open < LIMIT_EDGE_DNS_OPEN && k->asked++ < LIMIT_EDGE_DNS_PER_SECOND;
}

static void on_question(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct resolver_client *k = context;
    struct resolver *r = k->resolver;
    struct dns_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!k->channel) return; /* closed while its packet is worked off */
    if (!dns_question_read(payload, &q)) {
        client_closed(k, "malformed question");
        return;
    }
    r->questions++;
    if (edge_may(k, &q) && dns_ask(r->dns, &q, k, on_answer))
        k->open++;
    else
        send_answer(k, &(struct dns_answer){
                           .tag = q.tag, .status = DNS_FAILED, .why = SPAN("too many questions are open")});
}

static void client_open(struct resolver_client *k, int fd)
{
    if (k->channel) client_closed(k, "replaced");
    k->channel = ipc_open(k->resolver->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0],
                          ANSWERS_QUEUED, on_question, client_closed, k);
    if (!k->channel) log_note(LOG_LEVEL_ERROR, "channel-failed", role_table[k->role].name, errno);
}

/* Its place: one that was restarted takes its own again; null: all are taken. The connector has the first. */
static struct resolver_client *client_place(struct resolver *r, enum role role, unsigned index,
                                            unsigned generation)
{
    struct resolver_client *ret = NULL;
    unsigned from = role == PROC_CONNECTOR ? 0 : 1, end = role == PROC_CONNECTOR ? 1 : CLIENTS;
    if (role == PROC_CONNECTOR) index = generation = 0;
    for (unsigned i = from; i < end; i++) {
        struct resolver_client *k = &r->clients[i];
        bool taken = k->channel || k->fd >= 0;
        if (taken && k->index == index && k->generation == generation) return k;
        if (!taken && !ret) ret = k;
    }
    if (ret) {
        ret->role = role;
        ret->index = index;
        ret->generation = generation;
    }
    return ret;
}

static void resolver_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct resolver *r = resolver_of(c);
    struct resolver_client *k =
        r && (role == PROC_CONNECTOR || role == PROC_EDGE) ? client_place(r, role, index, generation) : NULL;
    if (!k) {
        close(fd);
        return;
    }
    if (r->started) {
        client_open(k, fd);
        return;
    }
    if (k->fd >= 0) close(k->fd);
    k->fd = fd;
}

/* ---- what it is told */

static void read_file(struct resolver_file *f, int fd)
{
    if (!f->text) f->text = malloc(f->max);
    if (!f->text) return;
    f->n = 0;
    while (f->n < f->max) {
        ssize_t n = pread(fd, f->text + f->n, f->max - f->n, (off_t)f->n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        f->n += (size_t)n;
    }
}

static void resolver_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct resolver *r = resolver_of(c);
    (void)a, (void)b;
    if (r && kind == GRANT_RESOLV_CONF) read_file(&r->resolv_conf, fd);
    if (r && kind == GRANT_TRUST_ANCHOR) read_file(&r->anchors, fd);
    close(fd);
}

static void add_server(struct resolver_servers *s, const struct address *address, uint16_t port)
{
    if (s->n == LIMIT_RESOLVERS) return;
    struct buf b = buf_on(s->text[s->n], SERVER_TEXT_OCTETS - 1);
    address_put(&b, address);
    buf_byte(&b, '@');
    buf_u64(&b, port);
    s->pointers[s->n] = s->text[s->n];
    s->n++;
}

/* resolv.conf(5): lines "nameserver ADDRESS"; what is no address is passed over. */
static void add_resolv_conf(struct resolver_servers *s, struct span text)
{
    while (text.n > 0) {
        size_t end = span_find(text, '\n');
        struct span line = span_head(text, end);
        text = span_skip(text, end == SPAN_NPOS ? text.n : end + 1);
        if (!span_starts_nocase(line, SPAN("nameserver"))) continue;
        line = span_skip(line, SPAN("nameserver").n);
        size_t blanks = 0, n;
        while (blanks < line.n && (line.p[blanks] == ' ' || line.p[blanks] == '\t'))
            blanks++;
        line = span_skip(line, blanks);
        for (n = 0; n < line.n && line.p[n] > ' '; n++) {
        }
        struct address address;
        if (blanks && address_parse(span_head(line, n), &address)) add_server(s, &address, 53);
    }
}

static struct dns *make_dns(struct resolver *r, const struct config *config, const char **error)
{
    struct resolver_servers servers = {.n = 0};
    for (uint32_t i = 0; i < config->n_resolvers; i++)
        add_server(&servers, &config->resolvers[i].address, config->resolvers[i].port);
    if (servers.n == 0 && !config->recursion)
        add_resolv_conf(&servers, span_of(r->resolv_conf.text, r->resolv_conf.n));
    struct dns_conf conf = {.servers = servers.pointers,
                            .n_servers = servers.n,
                            .anchors = span_of(r->anchors.text, r->anchors.n)};
    struct dns *d = dns_create(r->child->loop, &conf, error);
    log_begin(d ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "resolver");
    log_str("servers", servers.n ? servers.text[0] : "recursion");
    log_u64("n", servers.n);
    if (!d) log_str("text", *error);
    log_end();
    if (conf.anchors.n == 0)
        log_note(LOG_LEVEL_WARNING, "dnssec-off",
                 "there is no trust anchor: no name is secure, DANE is never used; install dns-root-data", 0);
    return d;
}

static bool resolver_prepare(struct child *c, const char **error)
{
    struct resolver *r = resolver_of(c);
    *error = "no memory";
    if (!r) return false;
    r->dns = make_dns(r, c->config, error);
    return r->dns != NULL;
}

static bool resolver_start(struct child *c, const char **error)
{
    struct resolver *r = c->state;
    (void)error;
    r->started = true;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct resolver_client *k = &r->clients[i];
        if (k->fd >= 0) client_open(k, k->fd);
        k->fd = -1;
    }
    return true;
}

/* What is open is asked anew, as the fresh configuration wants it. What was learnt before is forgotten: a reload is also what an operator
 * does to have the DNS asked anew. */
static void resolver_config(struct child *c, const struct config *fresh)
{
    struct resolver *r = c->state;
    const char *error;
    struct dns *d = make_dns(r, fresh, &error);
    if (!d) return; /* it said why; the one before goes on */
    dns_move(r->dns, d);
    dns_free(&r->dns);
    r->dns = d;
}

static void resolver_drain(struct child *c, bool stopping)
{
    (void)stopping;
    child_exit(c, 0);
}

static void resolver_status(struct child *c, struct buf *json)
{
    const struct resolver *r = c->state;
    buf_str(json, "\"questions\":");
    buf_u64(json, r->questions);
    buf_str(json, ",\"open\":");
    buf_u64(json, dns_open(r->dns));
    buf_str(json, ",\"failed\":");
    buf_u64(json, r->failed);
    buf_str(json, ",\"bogus\":");
    buf_u64(json, r->bogus);
}

static void resolver_after_turn(struct child *c)
{
    struct resolver *r = c->state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct resolver_client *k = &r->clients[i];
        if (k->channel && k->broken) client_closed(k, "answers are not read");
        if (k->channel) ipc_flush(k->channel);
    }
}

const struct child_hooks resolver_hooks = {
    .peer = resolver_peer,
    .grant = resolver_grant,
    .prepare = resolver_prepare,
    .start = resolver_start,
    .drain = resolver_drain,
    .config = resolver_config,
    .status = resolver_status,
    .after_turn = resolver_after_turn,
};
