/* A configuration of hostile text. The input is the main file, then after a NUL each file that it may include, named /d/a, /d/b ...
 * What is accepted keeps the promises of config.h; what is refused says why; the bundle gives the same back. */
#include <stdlib.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/schema.h"

enum { FILES = 10, MEMORY = 32 << 20 };

#define ENSURE(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) abort();                                                                           \
    } while (0)

static void check_limits(const struct config_limits *l)
{
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema_table[i];
        uint64_t wide = 0;
        uint32_t narrow = 0;
        if (!(row->where & SCHEMA_LIMITS) || !row->octets || row->type == SCHEMA_CHOICE) continue;
        memcpy(row->octets == 4 ? (void *)&narrow : (void *)&wide, (const uint8_t *)l + row->offset,
               row->octets);
        uint64_t v = row->octets == 4 ? narrow : wide;
        ENSURE(v >= row->min && v <= row->max);
    }
}

static void check_server(const struct config *c, const struct config_server *s)
{
    ENSURE(s->n_listeners > 0 && s->name.n > 0 && s->hostname.n > 0);
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        ENSURE(s->listeners[i].port > 0);
        ENSURE(s->listeners[i].tls == TLS_NONE || s->n_certificates > 0);
        ENSURE(!s->require_tls || s->listeners[i].tls != TLS_NONE);
        ENSURE(!network_union_too_wide(s->listeners[i].proxy_from, s->listeners[i].n_proxy_from));
    }
    ENSURE(!network_union_too_wide(s->relay_networks, s->n_relay_networks)); /* I1 */
    for (uint32_t i = 0; i < s->n_domains; i++)
        ENSURE(config_domain_find(s, s->domains[i].name) == &s->domains[i]);
    check_limits(&s->limits);
    ENSURE(s->role == ROLE_GATE || !s->backend.n);
    (void)c;
}

static void check_destination(const struct config_destination *d)
{
    ENSURE(d->name.n > 0 && d->tls < TLS_POLICY_COUNT);
    ENSURE(d->sessions_first > 0 && d->sessions_first <= d->sessions_max);
    ENSURE(d->sessions_max <= LIMIT_SESSIONS_PER_DESTINATION_MAX);
    ENSURE(d->recipients > 0 && d->recipients <= LIMIT_RELAY_RECIPIENTS);
    ENSURE(!d->messages.limited || (d->messages.count > 0 && d->messages.seconds > 0));
    ENSURE(!d->connections.limited || (d->connections.count > 0 && d->connections.seconds > 0));
}

/* What is said of a recipient is a next hop that may be sent to others, and never a password in clear unasked. */
static void check_way(const struct config *c, struct span from, struct span to)
{
    struct config_way way;

    for (int local = 0; local < 2; local++) {
        if (config_next_hop(c, from, to, local, &way) != WAY_NEXT_HOP) continue;
        ENSURE(next_hop_valid(&way.hop));
        ENSURE(!way.hop.user.n || way.hop.tls == TLS_POLICY_NONE || way.hop.tls >= TLS_POLICY_ENCRYPT);
        ENSURE(!way.hop.implicit_tls || way.hop.tls >= TLS_POLICY_DANE);
        check_destination(config_destination_of(c, &way.hop));
    }
}

static void check_routes(const struct config *c)
{
    for (uint32_t i = 0; i < c->n_routes; i++) {
        struct span p = c->routes[i].pattern;
        if (p.p[0] != '.') ENSURE(config_route_find(c, p) == &c->routes[i]);
        check_way(c, SPAN(""), p);
        check_way(c, p, SPAN("u@a.example"));
    }
    for (uint32_t i = 0; i < c->n_sender_routes; i++)
        check_way(c, c->sender_routes[i].pattern, SPAN("u@[192.0.2.1]"));
    for (uint32_t i = 0; i < c->n_deliver; i++)
        check_way(c, SPAN("a@b"), c->deliver[i].domain);
    for (uint32_t i = 0; i < c->n_hold; i++)
        ENSURE(config_held(c, c->hold[i].pattern));
    for (uint32_t i = 0; i < c->n_discard; i++)
        ENSURE(!span_eq(c->discard[i].pattern, SPAN("*")));
    check_destination(&c->destination_default);
    for (uint32_t i = 0; i < c->n_destinations; i++)
        if (c->destinations[i].name.n) check_destination(&c->destinations[i]);
    for (uint32_t i = 0; i < c->n_mx_matches; i++)
        ENSURE(c->mx_matches[i].pattern.p[0] == '.' || config_mx_group_of(c, c->mx_matches[i].pattern));
}

static void check_config(const struct config *c)
{
    ENSURE(c->n_servers > 0 && c->hostname.n > 0);
    ENSURE(c->spool_folder.n && c->control_socket.n && c->control_socket.n <= LIMIT_SOCKET_PATH_OCTETS);
    ENSURE(c->spool_folder.p[c->spool_folder.n] == 0); /* a NUL behind every path */
    for (uint32_t i = 0; i < c->n_servers; i++)
        check_server(c, &c->servers[i]);
    for (uint32_t i = 0; i < c->n_deliver; i++) {
        ENSURE(c->deliver[i].target.n > 0 && c->deliver[i].target.p[c->deliver[i].target.n] == 0);
        ENSURE(config_deliver_find(c, c->deliver[i].domain) == &c->deliver[i]);
    }
    check_routes(c);
    ENSURE(c->relays > 0 && c->relays <= LIMIT_RELAYS_MAX && c->delay_warning_seconds > 0);
    ENSURE(c->edges <= LIMIT_EDGES_MAX && c->retry_first_seconds > 0 && c->drain_seconds > 0);
}

/* Text that may be shown: printable, whatever was read (I11). */
static void check_shown(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        ENSURE(s.p[i] >= 32 && s.p[i] != 127);
}

static bool check_problems(const struct config_problem *p)
{
    bool error = false;

    for (; p; p = p->next) {
        ENSURE(p->text.n > 0);
        check_shown(p->text);
        check_shown(p->suggestion);
        error |= p->severity == CONFIG_ERROR;
    }
    return error;
}

static void check_bundle(struct arena *a, const struct config_source *sources, size_t n)
{
    size_t octets = config_bundle_octets(sources, n), back_n;
    struct config_source *back;
    void *memory = arena_take(a, octets);

    if (!memory) return;
    struct buf b = buf_on(memory, octets);
    config_bundle_put(&b, sources, n);
    ENSURE(!b.over && b.n == octets && config_bundle_read(a, buf_span(&b), &back, &back_n) && back_n == n);
    for (size_t i = 0; i < n; i++)
        ENSURE(span_eq(back[i].name, sources[i].name) && span_eq(back[i].text, sources[i].text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char names[FILES][8] = {"/d/conf", "/d/a", "/d/b", "/d/c", "/d/d",
                                         "/d/e",    "/d/f", "/d/g", "/d/h", "/d/i"};
    struct config_source sources[FILES];
    struct config_problem *problems;
    struct span rest = span_of(data, size), missing;
    struct arena *a = arena_create(MEMORY);
    size_t n = 0, end;

    ENSURE(a);
    do {
        end = span_find(rest, 0);
        sources[n] = (struct config_source){.name = span_str(names[n]), .text = span_head(rest, end)};
        n++;
        rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
    } while (end != SPAN_NPOS && n < FILES);
    const struct config *c = config_parse(a, sources, n, &problems, &missing);
    bool error = check_problems(problems);
    ENSURE(!c || (!error && !missing.n));
    ENSURE(c || error || missing.n || arena_used(a) > MEMORY / 8); /* else: no memory */
    if (c) check_config(c);
    check_bundle(a, sources, n);
    size_t back_n;
    struct config_source *back;
    (void)config_bundle_read(a, span_of(data, size), &back, &back_n);
    arena_destroy(&a);
    return 0;
}
