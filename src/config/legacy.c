/* legacy: what profile legacy-device means for its server, and what no other server may have. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

static void error_at(struct reader *r, struct config_place p, struct span text, struct span suggestion)
{
    config_problem_add(r, CONFIG_ERROR, p, text, suggestion);
}

static void warn_at(struct reader *r, struct config_place p, struct span text, struct span suggestion)
{
    config_problem_add(r, CONFIG_WARNING, p, text, suggestion);
}

/* --- what was not said */

/* Devices that may send are let in: they need no second line. */
static void let_in(struct reader *r, struct config_server *s)
{
    struct admission *a = &s->admission;

    for (uint32_t i = 0; i < s->n_pins; i++) {
        struct admission_rule *grown = reader_push(r, a->rules, &a->n, sizeof *grown, UINT32_MAX);
        if (!grown) return;
        a->rules = grown;
        grown[a->n - 1] = (struct admission_rule){.network = s->pins[i].from, .allow = true};
    }
}

/* Without TLS may log in whoever may connect, unless it was said who. */
static void let_log_in(struct reader *r, struct draft *d)
{
    struct config_server *s = &d->server;

    if (s->n_clear_auth || d->require_tls) return;
    for (uint32_t i = 0; i < d->n_clients; i++) {
        struct network *grown =
            reader_push(r, s->clear_auth, &s->n_clear_auth, sizeof *grown, LIMIT_ADMISSION_RULES);
        if (!grown) return;
        s->clear_auth = grown;
        grown[i] = d->clients[i].network;
    }
}

static void lower(uint32_t *own, uint32_t top, uint32_t cap)
{
    if (!*own) *own = top && top < cap ? top : cap;
}

static bool is_less(const struct config_rate *a, const struct config_rate *b)
{
    return a->limited && (uint64_t)a->count * b->seconds < (uint64_t)b->count * a->seconds;
}

static void lower_rate(struct config_rate *own, const struct config_rate *top, uint32_t count,
                       uint32_t seconds)
{
    const struct config_rate cap = {.limited = true, .count = count, .seconds = seconds};

    if (!own->limited) *own = is_less(top, &cap) ? *top : cap;
}

/* What the top level says is for servers of people: it lowers these, and does not lift them. */
static void finish_caps(struct config_limits *own, const struct config_limits *top)
{
    uint64_t octets = top->message_octets;

    lower(&own->sessions, top->sessions, LIMIT_LEGACY_SESSIONS_DEFAULT);
    lower(&own->sessions_per_source, top->sessions_per_source, LIMIT_LEGACY_SESSIONS_PER_SOURCE_DEFAULT);
    if (!own->sessions_per_loopback_source) own->sessions_per_loopback_source = own->sessions_per_source;
    lower(&own->sessions_per_principal, top->sessions_per_principal,
          LIMIT_LEGACY_SESSIONS_PER_PRINCIPAL_DEFAULT);
    lower(&own->messages_per_session, top->messages_per_session, LIMIT_LEGACY_MESSAGES_PER_SESSION_DEFAULT);
    lower(&own->recipients, top->recipients, LIMIT_LEGACY_RECIPIENTS_DEFAULT);
    if (!own->message_octets)
        own->message_octets = octets && octets < LIMIT_LEGACY_MESSAGE_OCTETS_DEFAULT
                                  ? octets
                                  : LIMIT_LEGACY_MESSAGE_OCTETS_DEFAULT;
    lower_rate(&own->connections_rate, &top->connections_rate, LIMIT_LEGACY_CONNECTIONS_PER_MINUTE_DEFAULT,
               60);
    lower_rate(&own->messages_per_source, &top->messages_per_source, LIMIT_LEGACY_MESSAGES_PER_HOUR_DEFAULT,
               3600);
    lower_rate(&own->recipients_per_source, &top->recipients_per_source,
               LIMIT_LEGACY_RECIPIENTS_PER_HOUR_DEFAULT, 3600);
    lower_rate(&own->messages_per_principal, &top->messages_per_principal,
               LIMIT_LEGACY_MESSAGES_PER_HOUR_DEFAULT, 3600);
    lower_rate(&own->recipients_per_principal, &top->recipients_per_principal,
               LIMIT_LEGACY_RECIPIENTS_PER_HOUR_DEFAULT, 3600);
}

/* What the top level says and is not lowered by is not what says it. */
static void forget_top(struct draft *d, const struct config_limits *top)
{
    const uint8_t *own = (const uint8_t *)&d->server.limits, *all = (const uint8_t *)top;

    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema_table[i];
        size_t octets = row->type == SCHEMA_OWN ? sizeof(struct config_rate) : row->octets;
        static const struct config_rate nothing;
        if (row->where != SCHEMA_LIMITS || d->said[i].line || !octets || octets > sizeof nothing) continue;
        if (memcmp(own + row->offset, &nothing, octets) != 0 &&
            memcmp(own + row->offset, all + row->offset, octets) != 0)
            d->said[i].column = CONFIG_PLACE_DEFAULT;
    }
}

bool config_sender_listed(const struct config_server *s, const struct address *client, struct span sender)
{
    return s->profile != PROFILE_LEGACY_DEVICE ||
           (sender.n && pin_permits(s->pins, s->n_pins, client, sender));
}

void finish_legacy(struct reader *r, struct draft *d)
{
    struct config_server *s = &d->server;

    if (!s->tls_minimum)
        s->tls_minimum = s->profile == PROFILE_LEGACY_DEVICE ? TLS_MINIMUM_1_0 : TLS_MINIMUM_1_2;
    if (s->profile != PROFILE_LEGACY_DEVICE) return;
    if (!d->role_given) s->role = ROLE_SUBMISSION;
    if (!d->access_given) s->access = ACCESS_AUTHENTICATED;
    d->role_given = d->access_given = true;
    let_in(r, s);
    let_log_in(r, d);
    finish_caps(&s->limits, &r->top.server.limits);
    forget_top(d, &r->top.server.limits);
}

/* --- what does not go together */

static bool within(const struct network *n, const char *range)
{
    struct network wide;

    return network_parse(span_str(range), &wide) && network_encloses(&wide, n);
}

static bool within_any(const struct network *n, const char *const *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (within(n, ranges[i])) return true;
    return false;
}

static struct span network_text(struct reader *r, const struct network *n)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);

    network_put(&b, n);
    return PROBLEM_TEXT(r, buf_span(&b));
}

static void check_client(struct reader *r, const struct legacy_client *c)
{
    /* networks that no router of the Internet knows, those for documentation too */
    static const char *const inner[] = {
        "10.0.0.0/8",      "172.16.0.0/12",  "192.168.0.0/16", "169.254.0.0/16", "192.0.2.0/24",
        "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15",  "127.0.0.0/8",    "::1",
        "fc00::/7",        "fe80::/10",      "2001:db8::/32",  "100.64.0.0/10"};
    static const char *const here[] = {"127.0.0.0/8", "::1"};
    bool v4 = c->network.bits >= 96 && address_is_v4(&c->network.base);
    struct span text = network_text(r, &c->network);

    if (c->network.bits < (v4 ? 96 + LIMIT_LEGACY_NETWORK_BITS_V4 : LIMIT_LEGACY_NETWORK_BITS_V6))
        error_at(r, c->place, PROBLEM_TEXT(r, text, SPAN(" is too wide for a network of old devices")),
                 SPAN("at most a /20 of IPv4 or a /64 of IPv6: list the devices, or their own network"));
    else if (!within_any(&c->network, inner, sizeof inner / sizeof inner[0]))
        warn_at(r, c->place,
                PROBLEM_TEXT(r, text,
                             SPAN(" is public: if these devices are elsewhere, their passwords and mail "
                                  "cross the Internet unprotected")),
                SPAN("let them come through a VPN, or log in on a server without profile legacy-device"));
    else if (within_any(&c->network, here, 2))
        warn_at(
            r, c->place,
            PROBLEM_TEXT(
                r, text,
                SPAN(
                    " is the loopback: whatever a proxy or tunnel on this host forwards counts as a device")),
            SPAN("list the devices by their own addresses"));
    else if (within(&c->network, "100.64.0.0/10"))
        warn_at(r, c->place,
                PROBLEM_TEXT(r, text, SPAN(" is in a carrier's NAT network: strangers share its addresses")),
                SPAN("list the devices by their own addresses"));
    else if (network_looks_like_gateway(&c->network))
        warn_at(r, c->place,
                PROBLEM_TEXT(r, text,
                             SPAN(" looks like a gateway: whoever it does NAT for counts as this device")),
                SPAN("list the device by its own address, on this side of the gateway"));
}

/* What it sends is refused: who has not logged in needs a sender. */
static void check_relay_networks(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;

    for (uint32_t i = 0; i < s->n_relay_networks; i++) {
        const struct network *relay = &s->relay_networks[i];
        bool known = false;
        for (uint32_t k = 0; k < s->n_pins && !known; k++)
            known =
                network_holds(relay, &s->pins[k].from.base) || network_holds(&s->pins[k].from, &relay->base);
        if (!known)
            warn_at(
                r, d->relay_place,
                PROBLEM_TEXT(r, SPAN("relay network "), network_text(r, relay),
                             SPAN(" has no sender on this server: who does not log in cannot send from it")),
                SPAN("sender scanner@example.org from NETWORK"));
    }
}

static void check_device_server(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;

    if (s->role != ROLE_SUBMISSION)
        error_at(r, d->profile_place, SPAN("profile legacy-device is for role submission only"),
                 SPAN("leave role out, or give these devices a server of their own"));
    else if (s->access != ACCESS_AUTHENTICATED)
        error_at(r, d->profile_place,
                 SPAN("profile legacy-device lets nobody in unnamed: it has access authenticated only"),
                 SPAN("devices that cannot log in: sender scanner@example.org from 192.0.2.10"));
    if (!d->n_clients && !d->damaged)
        error_at(r, d->profile_place,
                 PROBLEM_TEXT(r, SPAN("server "), s->name,
                              SPAN(" with profile legacy-device names no network of its devices")),
                 SPAN("connections allow 192.0.2.0/28, or sender scanner@example.org from 192.0.2.10"));
    if (s->admission.n_names) /* a denied one would let all others in, too */
        error_at(r, d->admission_place,
                 SPAN("profile legacy-device knows its devices by their networks, never by a name"),
                 SPAN("connections allow 192.0.2.0/28"));
    for (uint32_t i = 0; i < d->n_clients; i++)
        check_client(r, &d->clients[i]);
    for (uint32_t i = 0; i < s->n_listeners; i++)
        if (s->listeners[i].n_proxy_from)
            error_at(r, s->listeners[i].place,
                     SPAN("a listener with profile legacy-device has no proxy: it knows devices by their own "
                          "address"),
                     SPAN("let the devices connect to it directly"));
    for (uint32_t i = 0; i < s->n_grants; i++)
        if (s->grants[i].right & ~LEGACY_RIGHTS)
            error_at(r, s->grants[i].place,
                     SPAN("on a server with profile legacy-device the only rights are submit and relay: "
                          "senders are pinned, sizes capped"),
                     SPAN("sallyport user sender add lists addresses that an account may send from"));
    if (r->config->log_level > 1) /* info */
        warn_at(r, d->profile_place,
                SPAN("log-level leaves out the sessions of old devices: sallyport report legacy would know "
                     "of none"),
                SPAN("log-level info"));
    check_relay_networks(r, d);
}

void check_legacy(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;
    struct span suggestion = SPAN("give old devices a server of their own with profile legacy-device");

    if (d->clear_auth_place.line && network_union_too_wide(s->clear_auth, s->n_clear_auth))
        error_at(r, d->clear_auth_place,
                 SPAN("the networks of allow-cleartext-auth are too wide: passwords would cross the Internet "
                      "unprotected"),
                 SPAN("at most a /8 of IPv4 and a /32 of IPv6 in union: list the devices"));
    if (s->profile == PROFILE_LEGACY_DEVICE) {
        check_device_server(r, d);
        return;
    }
    if (s->mechanisms & MECHANISM_BIT(MECHANISM_CRAM_MD5))
        error_at(r, d->cram_place, SPAN("CRAM-MD5 is spoken with profile legacy-device only"), suggestion);
    if (s->tls_minimum < TLS_MINIMUM_1_2)
        error_at(r, d->tls_minimum_place, SPAN("TLS 1.0 and 1.1 are spoken with profile legacy-device only"),
                 suggestion);
    if (s->n_pins)
        error_at(r, d->sender_place, SPAN("who does not log in has a sender with profile legacy-device only"),
                 suggestion);
}
