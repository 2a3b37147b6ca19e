/* read_route: where mail goes: deliver, relay, hold, and the number of edges. */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

/* DOMAIN ... up to the word `behind`; each is handed to add. */
static void read_domains(struct reader *r, const struct token *name, const char *arguments,
                         const char *behind,
                         void (*add)(struct reader *r, struct span domain, struct config_place place))
{
    struct token t;
    bool more = reader_argument(r, name, arguments, &t);

    for (; more; more = !(behind && reader_at_word(r, behind)) && reader_more(r, &t)) {
        struct span domain;
        if (value_domain(r, &t, true, &domain)) add(r, domain, reader_place(r, &t));
    }
}

static void add_deliver(struct reader *r, struct span domain, struct config_place place)
{
    struct config *c = r->config;
    struct config_deliver *grown =
        reader_push(r, c->deliver, &c->n_deliver, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return;
    c->deliver = grown;
    grown[c->n_deliver - 1] = (struct config_deliver){.domain = domain, .place = place};
}

static void add_route(struct reader *r, struct span domain, struct config_place place)
{
    struct config *c = r->config;
    struct config_route *grown = reader_push(r, c->routes, &c->n_routes, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return;
    c->routes = grown;
    grown[c->n_routes - 1] = (struct config_route){.domain = domain, .place = place};
}

static void add_hold(struct reader *r, struct span domain, struct config_place place)
{
    struct config *c = r->config;
    struct span *grown = reader_push(r, c->hold, &c->n_hold, sizeof *grown, LIMIT_CONFIG_ROUTES);

    (void)place;
    if (!grown) return;
    c->hold = grown;
    grown[c->n_hold - 1] = domain;
}

/* lmtp unix:PATH | lmtp HOST:PORT */
static bool read_lmtp_server(struct reader *r, const struct token *t, struct span *target)
{
    struct span value = token_value(t, r->arena), host;
    uint16_t port;

    value_not_yet(r, t, "lmtp", "mail for this domain waits in the queue");
    if (span_starts_nocase(value, SPAN("unix:"))) {
        if (value.n < 7 || value.p[5] != '/') {
            config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(value), SPAN(" names no absolute path")),
                              SPAN("write unix:/run/dovecot/lmtp"));
            return false;
        }
    } else if (!value_host_port(r, t, &host, &port))
        return false;
    *target = arena_copy(r->arena, value);
    r->no_memory |= !target->p;
    return target->p != NULL;
}

void read_deliver(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    uint32_t before = c->n_deliver;
    enum config_delivery how = DELIVER_MAILDIR;
    struct span target = {NULL, 0};
    struct token t;
    uint64_t choice;

    read_domains(r, name, "a DOMAIN", "to", add_deliver);
    if (!reader_word(r, "to")) {
        if (!r->broken)
            config_problem_at(r, name, SPAN("deliver needs to, and what delivers"),
                              PROBLEM_TEXT(r, SPAN("deliver "), span_str(row->arguments)));
    } else if (reader_argument(r, name, "maildir FOLDER or lmtp SERVER", &t) &&
               value_choice(r, &t, "maildir lmtp", &choice)) {
        how = choice == 0 ? DELIVER_MAILDIR : DELIVER_LMTP;
        if (reader_argument(r, name, how == DELIVER_MAILDIR ? "a FOLDER" : "a SERVER", &t))
            (void)(how == DELIVER_MAILDIR ? value_path(r, &t, &target) : read_lmtp_server(r, &t, &target));
    }
    for (uint32_t i = before; i < c->n_deliver; i++) {
        c->deliver[i].how = how;
        c->deliver[i].target = target;
    }
}

void read_relay(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    uint32_t before = c->n_routes;
    struct config_route route = {.kind = ROUTE_MX};
    struct token t;
    struct span file;
    uint64_t choice;

    read_domains(r, name, "a DOMAIN", "via", add_route);
    if (!reader_word(r, "via")) {
        if (!r->broken)
            config_problem_at(r, name, SPAN("relay needs via, and the next hop"),
                              PROBLEM_TEXT(r, SPAN("relay "), span_str(row->arguments)));
    } else if (reader_argument(r, name, "mx or smarthost HOST:PORT", &t) &&
               value_choice(r, &t, "mx smarthost", &choice)) {
        route.kind = choice == 0 ? ROUTE_MX : ROUTE_SMARTHOST;
        if (route.kind == ROUTE_SMARTHOST && reader_argument(r, name, "HOST:PORT behind smarthost", &t))
            (void)value_host_port(r, &t, &route.host, &route.port);
        value_not_yet(r, name, "relaying to other hosts", "mail for this route waits in the queue");
        if (reader_word(r, "user-file") && reader_argument(r, name, "a FILE behind user-file", &t))
            (void)value_path(r, &t, &file);
    }
    for (uint32_t i = before; i < c->n_routes; i++) {
        c->routes[i].kind = route.kind;
        c->routes[i].host = route.host;
        c->routes[i].port = route.port;
    }
}

void read_hold(struct reader *r, const struct schema_row *row, const struct token *name)
{
    read_domains(r, name, row->arguments, NULL, add_hold);
}

void read_edges(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct schema_row number = *row;
    struct token t;
    uint64_t v;

    if (reader_word(r, "auto")) {
        r->config->edges = 0;
        return;
    }
    number.type = SCHEMA_NUMBER;
    if (reader_argument(r, name, row->arguments, &t) && value_plain(r, &number, &t, &v))
        r->config->edges = (uint32_t)v;
}
