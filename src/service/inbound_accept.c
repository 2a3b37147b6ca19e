#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/inbound_private.h"
#include "spool/message_id.h"
#include "system/log.h"

void inbound_ready(struct session *s)
{
    struct inbound *in = s->in;
    if (s->ready) return;
    s->ready = true;
    s->next = NULL;
    *in->ready_tail = s;
    in->ready_tail = &s->next;
}

void inbound_deadline(struct session *s)
{
    uint64_t due = server_deadline(&s->engine), latest = loop_now_ms(s->in->setup.loop) + INBOUND_TIMER_MS;
    loop_timer_set(s->in->setup.loop, &s->timer, due < latest ? due : latest, inbound_on_timer);
}

void inbound_session_close(struct session *s, const char *why)
{
    struct inbound *in = s->in;
    inbound_log_end(s, why);
    inbound_legacy_end(s, why);
    inbound_transaction_drop(s);
    inbound_principal_forget(s);
    inbound_name_forget(s);
    inbound_kept_release(s);
    tls_free(&s->tls);
    loop_timer_stop(in->setup.loop, &s->timer);
    loop_close(in->setup.loop, &s->watch);
    inbound_count_out(s);
    s->open = false;
    in->n_sessions--;
    inbound_ready(s); /* its slot becomes free when the ready list is served: nobody holds it any more then */
}

static enum sources_answer count_in(struct session *s, uint32_t per_source)
{
    struct inbound *in = s->in;
    uint8_t key[16];
    address_source_key(&s->client, key);
    const struct config_server *server = &in->setup.config->servers[s->server];
    enum sources_answer a = sources_enter(in->setup.sources, in->setup.column, server->name, key, per_source,
                                          server->limits.sessions);
    s->counted = a == SOURCES_OK;
    return a;
}

void inbound_count_out(struct session *s)
{
    uint8_t key[16];
    address_source_key(&s->client, key);
    if (s->counted)
        sources_leave(s->in->setup.sources, s->in->setup.column, s->in->setup.config->servers[s->server].name,
                      key);
    s->counted = false;
}

static bool address_of(const struct sockaddr_storage *from, struct address *ret, uint16_t *port)
{
    if (from->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        *port = ntohs(v4.sin_port);
        memset(ret->octets, 0, 10);
        ret->octets[10] = ret->octets[11] = 0xff;
        memcpy(ret->octets + 12, &v4.sin_addr, 4);
        return true;
    }
    if (from->ss_family != AF_INET6) return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof v6);
    *port = ntohs(v6.sin6_port);
    memcpy(ret->octets, &v6.sin6_addr, 16);
    return true;
}

bool inbound_local(const struct session *s, struct address *ret, uint16_t *port)
{
    struct sockaddr_storage here;
    socklen_t n = sizeof here;
    return getsockname(s->watch.fd, (struct sockaddr *)&here, &n) == 0 && address_of(&here, ret, port);
}

void inbound_place(struct session *s)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    s->relay_network = network_any_holds(server->relay_networks, server->n_relay_networks, &s->client);
    s->device = pin_holds(server->pins, server->n_pins, &s->client);
    s->clear_auth = network_any_holds(server->clear_auth, server->n_clear_auth, &s->client);
}

/* Sends the greeting. False: closed. */
static bool greet(struct session *s)
{
    struct inbound *in = s->in;
    struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
    server_begin(&s->engine, inbound_conf(in, s->server, s->listener), loop_now_ms(in->setup.loop),
                 s->tls != NULL, &out);
    s->greeted = true;
    inbound_offer(s);
    if (!s->tls && in->setup.config->servers[s->server].early_talker_refuse) {
        uint8_t octet;
        if (recv(s->watch.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            out.n = 0;
            server_early_talker(&s->engine, &out);
            s->closing = true;
        }
    }
    inbound_deadline(s);
    if (!inbound_send(s, buf_span(&out))) return false;
    if (s->closing) inbound_ready(s);
    return true;
}

bool inbound_tls_done(struct session *s)
{
    inbound_legacy_tls(s);
    if (!s->greeted) return greet(s);
    server_tls_started(&s->engine, loop_now_ms(s->in->setup.loop));
    inbound_principal_forget(s); /* RFC 3207 4.2 */
    inbound_offer(s);
    inbound_deadline(s);
    return true;
}

/* One line and goodbye. RFC 5321 3.1 allows a 421 or 554 in place of the 220; in front of a TLS handshake nothing can be said. */
void inbound_turn_away(struct session *s, unsigned code, const char *enhanced, struct span why)
{
    struct inbound *in = s->in;
    struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
    const struct config_server *server = &in->setup.config->servers[s->server];
    server_refuse(&s->engine, inbound_conf(in, s->server, s->listener), code, enhanced, why, &out);
    if (server->listeners[s->listener].tls != TLS_IMPLICIT)
        (void)!send(s->watch.fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    in->counters.refused_sessions++;
    inbound_session_close(s, code == 554       ? "may not connect"
                             : s->in->stopping ? "service is shutting down"
                                               : "too many sessions or connections");
}

static const char *too_many(enum sources_answer a)
{
    return a == SOURCES_SOURCE_FULL ? "Too many sessions from your address, close some first"
                                    : "Too many sessions on this server, try again later";
}

static bool never_banned(const struct session *s)
{
    const struct config *c = s->in->setup.config;
    return network_any_holds(c->never_ban, c->n_never_ban, &s->client);
}

struct barred_entry *inbound_ban(const struct session *s, bool logins)
{
    struct barred *b = s->in->setup.barred;
    struct barred_entry *ban =
        b ? barred_find(b, &s->client, logins, loop_unix_ms(s->in->setup.loop) / 1000) : NULL;
    return ban && !never_banned(s) ? ban : NULL;
}

/* False: it may come in. Of each ban the first one is told to the log: the rest is counted. */
static bool turn_away_banned(struct session *s)
{
    struct inbound *in = s->in;
    struct barred_entry *ban = inbound_ban(s, in->setup.config->servers[s->server].mechanisms != 0);
    if (!ban) return false;
    if (!ban->told) inbound_log_banned(s, ban);
    ban->told = true;
    in->counters.banned_sessions++;
    inbound_turn_away(s, 554, "5.7.1",
                      ban->by_hand
                          ? SPAN(BANNED_BY_HAND)
                          : SPAN("Too many failed logins from your address, it is banned for now: try again "
                                 "later"));
    return true;
}

bool inbound_let_in(struct session *s, enum inbound_source source)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    const struct config_limits *l = &server->limits;
    const struct admission_rule *rule;
    /* a loopback address that a proxy names is not this host's: no limit of the loopback for it */
    uint32_t per_source = source == SOURCE_PROXY    ? UINT32_MAX
                          : source == SOURCE_DIRECT ? config_sessions_per_source(l, &s->client)
                                                    : l->sessions_per_source;
    bool permitted = admission_permits(&server->admission, &s->client, &rule);
    s->asks_name = source != SOURCE_PROXY && admission_asks(&server->admission, rule);
    if (source != SOURCE_PROXY && !permitted && !s->asks_name) {
        inbound_log_denied(s, rule, NULL);
        inbound_turn_away(s, 554, "5.7.1", SPAN("Your address may not connect to this server"));
        return false;
    }
    if (source != SOURCE_PROXY && turn_away_banned(s)) return false;
    struct span why;
    s->rated =
        source == SOURCE_PROXIED ||
        (source == SOURCE_DIRECT && (!address_is_loopback(&s->client) || l->rates_on_loopback == CONFIG_YES));
    if (!inbound_rate_connection(s, &why)) {
        inbound_turn_away(s, 421, "4.7.0", why);
        return false;
    }
    enum sources_answer counted = count_in(s, per_source);
    if (counted != SOURCES_OK) inbound_turn_away(s, 421, "4.7.0", span_str(too_many(counted)));
    return counted == SOURCES_OK;
}

void inbound_begin_stream(struct session *s)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    if (server->listeners[s->listener].tls == TLS_IMPLICIT)
        inbound_tls_begin(s);
    else
        (void)!greet(s);
}

static struct session *take_slot(struct inbound *in, const struct listening *l, const struct address *a)
{
    struct session *s = in->free_sessions;
    if (s)
        in->free_sessions = s->next;
    else if (in->used_sessions < in->max_sessions)
        s = &in->sessions[in->used_sessions++];
    else
        return NULL;
    *s = (struct session){
        .in = in,
        .client = *a,
        .server = l->server,
        .listener = l->listener,
        .input = {POOL_NONE, 0, 0},
        .output = {POOL_NONE, 0, 0},
        .open = true,
        .engine = {.conf = inbound_conf(in, l->server, l->listener)},
    };
    inbound_legacy_begin(s);
    in->last_session_id = message_id_next(in->last_session_id, in->setup.edge, loop_unix_ms(in->setup.loop));
    s->id = in->last_session_id;
    in->n_sessions++;
    in->counters.sessions++;
    return s;
}

static void begin(struct inbound *in, const struct listening *l, int fd, const struct address *a)
{
    const struct config_server *server = &in->setup.config->servers[l->server];
    const struct config_listener *listener = &server->listeners[l->listener];
    struct session *s = take_slot(in, l, a);
    if (!s) { /* more slots than the limits of all servers together are never needed */
        close(fd);
        return;
    }
    s->watch.fd = fd;
    bool proxy = network_any_holds(listener->proxy_from, listener->n_proxy_from, a);
    if (!inbound_let_in(s, proxy ? SOURCE_PROXY : SOURCE_DIRECT)) return;
    if (!loop_watch(in->setup.loop, &s->watch, fd, LOOP_READ, inbound_on_socket)) {
        inbound_session_close(s, "no memory in the kernel");
        return;
    }
    if (proxy) {
        s->wait |= WAIT_PROXY;
        uint64_t due = loop_now_ms(in->setup.loop) + LIMIT_PROXY_HEADER_SECONDS * 1000;
        loop_timer_set(in->setup.loop, &s->timer, due, inbound_on_timer);
        return;
    }
    inbound_place(s);
    inbound_welcome(s);
}

static void listen_again(struct timer *t)
{
    struct listening *l = (struct listening *)(void *)((char *)t - offsetof(struct listening, timer));
    if (!l->open) return;
    if (!loop_watch(l->in->setup.loop, &l->watch, l->watch.fd, l->interest, inbound_on_listener))
        loop_timer_set(l->in->setup.loop, t, loop_now_ms(l->in->setup.loop) + INBOUND_ACCEPT_PAUSE_MS,
                       listen_again);
}

/* Out of descriptors or memory: the backlog keeps the clients while we pause, instead of spinning over the same error. */
static void pause_listening(struct listening *l, int error)
{
    log_note(LOG_LEVEL_ERROR, "accept-failed", "out of descriptors or memory: accepting pauses", error);
    loop_forget(l->in->setup.loop, &l->watch);
    loop_timer_set(l->in->setup.loop, &l->timer, loop_now_ms(l->in->setup.loop) + INBOUND_ACCEPT_PAUSE_MS,
                   listen_again);
}

void inbound_on_listener(struct watch *w, uint32_t events)
{
    struct listening *l = (struct listening *)(void *)w;
    (void)events;
    for (unsigned i = 0; i < INBOUND_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t n = sizeof from;
        int fd = accept4(l->watch.fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* the listener is level-triggered: what is left announces itself again. ECONNABORTED and friends are the peer's */
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_listening(l, errno);
            return;
        }
        struct address a;
        uint16_t port;
        if (address_of(&from, &a, &port))
            begin(l->in, l, fd, &a);
        else
            close(fd);
    }
}
