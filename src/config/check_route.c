/* check_route: lines that lead in a circle, to nobody, or are never used. */
#include "config/reader_private.h"

static void warn_at(struct reader *r, const struct config_place *p, struct span text, struct span suggestion)
{
    config_problem_add(r, CONFIG_WARNING, *p, text, suggestion);
}

/* --- loops */

/* What listens at that address: a wildcard counts for the loopback, whose addresses are surely ours. */
static const struct config_server *listens_at(const struct reader *r, struct span host, uint16_t port)
{
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 16];
    struct buf b = buf_on(memory, sizeof memory);
    bool loopback = value_put_host(&b, host, port), literal;
    struct address a;

    literal = address_parse(span_eq(host, SPAN("localhost")) ? SPAN("127.0.0.1") : host, &a);
    for (uint32_t i = 0; literal && i < r->n_drafts; i++) {
        const struct config_server *s = &r->drafts[i].server;
        for (uint32_t k = 0; s->role != ROLE_GATE && k < s->n_listeners; k++) {
            const struct config_listener *l = &s->listeners[k];
            bool same = memcmp(&l->address, &a, sizeof a) == 0;
            if (l->port == port && (same || (loopback && address_is_any(&l->address)))) return s;
        }
    }
    return NULL;
}

static bool own_name(const struct reader *r, struct span host)
{
    if (span_eq(host, SPAN("localhost"))) return false; /* the default name of an installation */
    if (span_eq(host, r->config->hostname)) return true;
    for (uint32_t i = 0; i < r->n_drafts; i++)
        if (span_eq(host, r->drafts[i].server.hostname)) return true;
    return false;
}

static void check_loop(struct reader *r, const struct config_place *place, const struct next_hop *hop)
{
    struct span names = hop->name, host;
    uint16_t port;

    if (hop->kind != NEXT_HOP_HOST || hop->protocol != NEXT_HOP_SMTP) return;
    while (next_hop_take_host(&names, &host, &port)) {
        const struct config_server *s = listens_at(r, host, port);
        if (s)
            warn_at(r, place,
                    PROBLEM_TEXT(r, host, SPAN(":"), config_problem_number(r, port),
                                 SPAN(" is a listener of our own server "), s->name,
                                 SPAN(": mail would go in a circle")),
                    SPAN("name the host that takes it from here"));
        else if (own_name(r, host))
            warn_at(r, place, PROBLEM_TEXT(r, host, SPAN(" is our own name: mail would come back")),
                    SPAN("name the host that takes it from here"));
    }
}

static void check_loops(struct reader *r, const struct config_route *table, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        check_loop(r, &table[i].place, &table[i].hop);
}

/* --- lines that are never used, or stop everything */

static void check_hold(struct reader *r)
{
    const struct config *c = r->config;

    for (uint32_t i = 0; i < c->n_hold; i++)
        if (span_eq(c->hold[i].pattern, SPAN("*")))
            warn_at(r, &c->hold[i].place, SPAN("hold *: all mail is taken, and none leaves the queue"),
                    SPAN("take this line away when mail shall flow"));
    for (uint32_t i = 0; i < c->n_discard; i++) {
        const struct config_pattern *held = config_held(c, c->discard[i].pattern);
        if (held)
            warn_at(r, &c->discard[i].place,
                    PROBLEM_TEXT(r, SPAN("this discard does nothing: "), c->discard[i].pattern,
                                 SPAN(" is held by the line at "), config_problem_place(r, &held->place)),
                    SPAN("keep one of the two"));
    }
}

/* deliver and relay for one domain: the later counts for recipients that exist here. */
static void check_both(struct reader *r)
{
    const struct config *c = r->config;

    for (uint32_t i = 0; i < c->n_deliver; i++) {
        const struct config_deliver *d = &c->deliver[i];
        const struct config_route *route = names_find(c->routes, c->n_routes, sizeof *route, d->domain);
        if (!route || span_eq(d->domain, SPAN("*"))) continue;
        bool relayed = route->order > d->order;
        warn_at(r, relayed ? &route->place : &d->place,
                PROBLEM_TEXT(r, SPAN("this "), relayed ? SPAN("relay") : SPAN("deliver"), SPAN(" for "),
                             d->domain, SPAN(" replaces the "), relayed ? SPAN("deliver") : SPAN("relay"),
                             SPAN(" at "), config_problem_place(r, relayed ? &d->place : &route->place)),
                SPAN("keep one of the two"));
    }
}

/* --- destinations */

static void mark(const struct config *c, const struct next_hop *hop, bool *led)
{
    const struct config_match *m = hop->kind == NEXT_HOP_MX ? NULL : config_match_of(c, hop);

    if (m) led[m - c->matches] = true;
}

/* By match: does a line that names its hosts or its socket lead there? Null: no memory. */
static const bool *mark_all(struct reader *r)
{
    const struct config *c = r->config;
    bool *led = arena_take_array(r->arena, c->n_matches ? c->n_matches : 1, sizeof *led);

    if (!led) {
        r->no_memory = true;
        return NULL;
    }
    for (uint32_t i = 0; i < c->n_routes; i++)
        mark(c, &c->routes[i].hop, led);
    for (uint32_t i = 0; i < c->n_sender_routes; i++)
        mark(c, &c->sender_routes[i].hop, led);
    for (uint32_t i = 0; i < c->n_deliver; i++)
        mark(c, &c->deliver[i].hop, led);
    return led;
}

/* A host with its port, or a socket, is meant for a line that names it; a domain may be anybody's. */
static void check_matches(struct reader *r)
{
    const struct config *c = r->config;
    const bool *led = mark_all(r);

    for (uint32_t i = 0; led && i < c->n_matches; i++) {
        const struct config_match *m = &c->matches[i];
        const struct config_destination *d = &c->destinations[m->destination];
        bool socket = span_starts_nocase(m->pattern, SPAN("unix:"));
        if (socket && d->tls_given && d->tls != TLS_POLICY_NONE)
            config_problem_add(r, CONFIG_ERROR, m->place,
                               SPAN("there is no TLS over a UNIX socket: it does not leave this host"),
                               SPAN("leave tls out"));
        if (led[i] || span_find(m->pattern, ':') == SPAN_NPOS) continue;
        warn_at(r, &m->place, PROBLEM_TEXT(r, SPAN("no line leads to "), m->pattern),
                SPAN("write it as the relay or deliver line does; the first of several hosts counts"));
    }
}

enum { GROUPS_COMPARED = 100 };

static void check_group_names(struct reader *r)
{
    const struct config *c = r->config;
    const struct config_destination *groups[GROUPS_COMPARED];
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_destinations; i++) {
        const struct config_destination *d = &c->destinations[i];
        for (uint32_t k = 0; d->group && k < n; k++)
            if (span_eq(groups[k]->name, d->name))
                config_problem_add(r, CONFIG_ERROR, d->place,
                                   PROBLEM_TEXT(r, SPAN("mx-group "), d->name, SPAN(" was named already at "),
                                                config_problem_place(r, &groups[k]->place)),
                                   SPAN("give each group a name of its own"));
        if (d->group && n < GROUPS_COMPARED) groups[n++] = d;
    }
}

void check_routes(struct reader *r)
{
    const struct config *c = r->config;

    check_loops(r, c->routes, c->n_routes);
    check_loops(r, c->sender_routes, c->n_sender_routes);
    check_hold(r);
    check_both(r);
    check_matches(r);
    check_group_names(r);
    check_secrets(r);
}
