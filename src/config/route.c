#include "config/config.h"
#include "config/reader_private.h"

/* An address as a peer wrote it, as lines name it: lower case, its domain in A-labels; whole and its domain. */
struct folded {
    struct span whole, domain;
    uint8_t memory[LIMIT_PATH_OCTETS + LIMIT_DOMAIN_OCTETS];
};

/* False: longer than any address, or with a domain that is no name, so that no line can name it. */
static bool fold(struct folded *f, struct span address)
{
    struct buf b = buf_on(f->memory, sizeof f->memory);
    size_t at = span_rfind(address, '@');
    size_t local = at == SPAN_NPOS ? 0 : at + 1;
    for (size_t i = 0; i < local && !b.over; i++)
        buf_byte(&b, octet_lower(address.p[i]));
    if (!idn_put_ascii(&b, span_skip(address, local)) || b.over) return false;
    f->whole = buf_span(&b);
    f->domain = span_skip(f->whole, local);
    return true;
}

/* The longest ".domain" around it that has a row. */
static const void *find_around(const struct config *c, const void *base, size_t n, size_t each,
                               struct span domain)
{
    for (size_t dot; (dot = span_find(domain, '.')) != SPAN_NPOS; domain = span_skip(domain, dot + 1)) {
        struct span around = span_skip(domain, dot);
        const void *row = around.n > c->longest_suffix ? NULL : names_find(base, n, each, around);
        if (row) return row;
    }
    return NULL;
}

/* The nearest row of a table; "*" only where star. */
static const void *find_pattern(const struct config *c, const void *base, size_t n, size_t each,
                                const struct folded *f, bool star)
{
    const void *row = NULL;

    if (!n) return NULL;
    if (f->whole.n > f->domain.n) row = names_find(base, n, each, f->whole);
    if (!row) row = names_find(base, n, each, f->domain);
    if (!row) row = find_around(c, base, n, each, f->domain);
    return row || !star ? row : names_find(base, n, each, SPAN("*"));
}

#define FIND(c, table, f, star) find_pattern(c, (c)->table, (c)->n_##table, sizeof *(c)->table, f, star)
#define FIND_STAR(c, table)     names_find((c)->table, (c)->n_##table, sizeof *(c)->table, SPAN("*"))

const struct config_route *config_route_find(const struct config *c, struct span recipient)
{
    struct folded f;

    return fold(&f, recipient) ? FIND(c, routes, &f, true) : FIND_STAR(c, routes);
}

const struct config_pattern *config_held(const struct config *c, struct span recipient)
{
    struct folded f;

    return fold(&f, recipient) ? FIND(c, hold, &f, true) : FIND_STAR(c, hold);
}

/* --- destinations */

static const struct config_match *find_match(const struct config *c, const struct config_match *table,
                                             uint32_t n, struct span name)
{
    struct folded f;

    return fold(&f, name) ? find_pattern(c, table, n, sizeof *table, &f, false) : NULL;
}

const struct config_match *config_match_of(const struct config *c, const struct next_hop *hop)
{
    struct span names = hop->name, host;
    uint16_t port;

    if (!c->n_matches) return NULL;
    if (hop->kind == NEXT_HOP_MX) return find_match(c, c->matches, c->n_matches, hop->name);
    if (hop->kind == NEXT_HOP_UNIX) {
        uint8_t memory[LIMIT_SOCKET_PATH_OCTETS + 8];
        struct buf b = buf_on(memory, sizeof memory);
        buf_str(&b, "unix:");
        buf_put(&b, hop->name);
        return b.over ? NULL : names_find(c->matches, c->n_matches, sizeof *c->matches, buf_span(&b));
    }
    struct span first = span_head(names, span_find(names, ' '));
    const struct config_match *m = names_find(c->matches, c->n_matches, sizeof *c->matches, first);
    return m || !next_hop_take_host(&names, &host, &port) ? m : find_match(c, c->matches, c->n_matches, host);
}

const struct config_destination *config_destination_of(const struct config *c, const struct next_hop *hop)
{
    const struct config_match *m = config_match_of(c, hop);

    return m ? &c->destinations[m->destination] : &c->destination_default;
}

const struct config_destination *config_mx_group_of(const struct config *c, struct span host)
{
    const struct config_match *m = find_match(c, c->mx_matches, c->n_mx_matches, host);

    return m ? &c->destinations[m->destination] : NULL;
}

/* A destination that names the next hop says more than a route for many; one for all says less than a route. Null: the default. */
static const struct config_destination *tls_destination(const struct config *c, const struct next_hop *hop,
                                                        bool given)
{
    const struct config_match *m = config_match_of(c, hop);

    if (m && c->destinations[m->destination].tls_given) return &c->destinations[m->destination];
    return !given && c->destination_default.tls_given ? &c->destination_default : NULL;
}

uint8_t config_tls_of(const struct config *c, const struct next_hop *hop, bool given)
{
    const struct config_destination *d = tls_destination(c, hop, given);

    return d ? d->tls : hop->tls;
}

const char *config_tls_rule(const struct config *c, const struct config_way *way)
{
    const struct config_destination *d =
        way->hop.kind == NEXT_HOP_UNIX ? NULL : tls_destination(c, &way->hop, way->tls_given);

    if (!d) return way->tls_given ? "line" : "default";
    return d == &c->destination_default ? "destination *" : "destination";
}

/* --- the way */

static enum config_way_kind decide(struct config_way *ret, enum config_way_kind kind, const char *rule,
                                   const void *row)
{
    struct config_pattern p;

    ret->kind = kind;
    ret->rule = rule;
    ret->place = NULL;
    ret->pattern = SPAN("");
    if (row) {
        memcpy(&p, row, sizeof p); /* every row begins so */
        ret->pattern = p.pattern;
        ret->place =
            (const struct config_place *)((const uint8_t *)row + offsetof(struct config_pattern, place));
    }
    return kind;
}

static const struct config_route by_mx = {.hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_DANE}};

static enum config_way_kind go(const struct config *c, const struct folded *f, const struct config_route *r,
                               const char *rule, struct config_way *ret)
{
    ret->hop = r->hop;
    ret->tls_given = r->tls_given;
    if (r->hop.kind == NEXT_HOP_MX) {
        ret->hop.name = f->domain;
        if (!next_hop_valid(&ret->hop)) return decide(ret, WAY_NONE, "none", NULL);
        memcpy(ret->domain, ret->hop.name.p, ret->hop.name.n);
        ret->hop.name.p = ret->domain;
        ret->hop.tls = config_tls_of(c, &ret->hop, r->tls_given);
    }
    return decide(ret, WAY_NEXT_HOP, rule, r == &by_mx ? NULL : r);
}

static enum config_way_kind deliver(const struct config_deliver *d, struct config_way *ret)
{
    ret->hop = d->hop;
    ret->tls_given = d->tls_given;
    return decide(ret, d->how == DELIVER_LMTP ? WAY_NEXT_HOP : WAY_MAILBOX, "deliver", d);
}

static const struct config_deliver *own_deliver(const struct config *c, struct span domain)
{
    return names_find(c->deliver, c->n_deliver, sizeof *c->deliver, domain);
}

/* Is the line relay for an address, or for the same domain and said later? */
static bool relay_is_nearer(const struct config_route *near, const struct config_deliver *d)
{
    if (span_eq(near->pattern, d->domain)) return near->order > d->order;
    return near->pattern.p[0] != '.';
}

static enum config_way_kind local_way(const struct config *c, const struct folded *f,
                                      const struct config_route *near, struct config_way *ret)
{
    const struct config_deliver *d = own_deliver(c, f->domain);

    if (d && !(near && relay_is_nearer(near, d))) return deliver(d, ret);
    if (near) return go(c, f, near, "relay", ret);
    d = own_deliver(c, SPAN("*"));
    if (d) return deliver(d, ret);
    near = FIND_STAR(c, routes);
    return near ? go(c, f, near, "relay", ret) : decide(ret, WAY_NONE, "none", NULL);
}

static const struct config_route *sender_route(const struct config *c, struct span reverse_path)
{
    struct folded f;

    if (!c->n_sender_routes || !fold(&f, reverse_path.n ? reverse_path : SPAN("<>"))) return NULL;
    return FIND(c, sender_routes, &f, false);
}

enum config_way_kind config_next_hop_released(const struct config *c, struct span reverse_path,
                                              struct span recipient, bool local, struct config_way *ret)
{
    const struct config_route *r;
    const struct config_pattern *p;
    struct folded f;

    ret->hop = by_mx.hop;
    ret->tls_given = false;
    if (!fold(&f, recipient)) return decide(ret, WAY_NONE, "none", NULL);
    if ((p = FIND(c, discard, &f, false)) != NULL) return decide(ret, WAY_DISCARD, "discard", p);
    r = FIND(c, routes, &f, false);
    if (local) return local_way(c, &f, r, ret);
    if (r) return go(c, &f, r, "relay", ret);
    if ((r = sender_route(c, reverse_path)) != NULL) return go(c, &f, r, "relay from", ret);
    if ((r = FIND_STAR(c, routes)) != NULL) return go(c, &f, r, "relay", ret);
    return go(c, &f, &by_mx, "default", ret);
}

enum config_way_kind config_next_hop(const struct config *c, struct span reverse_path, struct span recipient,
                                     bool local, struct config_way *ret)
{
    const struct config_pattern *held = config_held(c, recipient);

    if (!held) return config_next_hop_released(c, reverse_path, recipient, local, ret);
    ret->hop = by_mx.hop;
    ret->tls_given = false;
    return decide(ret, WAY_HOLD, "hold", held);
}

#define BEGINS_AS_PATTERN(type, member)                                                                      \
    _Static_assert(offsetof(type, member) == offsetof(struct config_pattern, pattern) &&                     \
                       offsetof(type, place) == offsetof(struct config_pattern, place),                      \
                   "rows are looked up, and shown, by how they begin")
BEGINS_AS_PATTERN(struct config_deliver, domain);
BEGINS_AS_PATTERN(struct config_route, pattern);
BEGINS_AS_PATTERN(struct config_match, pattern);
BEGINS_AS_PATTERN(struct config_destination, name);
