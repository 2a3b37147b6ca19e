/* check: rules that concern the whole configuration. What cannot work, or would be an open door, is an error; what is probably
 * not meant is a warning. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static void error_at(struct reader *r, const struct config_place *p, struct span text, struct span suggestion)
{
    config_problem_add(r, CONFIG_ERROR, *p, text, suggestion);
}

static void warn_at(struct reader *r, const struct config_place *p, struct span text, struct span suggestion)
{
    config_problem_add(r, CONFIG_WARNING, *p, text, suggestion);
}

/* Listeners share ports by SO_REUSEPORT, so the kernel takes a wildcard beside a single address of its family and gives the
 * connection to the more specific one. */
enum clash { CLASH_NONE, CLASH_WILDCARD, CLASH_SAME };

static enum clash clash(const struct config_listener *a, const struct config_listener *b)
{
    if (a->port != b->port || address_is_v4(&a->address) != address_is_v4(&b->address)) return CLASH_NONE;
    if (memcmp(&a->address, &b->address, sizeof a->address) == 0) return CLASH_SAME;
    return address_is_any(&a->address) || address_is_any(&b->address) ? CLASH_WILDCARD : CLASH_NONE;
}

static void check_clash(struct reader *r, const struct config_listener *l, const struct config_server *other,
                        const struct config_listener *with)
{
    enum clash found = clash(l, with);

    if (found == CLASH_NONE) return;
    struct span place = config_problem_place(r, &with->place);
    if (found == CLASH_SAME)
        error_at(r, &l->place,
                 PROBLEM_TEXT(r, SPAN("this listener collides with the one of server "), other->name,
                              SPAN(" at "), place),
                 SPAN("an address and port can be listened on once"));
    else
        warn_at(r, &l->place,
                PROBLEM_TEXT(r, SPAN("this listener overlaps the one of server "), other->name, SPAN(" at "),
                             place),
                SPAN("connections to the single address go to its listener, all others to the wildcard's"));
}

static void check_clashes_of(struct reader *r, uint32_t server, uint32_t listener)
{
    const struct config_listener *l = &r->drafts[server].server.listeners[listener];

    for (uint32_t i = 0; i <= server; i++) {
        const struct config_server *other = &r->drafts[i].server;
        for (uint32_t k = 0; k < (i == server ? listener : other->n_listeners); k++)
            check_clash(r, l, other, &other->listeners[k]);
    }
}

static void check_certificates(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;

    for (uint32_t i = 0; i < s->n_listeners; i++) {
        const struct config_listener *l = &s->listeners[i];
        if (l->tls == TLS_NONE && s->require_tls)
            error_at(r, &l->place,
                     SPAN("require-tls, but this listener has no TLS: it could never take mail"),
                     SPAN("tls starttls certificate FILE key FILE"));
        if (l->tls != TLS_NONE && !s->n_certificates && !d->damaged && !r->top.damaged)
            error_at(r, &l->place,
                     PROBLEM_TEXT(r, SPAN("this listener has TLS ("),
                                  l->tls == TLS_IMPLICIT ? SPAN("implicit") : SPAN("starttls"),
                                  SPAN("), but there is no certificate")),
                     SPAN("tls starttls certificate FILE key FILE"));
        if (l->port == 465 && l->tls != TLS_IMPLICIT)
            warn_at(r, &l->place, SPAN("port 465 without implicit TLS"),
                    SPAN("clients expect it there (RFC 8314): listen ADDRESS:465 tls implicit"));
        if (l->port == 25 && l->tls == TLS_IMPLICIT)
            warn_at(r, &l->place, SPAN("port 25 with implicit TLS"),
                    SPAN("other mail servers begin in plaintext there: tls starttls"));
    }
}

/* Who may say who the client is may say that it is one that relays. */
static void check_proxy_names(struct reader *r, const struct config_server *s,
                              const struct config_listener *l)
{
    for (uint32_t i = 0; s->n_relay_networks && i < l->n_proxy_from; i++) {
        const struct network *n = &l->proxy_from[i];
        uint8_t memory[64];
        struct buf text = buf_on(memory, sizeof memory);
        if (n->bits == 128 || address_is_loopback(&n->base)) continue;
        network_put(&text, n);
        warn_at(r, &l->place,
                PROBLEM_TEXT(r, SPAN("every host in "), buf_span(&text),
                             SPAN(" could name an address of this server's relay networks as its own")),
                SPAN("name the single proxies"));
    }
}

static void check_networks(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;
    struct span limit = SPAN("at most a /8 of IPv4 and a /32 of IPv6 in union: list the hosts that send");

    /* invariant I1: no borrowed relay */
    if (s->n_relay_networks && network_union_too_wide(s->relay_networks, s->n_relay_networks))
        error_at(r, &d->relay_place,
                 PROBLEM_TEXT(r, SPAN("the relay networks of server "), s->name,
                              SPAN(" are too wide: this would be an open relay")),
                 limit);
    value_warn_hosts_together(r, &d->relay_place, s->relay_networks, s->n_relay_networks);
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        const struct config_listener *l = &s->listeners[i];
        bool seen =
            i > 0 && l->proxy_from == s->listeners[i - 1].proxy_from; /* one listen line, one complaint */
        if (l->n_proxy_from && !seen && network_union_too_wide(l->proxy_from, l->n_proxy_from))
            error_at(r, &l->place,
                     SPAN("the proxy networks are too wide: strangers could name any address as their own"),
                     limit);
        if (!seen) check_proxy_names(r, s, l);
    }
}

static bool networks_overlap(const struct network *a, const struct network *b)
{
    return network_holds(a, &b->base) || network_holds(b, &a->base);
}

/* What a proxy forwards with a header is its client's; what comes from it to a listener that takes no header is its own. */
static void check_proxy_relays(struct reader *r, const struct draft *d, const struct config_listener *with,
                               const struct config_listener *without)
{
    const struct config_server *s = &d->server;

    for (uint32_t i = 0; i < s->n_relay_networks; i++)
        for (uint32_t k = 0; k < with->n_proxy_from; k++) {
            uint8_t memory[64];
            struct buf b = buf_on(memory, sizeof memory);
            if (!networks_overlap(&s->relay_networks[i], &with->proxy_from[k])) continue;
            network_put(&b, &with->proxy_from[k]);
            warn_at(r, &without->place,
                    PROBLEM_TEXT(
                        r, SPAN("this listener takes no PROXY header, and the proxies in "), buf_span(&b),
                        SPAN(" are in a relay network of its server: what they forward to it is relayed")),
                    SPAN("listen ... proxy from, here too; or take the proxies out of relay-networks"));
            return;
        }
}

/* Each listener without a header beside the first that has one. */
static void check_proxies(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;
    const struct config_listener *with = NULL;

    for (uint32_t i = 0; i < s->n_listeners && !with; i++)
        if (s->listeners[i].n_proxy_from) with = &s->listeners[i];
    for (uint32_t i = 0; with && i < s->n_listeners; i++)
        if (!s->listeners[i].n_proxy_from) check_proxy_relays(r, d, with, &s->listeners[i]);
}

static void check_admission(struct reader *r, const struct draft *d)
{
    const struct admission_clash *both = &d->admission_clash;
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 8];
    struct buf b = buf_on(memory, sizeof memory);

    if (!d->admission_clashes) return;
    if (both->network)
        network_put(&b, &both->network->network);
    else
        admission_name_put(&b, both->name);
    error_at(r, &d->admission_place,
             PROBLEM_TEXT(r, SPAN("the connections lines of server "), d->server.name,
                          SPAN(" allow and deny "), buf_span(&b)),
             SPAN("say one of the two; what is narrower and inside is an exception"));
}

static void check_sizes(struct reader *r, const struct draft *d)
{
    const struct config_limits *l = &d->server.limits;

    if (l->session_octets < l->message_octets)
        warn_at(r, &d->server.place,
                PROBLEM_TEXT(r, SPAN("server "), d->server.name,
                             SPAN(" has a session-size below its message-size: larger messages are refused "
                                  "when their size is said before")),
                SPAN("make session-size at least as large as message-size"));
}

static void check_role(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;

    if (!s->n_listeners && !d->damaged)
        error_at(r, &s->place, PROBLEM_TEXT(r, SPAN("server "), s->name, SPAN(" listens nowhere")),
                 SPAN("listen 127.0.0.1:2525"));
    if (s->role == ROLE_GATE && !s->backend.n && !d->damaged)
        error_at(r, &s->place, PROBLEM_TEXT(r, SPAN("gate "), s->name, SPAN(" has no backend")),
                 SPAN("backend ADDRESS:PORT"));
    if (s->role != ROLE_GATE && s->backend.n && !d->damaged)
        error_at(r, &s->place,
                 PROBLEM_TEXT(r, SPAN("server "), s->name, SPAN(" has a backend and is no gate")),
                 SPAN("role gate"));
    if (s->role == ROLE_SUBMISSION && s->access == ACCESS_ANONYMOUS)
        warn_at(r, &s->place, PROBLEM_TEXT(r, SPAN("submission server "), s->name, SPAN(" lets everyone in")),
                SPAN("access authenticated"));
    if (s->role == ROLE_MX && !s->n_domains && !s->n_relay_networks && !d->damaged && !d->implied &&
        !r->top.damaged)
        warn_at(r, &s->place,
                PROBLEM_TEXT(r, SPAN("server "), s->name,
                             SPAN(" serves no domain: it takes mail for <postmaster> only")),
                SPAN("recipients example.org"));
}

static void check_server_names(struct reader *r, uint32_t server)
{
    const struct config_server *s = &r->drafts[server].server;

    for (uint32_t i = 0; i < server; i++)
        if (s->name.n && span_eq(s->name, r->drafts[i].server.name)) {
            error_at(r, &s->place,
                     PROBLEM_TEXT(r, SPAN("server "), s->name, SPAN(" was named already at "),
                                  config_problem_place(r, &r->drafts[i].server.place)),
                     SPAN("give each server a name of its own"));
            return;
        }
}

/* Served domains whose mail would go nowhere, and deliver lines that can never be used. */
static void check_destinations(struct reader *r)
{
    const struct config *c = r->config;
    struct config_way way;

    for (uint32_t i = 0; i < r->every.n_domains; i++) {
        const struct config_domain *d = &r->every.domains[i];
        if (config_next_hop(c, SPAN(""), d->name, true, &way) != WAY_NONE) continue;
        warn_at(r, &d->place,
                PROBLEM_TEXT(r, SPAN("nothing delivers mail for "), d->name,
                             SPAN(": it would wait in the queue and then be returned")),
                PROBLEM_TEXT(r, SPAN("deliver "), d->name, SPAN(" to maildir FOLDER")));
    }
    for (uint32_t i = 0; i < c->n_deliver; i++) {
        const struct config_deliver *d = &c->deliver[i];
        if (span_eq(d->domain, SPAN("*")) || config_domain_served(&r->every, d->domain)) continue;
        warn_at(r, &d->place,
                PROBLEM_TEXT(r, d->domain,
                             SPAN(" is delivered, but no server serves it: no mail for it is taken")),
                PROBLEM_TEXT(r, SPAN("recipients "), d->domain));
    }
}

static bool is_inside(struct span path, struct span folder)
{
    return path.n >= folder.n && span_eq(span_head(path, folder.n), folder) &&
           (path.n == folder.n || path.p[folder.n] == '/');
}

/* Where a directive of the top level was said; the first line when it was not. */
static struct config_place said_at(const struct reader *r, const char *name)
{
    struct config_place place = config_said(r->config, name), first = {r->config->file, 1, 1};

    return place.line ? place : first;
}

static void check_places(struct reader *r)
{
    const struct config *c = r->config;
    struct config_place control = said_at(r, "control"), queue = said_at(r, "queue");

    if (c->control_socket.n > LIMIT_SOCKET_PATH_OCTETS)
        error_at(r, &control,
                 PROBLEM_TEXT(r, SPAN("the path of the control socket is too long: "),
                              config_problem_number(r, c->control_socket.n), SPAN(" octets")),
                 SPAN("at most 107; name a shorter one: control /run/sallyport/control.sock"));
    for (uint32_t i = 0; i < c->n_deliver; i++) {
        const struct config_deliver *d = &c->deliver[i];
        if (d->how == DELIVER_MAILDIR && d->target.n &&
            (is_inside(d->target, c->spool_folder) || is_inside(c->spool_folder, d->target)))
            error_at(r, &d->place, SPAN("Maildirs and spool lie in one another"),
                     SPAN("give each a folder of its own"));
    }
    if (c->retry_first_seconds > c->retry_max_seconds)
        error_at(r, &queue, SPAN("queue: retry-first is longer than retry-max"), SPAN(""));
    if (c->queue_seconds < c->retry_first_seconds)
        error_at(r, &queue, SPAN("queue: expire is shorter than retry-first: nothing would be tried twice"),
                 SPAN(""));
    bool chosen = c->delay_warning_seconds != LIMIT_DELAY_WARNING_SECONDS_DEFAULT;
    if (chosen && !c->delay_warning_never && c->delay_warning_seconds > c->queue_seconds)
        warn_at(r, &queue,
                SPAN("queue: delay-warning is longer than expire: nobody is ever told that mail is late"),
                SPAN("make it shorter, or say delay-warning never"));
}

static void check_listeners(struct reader *r)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < r->n_drafts; i++) {
        const struct config_server *s = &r->drafts[i].server;
        total += s->n_listeners;
        if (total > LIMIT_LISTENERS) {
            error_at(r, &s->place,
                     PROBLEM_TEXT(r, SPAN("all servers together have more than "),
                                  config_problem_number(r, LIMIT_LISTENERS), SPAN(" listeners")),
                     SPAN(""));
            return;
        }
        for (uint32_t k = 0; k < s->n_listeners; k++)
            check_clashes_of(r, i, k);
    }
}

/* Each has a key in the keyring and a descriptor on its way to every edge. */
static void check_certificate_total(struct reader *r)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < r->n_drafts; i++) {
        const struct config_server *s = &r->drafts[i].server;
        total += s->n_certificates;
        if (total <= LIMIT_KEYRING_KEYS) continue;
        error_at(r, &s->place,
                 PROBLEM_TEXT(r, SPAN("all servers together have more than "),
                              config_problem_number(r, LIMIT_KEYRING_KEYS), SPAN(" certificates")),
                 SPAN("those that a server has from the top level or from another one count for it too"));
        return;
    }
}

static void check_named_authorities(struct reader *r, const struct config_server *s)
{
    bool own, asks = s->mechanisms & MECHANISM_BIT(MECHANISM_EXTERNAL);

    if (!s->name_authorities || (asks && r->config->client_authorities.n)) return;
    config_problem_add(r, CONFIG_WARNING, config_server_said(r->config, s, "name-authorities", false, &own),
                       asks ? SPAN("there are no authorities to be named")
                            : SPAN("this server asks its clients for no certificate"),
                       asks ? SPAN("client-authorities FILE")
                            : SPAN("access authenticated mechanisms EXTERNAL PLAIN"));
}

static void check_client_authorities(struct reader *r)
{
    const struct config_place place = config_said(r->config, "client-authorities");

    if (r->config->client_revocations.n && !r->config->client_authorities.n)
        config_problem_add(r, CONFIG_WARNING, config_said(r->config, "client-revocations"),
                           SPAN("no authority vouches for clients"), SPAN("client-authorities FILE"));
    if (!r->config->client_authorities.n) return;
    for (uint32_t i = 0; i < r->n_drafts; i++)
        if (r->drafts[i].server.mechanisms & MECHANISM_BIT(MECHANISM_EXTERNAL)) return;
    config_problem_add(r, CONFIG_WARNING, place, SPAN("no server asks its clients for a certificate"),
                       SPAN("access authenticated mechanisms EXTERNAL PLAIN"));
}

void check_config(struct reader *r)
{
    for (uint32_t i = 0; i < r->n_drafts; i++) {
        const struct draft *d = &r->drafts[i];
        check_server_names(r, i);
        check_admission(r, d);
        check_sizes(r, d);
        check_role(r, d);
        check_certificates(r, d);
        check_networks(r, d);
        check_legacy(r, d);
        check_access(r, d);
        check_named_authorities(r, &d->server);
        check_proxies(r, d);
    }
    check_listeners(r);
    check_certificate_total(r);
    check_client_authorities(r);
    if (!r->top.damaged) {
        check_destinations(r);
        check_routes(r);
        check_tokens(r);
        check_dovecot(r);
        check_winbind(r);
        check_kerberos(r);
    }
    check_places(r);
}
