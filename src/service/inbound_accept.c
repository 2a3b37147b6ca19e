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
    inbound_transaction_drop(s);
    inbound_kept_release(s);
    tls_free(&s->tls);
    loop_timer_stop(in->setup.loop, &s->timer);
    loop_forget(in->setup.loop, &s->watch);
    close(s->watch.fd);
    uint8_t key[16];
    address_source_key(&s->client, key);
    sources_leave(in->setup.sources, in->setup.column, key);
    s->open = false;
    in->n_sessions--;
    inbound_ready(s); /* its slot becomes free when the ready list is served: nobody holds it any more then */
}

static bool address_of(const struct sockaddr_storage *from, struct address *ret, uint16_t *port)
{
    if (from->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        memset(ret->octets, 0, 10);
        ret->octets[10] = ret->octets[11] = 0xff;
        memcpy(ret->octets + 12, &v4.sin_addr, 4);
        *port = ntohs(v4.sin_port);
        return true;
    }
    if (from->ss_family != AF_INET6) return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof v6);
    memcpy(ret->octets, &v6.sin6_addr, 16);
    *port = ntohs(v6.sin6_port);
    return true;
}

static bool in_relay_network(const struct config_server *server, const struct address *a)
{
    for (uint32_t i = 0; i < server->n_relay_networks; i++)
        if (network_holds(&server->relay_networks[i], a)) return true;
    return false;
}

/* Sends the greeting. False: closed. */
static bool greet(struct session *s)
{
    struct inbound *in = s->in;
    struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
    server_begin(&s->engine, &in->conf[s->server], loop_now_ms(in->setup.loop), s->tls != NULL, &out);
    s->greeted = true;
    if (!s->tls && in->setup.config->servers[s->server].early_talker_refuse) {
        uint8_t octet;
        if (recv(s->watch.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            out.n = 0;
            server_early_talker(&s->engine, &out);
            s->closing = true;
            in->counters.errors++;
        }
    }
    inbound_deadline(s);
    if (!inbound_send(s, buf_span(&out))) return false;
    if (s->closing) inbound_ready(s);
    return true;
}

bool inbound_tls_done(struct session *s)
{
    if (!s->greeted) return greet(s);
    server_tls_started(&s->engine, loop_now_ms(s->in->setup.loop));
    inbound_deadline(s);
    return true;
}

/* One line and goodbye, without a session: too many of them already. RFC 5321 3.1 allows 421 in place of 220. */
static void turn_away(struct inbound *in, int fd, const struct listening *l, const struct address *a,
                      const char *why)
{
    struct server engine;
    struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
    uint8_t text[64];
    struct buf client = buf_on(text, sizeof text);
    server_refuse(&engine, &in->conf[l->server], 421, "4.7.0", span_str(why), &out);
    bool clear = in->setup.config->servers[l->server].listeners[l->listener].tls != TLS_IMPLICIT;
    if (clear) (void)!send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
    in->counters.refused_sessions++;
    address_put(&client, a);
    log_begin(LOG_LEVEL_WARNING, "session-refused");
    log_span("server", in->setup.config->servers[l->server].name);
    log_span("client", buf_span(&client));
    log_str("reason", why);
    log_end();
}

static void begin(struct inbound *in, const struct listening *l, int fd, const struct address *a,
                  uint16_t port)
{
    const struct config_server *server = &in->setup.config->servers[l->server];
    uint8_t key[16];
    address_source_key(a, key);
    if (!in->free_sessions) {
        turn_away(in, fd, l, a, "Too many sessions on this server, try again later");
        return;
    }
    switch (sources_enter(in->setup.sources, in->setup.column, key, server->limits.sessions_per_source,
                          server->limits.sessions)) {
    case SOURCES_SOURCE_FULL:
        turn_away(in, fd, l, a, "Too many sessions from your address, close some first");
        return;
    case SOURCES_SERVER_FULL:
        turn_away(in, fd, l, a, "Too many sessions on this server, try again later");
        return;
    case SOURCES_OK: break;
    }
    struct session *s = in->free_sessions;
    in->free_sessions = s->next;
    s->next = NULL;
    s->transaction = NULL;
    s->tls = NULL;
    s->client = *a;
    s->port = port;
    s->server = l->server;
    s->listener = l->listener;
    s->paused_ms = 0;
    s->input = s->output = (struct kept){POOL_NONE, 0, 0};
    s->wait = 0;
    s->ready = s->readable = s->rerun = s->closing = s->lingering = s->starttls = s->peer_closed =
        s->tls_wants_write = s->greeted = false;
    s->open = true;
    s->relay_network = in_relay_network(server, a);
    in->last_session_id = message_id_next(in->last_session_id, in->setup.edge, loop_unix_ms(in->setup.loop));
    s->id = in->last_session_id;
    in->n_sessions++;
    in->counters.sessions++;
    memset(&s->engine, 0, sizeof s->engine);
    s->engine.conf = &in->conf[l->server];
    if (!loop_watch(in->setup.loop, &s->watch, fd, LOOP_READ | LOOP_WRITE, inbound_on_socket)) {
        s->watch.fd = fd;
        inbound_session_close(s, "no memory in the kernel");
        return;
    }
    if (server->listeners[l->listener].tls == TLS_IMPLICIT)
        inbound_tls_begin(s);
    else
        (void)!greet(s);
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
                log_note(LOG_LEVEL_ERROR, "accept-failed", "out of descriptors or memory", errno);
            return;
        }
        struct address a;
        uint16_t port;
        if (address_of(&from, &a, &port))
            begin(l->in, l, fd, &a, port);
        else
            close(fd);
    }
}
