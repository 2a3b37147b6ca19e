/* check_access: logins that cannot come about, and rights that nobody can have. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

/* Where a server says it, or what it follows from; else where it begins. */
static struct config_place access_place(const struct reader *r, const struct config_server *s)
{
    static const char *const names[] = {"access", "role", "profile"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool own;
        struct config_place place = config_server_said(r->config, s, names[i], false, &own);
        if (own) return place;
    }
    return s->place;
}

static void check_logins(struct reader *r, const struct config_server *s)
{
    uint8_t memory[256];
    struct buf all = buf_on(memory, sizeof memory);

    if (s->access == ACCESS_ANONYMOUS || !s->mechanisms || config_logins(s)) return;
    if (s->profile == PROFILE_LEGACY_DEVICE) return; /* there it follows from an error */
    mechanism_put_names(&all, s->mechanisms);
    config_problem_add(
        r, CONFIG_WARNING, access_place(r, s),
        PROBLEM_TEXT(r, SPAN("nobody can log in to server "), s->name, SPAN(": no listener has TLS, and "),
                     s->n_clear_auth ? SPAN("none without it: ") : SPAN("allow-cleartext-auth names nobody"),
                     s->n_clear_auth ? buf_span(&all) : SPAN("")),
        SPAN("listen ADDRESS:PORT tls starttls, with: tls certificate FILE key FILE"));
}

static void check_grants(struct reader *r, const struct config_server *s)
{
    for (uint32_t i = 0; i < s->n_grants && s->access == ACCESS_ANONYMOUS; i++)
        config_problem_add(r, CONFIG_WARNING, s->grants[i].place,
                           PROBLEM_TEXT(r, SPAN("nobody can log in to server "), s->name,
                                        SPAN(", which has access anonymous: nobody has this right")),
                           SPAN("access both, or leave the line out"));
}

/* Could anybody in that network connect? Where names decide that is not known. */
static bool may_connect(const struct admission *a, const struct network *n)
{
    const struct admission_rule *around = NULL; /* the narrowest that holds all of it */

    for (uint32_t i = 0; i < a->n; i++) {
        const struct admission_rule *rule = &a->rules[i];
        if (rule->network.bits > n->bits) {
            if (rule->allow && network_holds(n, &rule->network.base)) return true;
        } else if (network_encloses(&rule->network, n) &&
                   (!around || rule->network.bits > around->network.bits))
            around = rule;
    }
    return around ? around->allow : a->others || a->n_names;
}

static void check_connections(struct reader *r, const struct config_server *s, const struct network *n,
                              uint32_t count, const char *directive, struct config_place place)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t memory[64];
        struct buf text = buf_on(memory, sizeof memory);
        if (may_connect(&s->admission, &n[i])) continue;
        network_put(&text, &n[i]);
        config_problem_add(r, CONFIG_WARNING, place,
                           PROBLEM_TEXT(r, buf_span(&text), SPAN(" of "), span_str(directive),
                                        SPAN(" may not connect to server "), s->name, SPAN(" (connections)")),
                           SPAN("connections allow, or leave it out"));
    }
}

/* Who would be let log in without TLS, and then be told to send STARTTLS first. */
static void check_clear(struct reader *r, const struct draft *d)
{
    if (!d->server.require_tls || !d->clear_auth_place.line) return;
    config_problem_add(r, CONFIG_ERROR, d->clear_auth_place,
                       PROBLEM_TEXT(r, SPAN("server "), d->server.name,
                                    SPAN(" has require-tls: nobody may log in without TLS there")),
                       SPAN("leave out one of require-tls and allow-cleartext-auth"));
}

/* Certificates of one server are those of others that name none. */
static bool lends(const struct reader *r, const struct config_server *s)
{
    for (uint32_t i = 0; i < r->n_drafts; i++)
        if (&r->drafts[i].server != s && r->drafts[i].server.certificates == s->certificates) return true;
    return false;
}

/* What is said of TLS where there is none. */
static void check_tls_used(struct reader *r, const struct config_server *s)
{
    static const char *const names[] = {"tls", "tls-minimum"};

    if (config_tls_modes(s) != UINT32_C(1) << TLS_NONE) return;
    for (size_t i = 0; i < 2; i++) {
        bool own;
        struct config_place place = config_server_said(r->config, s, names[i], false, &own);
        if (i == 1 && s->tls_minimum < TLS_MINIMUM_1_2 && s->profile != PROFILE_LEGACY_DEVICE)
            continue; /* an error */
        if (!own || (i == 0 && (!s->n_certificates || lends(r, s)))) continue;
        config_problem_add(r, CONFIG_WARNING, i ? place : s->certificates[0].place,
                           PROBLEM_TEXT(r, SPAN("no listener of server "), s->name, SPAN(" has TLS: "),
                                        i ? SPAN("tls-minimum") : SPAN("this certificate"),
                                        SPAN(" has no effect")),
                           SPAN("listen ADDRESS:PORT tls starttls, or leave it out"));
    }
}

void check_access(struct reader *r, const struct draft *d)
{
    const struct config_server *s = &d->server;

    if (d->damaged || r->top.damaged) return;
    check_logins(r, s);
    check_grants(r, s);
    check_clear(r, d);
    check_tls_used(r, s);
    if (s->profile != PROFILE_LEGACY_DEVICE) /* there it asks for a sender, which lets them in */
        check_connections(r, s, s->relay_networks, s->n_relay_networks, "relay-networks", d->relay_place);
    if (d->clear_auth_place.line)
        check_connections(r, s, s->clear_auth, s->n_clear_auth, "allow-cleartext-auth", d->clear_auth_place);
}
