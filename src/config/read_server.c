/* read_server: the directives of server { } that have a grammar of their own. */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static bool is_tls_mode(const struct token *t)
{
    return t->kind == TOKEN_WORD && (span_eq(t->text, SPAN("starttls")) ||
                                     span_eq(t->text, SPAN("implicit")) || span_eq(t->text, SPAN("none")));
}

static enum config_tls tls_mode(struct span word)
{
    return span_eq(word, SPAN("starttls"))   ? TLS_STARTTLS
           : span_eq(word, SPAN("implicit")) ? TLS_IMPLICIT
                                             : TLS_NONE;
}

/* listen A:P ... [tls MODE] [proxy from NETWORK ...]. "tls MODE certificate" behind it is the next statement. */
static bool at_listener_tls(const struct reader *r)
{
    struct token mode = reader_peek(r, 1), behind = reader_peek(r, 2);

    return reader_at_word(r, "tls") &&
           !(behind.kind == TOKEN_WORD && span_eq(behind.text, SPAN("certificate"))) &&
           !(mode.kind == TOKEN_WORD && span_eq(mode.text, SPAN("certificate")));
}

/* A network that is too wide alone is named; what several make together check.c sees (invariant I1). */
static bool value_narrow_network(struct reader *r, const struct token *t, struct network *ret,
                                 const char *consequence)
{
    if (!value_network(r, t, ret)) return false;
    if (!network_union_too_wide(ret, 1)) return true;
    config_problem_at(
        r, t, PROBLEM_TEXT(r, SPAN("network "), t->text, SPAN(" is too wide: "), span_str(consequence)),
        SPAN("at most a /8 of IPv4 or a /32 of IPv6: list single hosts"));
    return false;
}

/* Ranges of addresses that are many people's somewhere. */
enum shared { SHARED_LOCAL /* of this host itself */, SHARED_PRIVATE, SHARED_NAT };
static const struct shared_range {
    const char *network, *kind;
    enum shared shared;
} shared_ranges[] = {
    {"127.0.0.0/8", "the loopback network", SHARED_LOCAL},
    {"::1", "the loopback network", SHARED_LOCAL},
    {"10.0.0.0/8", "a private network", SHARED_PRIVATE},
    {"172.16.0.0/12", "a private network", SHARED_PRIVATE},
    {"172.17.0.0/16", "the network that Docker makes for containers", SHARED_PRIVATE},
    {"192.168.0.0/16", "a private network", SHARED_PRIVATE},
    {"100.64.0.0/10", "a carrier's NAT network", SHARED_NAT},
    {"169.254.0.0/16", "a link-local network", SHARED_PRIVATE},
    {"fc00::/7", "a private network", SHARED_PRIVATE},
    {"fd00::/8", "a private network", SHARED_PRIVATE},
    {"fe80::/10", "a link-local network", SHARED_PRIVATE},
    {"64:ff9b::/96", "the network of NAT64, in which all of IPv4 has an address", SHARED_NAT}, /* RFC 6052 */
    {"64:ff9b:1::/48", "a network of NAT64", SHARED_NAT},                                      /* RFC 8215 */
    {"192.0.0.0/24", "the network of DS-Lite and of translators", SHARED_NAT}, /* RFC 6333, RFC 7335 */
    {"2001::/32", "the network of Teredo, where anybody makes himself an address", SHARED_NAT},
    {"2002::/16", "the network of 6to4, where anybody makes himself an address", SHARED_NAT},
};

/* The widest one that n holds all of (*all), else the narrowest that n is in; null: none. */
static const struct shared_range *find_range(const struct network *n, bool *all)
{
    const struct shared_range *best = NULL;
    uint8_t bits = 0;

    *all = false;
    for (size_t i = 0; i < sizeof shared_ranges / sizeof shared_ranges[0]; i++) {
        struct network range;
        if (!network_parse(span_str(shared_ranges[i].network), &range)) continue;
        bool whole = range.bits < 128 && network_encloses(n, &range);
        bool inside = !whole && !*all && network_encloses(&range, n);
        if (!(whole && (!*all || range.bits < bits)) && !(inside && (!best || range.bits > bits))) continue;
        best = &shared_ranges[i];
        bits = range.bits;
        *all = whole;
    }
    return best;
}

/* Behind a NAT gateway or a local proxy all the world has its address: a warning, since whoever lists one may know better. A proxy's
 * word is believed on who the client is: there only a whole range is odd. */
static void warn_shared_address(struct reader *r, const struct token *t, const struct network *n, bool proxy)
{
    bool all;
    const struct shared_range *in = find_range(n, &all);
    bool local = in && in->shared == SHARED_LOCAL, gateway = network_looks_like_gateway(n);

    if (!in || (proxy && (!all || local))) return;
    /* a host: whether it is a gateway of this one service/config_networks knows */
    if (n->bits == 128 && in->shared == SHARED_PRIVATE && !gateway) return;
    gateway = gateway && in->shared == SHARED_PRIVATE;
    config_problem_add(
        r, CONFIG_WARNING, reader_place(r, t),
        PROBLEM_TEXT(r, proxy ? SPAN("proxy network ") : SPAN("relay network "), t->text,
                     all       ? SPAN(" holds all of ")
                     : gateway ? SPAN(" looks like the gateway of ")
                               : SPAN(" is in "),
                     all ? span_str(in->network) : SPAN(""), all ? SPAN(", ") : SPAN(""), span_str(in->kind)),
        proxy     ? SPAN("every host in it could name any address as its own, one of a relay network too: "
                             "name the single proxies")
        : local   ? SPAN("whatever a proxy or tunnel on this host forwards will be relayed; name proxies "
                           "with: listen ... proxy from")
        : gateway ? SPAN("whoever it does NAT for will be relayed: list the single hosts that send, on this "
                         "side of the gateway")
                  : SPAN("when a NAT gateway, load balancer or container host has an address in it, "
                         "strangers behind it will be relayed: list the single hosts that send"));
}

/* Hosts of a private network that are written one by one, eight or more without a gap: a network, after all. */
void value_warn_hosts_together(struct reader *r, const struct config_place *place, const struct network *n,
                               uint32_t count)
{
    enum { BLOCK = 8 };
    for (uint32_t i = 0; i < count; i++) {
        struct network block = {n[i].base, 128 - 3};
        uint8_t memory[64], seen = 0;
        struct buf text = buf_on(memory, sizeof memory);
        bool all;
        if (n[i].bits != 128 || n[i].base.octets[15] % BLOCK) continue;
        const struct shared_range *in = find_range(&block, &all);
        if (!in || in->shared == SHARED_LOCAL) continue;
        for (uint32_t k = 0; k < count; k++)
            if (n[k].bits == 128 && network_holds(&block, &n[k].base))
                seen |= (uint8_t)(1u << n[k].base.octets[15] % BLOCK);
        if (seen != UINT8_MAX) continue;
        network_put(&text, &block);
        config_problem_add(
            r, CONFIG_WARNING, *place,
            PROBLEM_TEXT(r, SPAN("the relay networks name every host of "), buf_span(&text), SPAN(", in "),
                         span_str(in->kind)),
            SPAN("a gateway, load balancer or container host among them does NAT for strangers: list the "
                 "hosts that send, and no others"));
        return;
    }
}

void value_warn_clear_network(struct reader *r, const struct token *t, const struct network *n)
{
    bool all;
    const struct shared_range *in = find_range(n, &all);

    if (!in || !all || in->shared == SHARED_LOCAL) return;
    config_problem_add(r, CONFIG_WARNING, reader_place(r, t),
                       PROBLEM_TEXT(r, SPAN("network "), t->text, SPAN(" holds all of "),
                                    span_str(in->network), SPAN(", "), span_str(in->kind),
                                    SPAN(": whoever listens anywhere in it has the passwords")),
                       SPAN("list the hosts that cannot speak TLS, or their own network"));
}

static void read_proxy_networks(struct reader *r, const struct token *name, struct network **networks,
                                uint32_t *n)
{
    struct token t;
    bool any = false;

    if (!reader_word(r, "from")) {
        config_problem_at(r, &r->token, SPAN("proxy needs from and a NETWORK"), SPAN("proxy from 192.0.2.7"));
        return;
    }
    while (reader_more(r, &t)) {
        any = true;
        struct network *grown = reader_push(r, *networks, n, sizeof **networks, LIMIT_CONFIG_NETWORKS);
        if (!grown) return;
        *networks = grown;
        if (value_narrow_network(r, &t, &grown[*n - 1], "strangers could name any address as their own"))
            warn_shared_address(r, &t, &grown[*n - 1], true);
        else
            --*n;
    }
    if (!any && !r->broken)
        config_problem_at(r, name, SPAN("proxy from needs a NETWORK"), SPAN("proxy from 192.0.2.7"));
}

static uint32_t read_endpoints(struct reader *r, struct config_server *s, const struct token *name)
{
    struct token t;
    uint32_t added = 0;
    bool first = true;

    while (!(!first && (at_listener_tls(r) || reader_at_word(r, "proxy"))) &&
           (first ? reader_argument(r, name, "an ADDRESS:PORT", &t) : reader_more(r, &t))) {
        struct config_listener l = {.place = reader_place(r, &t)};
        first = false;
        if (!value_endpoint(r, &t, &l.address, &l.port)) continue;
        struct config_listener *grown =
            reader_push(r, s->listeners, &s->n_listeners, sizeof l, LIMIT_LISTENERS);
        if (!grown) break;
        s->listeners = grown;
        grown[s->n_listeners - 1] = l;
        added++;
    }
    return added;
}

void read_listen(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_server *s = &reader_draft(r)->server;
    uint32_t added = read_endpoints(r, s, name), n_proxy = 0;
    struct network *proxy = NULL;
    enum config_tls mode = TLS_NONE;
    bool tls_given = false;
    struct token t;
    uint64_t choice;

    (void)row;
    for (;;) {
        if (!tls_given && at_listener_tls(r)) {
            reader_advance(r);
            tls_given = true;
            if (reader_argument(r, name, "starttls, implicit or none behind tls", &t) &&
                value_choice(r, &t, "starttls implicit none", &choice))
                mode = tls_mode(t.text);
        } else if (!n_proxy && reader_word(r, "proxy"))
            read_proxy_networks(r, name, &proxy, &n_proxy);
        else
            break;
    }
    for (uint32_t i = s->n_listeners - added; i < s->n_listeners; i++) {
        s->listeners[i].tls = mode;
        s->listeners[i].tls_given = tls_given;
        s->listeners[i].proxy_from = proxy;
        s->listeners[i].n_proxy_from = n_proxy;
    }
}

/* tls [MODE] [certificate FILE key FILE] */
void read_tls(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct config_certificate c = {.place = reader_place(r, name)};
    bool mode_given = is_tls_mode(&r->token);
    struct token t;

    (void)row;
    if (mode_given) {
        enum config_tls mode = tls_mode(r->token.text);
        if (d->tls_given && d->tls_mode != mode)
            config_problem_at(r, &r->token, SPAN("another tls line of this block names another mode"),
                              SPAN("name the mode once, or the same one"));
        d->tls_mode = mode;
        d->tls_given = true;
        reader_advance(r);
    }
    if (!reader_word(r, "certificate")) {
        if (mode_given) return;
        struct span near = r->token.kind == TOKEN_WORD
                               ? suggest_word(r->token.text, "starttls implicit none certificate")
                               : SPAN("");
        config_problem_at(r, r->token.kind == TOKEN_WORD ? &r->token : name,
                          SPAN("tls needs a mode (starttls, implicit, none) or a certificate"),
                          near.n ? PROBLEM_TEXT(r, SPAN("did you mean "), QUOTED(near), SPAN("?"))
                                 : SPAN("tls starttls certificate FILE key FILE"));
        return;
    }
    if (!reader_argument(r, name, "a FILE behind certificate", &t) || !value_path(r, &t, &c.chain_file))
        return;
    if (!reader_word(r, "key")) {
        config_problem_at(r, name, SPAN("the certificate has no key"),
                          SPAN("tls starttls certificate FILE key FILE"));
        return;
    }
    if (!reader_argument(r, name, "a FILE behind key", &t) || !value_path(r, &t, &c.key_file)) return;
    struct config_certificate *grown =
        reader_push(r, d->server.certificates, &d->server.n_certificates, sizeof c, LIMIT_TLS_CERTIFICATES);
    if (!grown) return;
    d->server.certificates = grown;
    grown[d->server.n_certificates - 1] = c;
}

void read_role(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct token t;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t) || !value_choice(r, &t, row->choices, &choice)) return;
    d->server.role = (enum config_role)choice;
    d->role_given = true;
    if (choice == ROLE_GATE) value_not_yet(r, &t, "role gate", "this server is checked and not started");
}

void read_relay_networks(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct config_server *s = &d->server;
    struct token t;
    bool more = reader_argument(r, name, row->arguments, &t);

    if (!d->relay_place.line) d->relay_place = reader_place(r, name);
    for (; more; more = reader_more(r, &t)) {
        struct network n, *grown;
        if (!value_narrow_network(r, &t, &n, "this would be an open relay")) continue;
        warn_shared_address(r, &t, &n, false);
        grown = reader_push(r, s->relay_networks, &s->n_relay_networks, sizeof n, LIMIT_CONFIG_NETWORKS);
        if (!grown) return;
        s->relay_networks = grown;
        grown[s->n_relay_networks - 1] = n;
    }
}

/* recipients DOMAIN ... [any] */
void read_recipients(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_server *s = &reader_draft(r)->server;
    uint32_t before = s->n_domains;
    struct token t;
    if (reader_at_word(r, "any")) {
        config_problem_at(r, &r->token,
                          SPAN("any stands behind the domains in which every local part exists"),
                          SPAN("recipients example.org any"));
        return;
    }
    bool more = reader_argument(r, name, row->arguments, &t);
    for (; more; more = !reader_at_word(r, "any") && reader_more(r, &t)) {
        struct config_domain d = {.place = reader_place(r, &t)}, *grown;
        if (!value_domain(r, &t, false, &d.name)) continue;
        grown = reader_push(r, s->domains, &s->n_domains, sizeof d, LIMIT_DOMAINS);
        if (!grown) return;
        s->domains = grown;
        grown[s->n_domains - 1] = d;
    }
    if (reader_word(r, "any"))
        for (uint32_t i = before; i < s->n_domains; i++)
            s->domains[i].any = true;
}

/* backend ADDRESS:PORT [tls verify | opportunistic | none] */
void read_backend(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_server *s = &reader_draft(r)->server;
    struct token t;
    struct address a;
    uint16_t port;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    if (value_endpoint(r, &t, &a, &port)) {
        s->backend = arena_copy(r->arena, t.text);
        r->no_memory |= !s->backend.p;
    }
    if (!reader_at_word(r, "tls") || suggest_word(reader_peek(r, 1).text, "starttls implicit certificate").n)
        return;
    reader_advance(r);
    if (reader_argument(r, name, "verify, opportunistic or none behind tls", &t))
        (void)value_choice(r, &t, "verify opportunistic none", &choice);
}

void read_verbs(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;
    bool more = reader_argument(r, name, row->arguments, &t);

    for (; more; more = reader_more(r, &t))
        for (size_t i = 0; i < t.text.n; i++)
            if (!(octet_lower(t.text.p[i]) >= 'a' && octet_lower(t.text.p[i]) <= 'z')) {
                config_problem_at(r, &t, PROBLEM_TEXT(r, QUOTED(t.text), SPAN(" is no SMTP verb")),
                                  SPAN("default, or letters like EHLO"));
                break;
            }
}
