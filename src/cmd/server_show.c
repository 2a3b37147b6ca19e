/* What the servers are: the table of all, and everything of one with the line that says it. */
#include <stdio.h>

#include "cmd/server_private.h"
#include "config/schema.h"
#include "policy/right.h"
#include "sasl/mechanism.h"

enum { ROW_OCTETS = 16384, SHOWN_OCTETS = 4096, NAME_COLUMN = 35 };

static const char *const role_names[] = {"mx", "submission", "organisation", "gate"};
static const char *const tls_names[] = {"none", "starttls", "implicit"};
static const char *const profile_names[] = {"standard", "legacy-device"};
static const char *const login_names[] = {"database", "dovecot"};
static const char *const minimum_names[] = {[TLS_MINIMUM_1_0] = "1.0",
                                            [TLS_MINIMUM_1_1] = "1.1",
                                            [TLS_MINIMUM_1_2] = "1.2",
                                            [TLS_MINIMUM_1_3] = "1.3"};
static const char *const binding_names[] = {"allow", "none", "require"}; /* enum ntlm_bindings */

/* --- values */

static void put_listener(struct buf *b, const struct config_listener *l)
{
    bool v4 = address_is_v4(&l->address);
    if (!v4) buf_byte(b, '[');
    address_put(b, &l->address);
    buf_str(b, v4 ? ":" : "]:");
    buf_u64(b, l->port);
    buf_str(b, " tls ");
    buf_str(b, tls_names[l->tls]);
}

static void put_networks(struct buf *b, const struct network *n, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_byte(b, ' ');
        network_put(b, &n[i]);
    }
}

/* --- the table */

void server_put_json(struct buf *b, const char *key, struct span value)
{
    buf_str(b, b->n && b->p[b->n - 1] != '{' ? ",\"" : "\"");
    buf_str(b, key);
    buf_str(b, "\":\"");
    buf_json(b, value, SHOWN_OCTETS);
    buf_byte(b, '"');
}

static void put_json_networks(struct buf *b, const char *key, const struct network *n, uint32_t count)
{
    buf_str(b, ",\"");
    buf_str(b, key);
    buf_str(b, "\":[");
    for (uint32_t i = 0; i < count; i++) {
        buf_str(b, i ? ",\"" : "\"");
        network_put(b, &n[i]);
        buf_byte(b, '"');
    }
    buf_byte(b, ']');
}

static void list_json(struct buf *b, const struct config_server *s)
{
    char memory[SHOWN_OCTETS];
    struct buf text = buf_on(memory, sizeof memory);
    buf_byte(b, '{');
    server_put_json(b, "server", s->name);
    server_put_json(b, "role", span_str(role_names[s->role]));
    server_put_json(b, "profile", span_str(profile_names[s->profile]));
    server_put_json(b, "access", span_str(server_access_names[s->access]));
    buf_str(b, ",\"listeners\":[");
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        text.n = 0;
        address_put(&text, &s->listeners[i].address);
        buf_str(b, i ? ",{" : "{");
        server_put_json(b, "address", buf_span(&text));
        buf_str(b, ",\"port\":");
        buf_u64(b, s->listeners[i].port);
        server_put_json(b, "tls", span_str(tls_names[s->listeners[i].tls]));
        buf_byte(b, '}');
    }
    buf_str(b, s->require_tls ? "],\"require_tls\":true" : "],\"require_tls\":false");
    buf_str(b, ",\"mechanisms\":[");
    for (size_t m = 0, n = 0; m < MECHANISM_COUNT; m++) {
        if (!(s->mechanisms & MECHANISM_BIT(m))) continue;
        buf_str(b, n++ ? ",\"" : "\"");
        buf_str(b, mechanism_table[m].name);
        buf_byte(b, '"');
    }
    buf_str(b, config_logins(s) ? "],\"logins\":true" : "],\"logins\":false");
    buf_str(b, ",\"certificates\":[");
    for (uint32_t i = 0; i < s->n_certificates; i++) {
        buf_str(b, i ? ",\"" : "\"");
        buf_json(b, s->certificates[i].chain_file, SHOWN_OCTETS);
        buf_byte(b, '"');
    }
    buf_byte(b, ']');
    put_json_networks(b, "relay_networks", s->relay_networks, s->n_relay_networks);
    put_json_networks(b, "cleartext_auth", s->clear_auth, s->n_clear_auth);
    buf_str(b, ",\"domains\":");
    buf_u64(b, s->n_domains);
    buf_byte(b, '}');
}

static void list_text(struct buf *b, const struct config_server *s)
{
    buf_put(b, s->name);
    buf_str(b, "  access ");
    buf_str(b, server_access_names[s->access]);
    buf_str(b, "  role ");
    buf_str(b, role_names[s->role]);
    if (s->profile != PROFILE_STANDARD) buf_str(b, "  profile ");
    if (s->profile != PROFILE_STANDARD) buf_str(b, profile_names[s->profile]);
    if (s->require_tls) buf_str(b, "  require-tls");
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        buf_str(b, i ? "\n                  " : "\n    listens       ");
        put_listener(b, &s->listeners[i]);
    }
    for (uint32_t i = 0; i < s->n_certificates; i++) {
        buf_str(b, i ? "\n                  " : "\n    certificate   ");
        buf_put(b, s->certificates[i].chain_file);
    }
    buf_str(b, "\n    logins        ");
    mechanism_put_names(b, config_logins(s));
    if (!config_logins(s)) buf_str(b, s->mechanisms ? "none: no listener has TLS" : "none");
    if (s->n_clear_auth) buf_str(b, "\n    without TLS   ");
    put_networks(b, s->clear_auth, s->n_clear_auth);
    buf_str(b, "\n    relays for    ");
    if (config_logins(s)) buf_str(b, s->n_relay_networks ? "who has the right, and " : "who has the right");
    if (!config_logins(s) && !s->n_relay_networks) buf_str(b, "nobody");
    put_networks(b, s->relay_networks, s->n_relay_networks);
    buf_str(b, "\n    takes mail    ");
    if (s->n_domains) buf_put(b, s->domains[0].name);
    if (s->n_domains > 1) {
        buf_str(b, " and ");
        buf_u64(b, s->n_domains - 1);
        buf_str(b, s->n_domains == 2 ? " other domain" : " other domains");
    }
    if (!s->n_domains) buf_str(b, "for postmaster only");
}

int server_list(struct server_call *s)
{
    static char memory[ROW_OCTETS];
    for (uint32_t i = 0; i < s->load->config->n_servers; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        (s->v->json ? list_json : list_text)(&b, &s->load->config->servers[i]);
        printf("%.*s\n", SPAN_ARG(buf_span(&b)));
    }
    return fflush(stdout) == 0 ? EXIT_YES : EXIT_NO;
}

/* --- one, word for word */

struct page {
    const struct server_call *s;
    bool later;
    char memory[SHOWN_OCTETS];
    struct buf value; /* of the row that comes next */
};

/* One directive with its value; place: of the line that says it, line 0 when it is the default. */
static void row(struct page *p, const char *name, struct config_place place)
{
    static char memory[ROW_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (p->s->v->json) {
        buf_str(&b, p->later ? ",{" : "{");
        server_put_json(&b, "directive", span_str(name));
        server_put_json(&b, "value", buf_span(&p->value));
        if (place.line) {
            server_put_json(&b, "file", place.file);
            buf_str(&b, ",\"line\":");
            buf_u64(&b, place.line);
        }
        buf_byte(&b, '}');
        printf("%.*s", SPAN_ARG(buf_span(&b)));
    } else {
        buf_escaped(&b, buf_span(&p->value), SHOWN_OCTETS);
        printf("  %-*s  %.*s  (", NAME_COLUMN, name, SPAN_ARG(buf_span(&b)));
        b.n = 0;
        if (place.line) {
            buf_escaped(&b, place.file, SHOWN_OCTETS);
            printf("%.*s:%u)\n", SPAN_ARG(buf_span(&b)), place.line);
        } else {
            printf("default)\n");
        }
    }
    p->later = true;
    p->value = buf_on(p->memory, sizeof p->memory);
}

/* The same, where its name says the place. */
static void plain(struct page *p, const char *name, struct span value)
{
    bool own;
    struct config_place place = config_server_said(p->s->load->config, p->s->server, name, false, &own);
    buf_put(&p->value, value);
    row(p, name, place);
}

static void networks(struct page *p, const char *name, const struct network *n, uint32_t count)
{
    put_networks(&p->value, n, count);
    if (!count) buf_str(&p->value, "none");
    plain(p, name, SPAN(""));
}

static void yes_no(struct page *p, const char *name, bool yes)
{
    plain(p, name, yes ? SPAN("yes") : SPAN("no"));
}

static void listeners(struct page *p)
{
    const struct config_server *s = p->s->server;
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        put_listener(&p->value, &s->listeners[i]);
        if (s->listeners[i].n_proxy_from) buf_str(&p->value, " proxy from ");
        put_networks(&p->value, s->listeners[i].proxy_from, s->listeners[i].n_proxy_from);
        row(p, "listen", s->listeners[i].place);
    }
}

static void certificates(struct page *p)
{
    const struct config_server *s = p->s->server;
    for (uint32_t i = 0; i < s->n_certificates; i++) {
        buf_str(&p->value, "certificate ");
        buf_put(&p->value, s->certificates[i].chain_file);
        row(p, "tls", s->certificates[i].place);
    }
}

static void access_of(struct page *p)
{
    const struct config_server *s = p->s->server;
    buf_str(&p->value, server_access_names[s->access]);
    if (s->mechanisms) buf_str(&p->value, " mechanisms ");
    mechanism_put_names(&p->value, s->mechanisms);
    if (s->mechanisms && !config_logins(s))
        buf_str(&p->value, ": nobody can log in, for no listener has TLS");
    plain(p, "access", SPAN(""));
    static const char *const to[] = {[GRANT_TO_USER] = " to user ",
                                     [GRANT_TO_GROUP] = " to group ",
                                     [GRANT_TO_DOMAIN] = " to domain ",
                                     [GRANT_TO_HOST] = " to host "};
    for (uint32_t i = 0; i < s->n_grants; i++) {
        right_put_names(&p->value, s->grants[i].right, ' ');
        buf_str(&p->value, to[s->grants[i].to]);
        buf_put(&p->value, s->grants[i].name);
        row(p, "right", s->grants[i].place);
    }
}

/* Of profile legacy-device: who sends as whom without logging in. */
static void senders(struct page *p)
{
    const struct config_server *s = p->s->server;
    for (uint32_t i = 0; i < s->n_pins; i++) {
        buf_put(&p->value, s->pins[i].sender);
        buf_str(&p->value, " from ");
        network_put(&p->value, &s->pins[i].from);
        row(p, "sender", s->pin_places[i]);
    }
}

static void connections(struct page *p)
{
    const struct admission *a = &p->s->server->admission;
    for (uint32_t i = 0; i < a->n; i++) {
        if (i) buf_byte(&p->value, ' ');
        buf_str(&p->value, a->rules[i].allow ? "allow " : "deny ");
        network_put(&p->value, &a->rules[i].network);
    }
    for (uint32_t i = 0; i < a->n_names; i++) {
        if (i || a->n) buf_byte(&p->value, ' ');
        buf_str(&p->value, a->names[i].allow ? "allow name " : "deny name ");
        admission_name_put(&p->value, &a->names[i]);
    }
    plain(p, "connections", a->n || a->n_names ? SPAN("") : SPAN("everybody"));
}

static void domains(struct page *p)
{
    const struct config_server *s = p->s->server;
    for (uint32_t i = 0; i < s->n_domains; i++) {
        buf_put(&p->value, s->domains[i].name);
        if (s->domains[i].any) buf_str(&p->value, " any");
        row(p, "recipients", s->domains[i].place);
    }
}

static void limits(struct page *p)
{
    const uint8_t *all = (const uint8_t *)&p->s->server->limits;
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *r = &schema_table[i];
        struct config_rate rate;
        uint32_t narrow;
        uint64_t v;
        bool own;
        if (r->where != SCHEMA_LIMITS) continue;
        if (r->type == SCHEMA_OWN) {
            memcpy(&rate, all + r->offset, sizeof rate);
            buf_u64(&p->value, rate.count);
            buf_str(&p->value, " per ");
            schema_amount(&p->value, SCHEMA_DURATION, rate.seconds);
        } else {
            memcpy(&narrow, all + r->offset, sizeof narrow);
            memcpy(&v, all + r->offset, sizeof v);
            if (r->octets == 4) v = narrow;
            if (r->type == SCHEMA_CHOICE)
                buf_str(&p->value, v == CONFIG_YES ? "yes" : "no");
            else
                schema_amount(&p->value, r->type, v);
        }
        struct config_place place = config_server_said(p->s->load->config, p->s->server, r->name, true, &own);
        char name[NAME_COLUMN + 16];
        snprintf(name, sizeof name, "limits %s", r->name);
        row(p, name, place);
    }
}

int server_show(struct server_call *s)
{
    static struct page page;
    struct page *p = &page;
    const struct config_server *of = s->server;
    bool own;

    page = (struct page){.s = s, .value = buf_on(page.memory, sizeof page.memory)};
    struct config_place hostname = config_server_said(s->load->config, of, "hostname", false, &own);
    if (!own) hostname = config_said(s->load->config, "hostname");
    if (s->v->json)
        printf("{\"server\":\"%.*s\",\"said\":[", SPAN_ARG(of->name)); /* letters, digits, - _ . */
    else
        printf("server %.*s\n", SPAN_ARG(of->name));
    plain(p, "role", span_str(role_names[of->role]));
    plain(p, "profile", span_str(profile_names[of->profile]));
    access_of(p);
    senders(p);
    if (schema_find(SPAN("login"), SCHEMA_SERVER)) plain(p, "login", span_str(login_names[of->login]));
    plain(p, "ntlm-channel-binding", span_str(binding_names[of->ntlm_bindings]));
    listeners(p);
    certificates(p);
    plain(p, "tls-minimum", span_str(minimum_names[of->tls_minimum]));
    yes_no(p, "require-tls", of->require_tls);
    yes_no(p, "name-authorities", of->name_authorities);
    networks(p, "allow-cleartext-auth", of->clear_auth, of->n_clear_auth);
    networks(p, "relay-networks", of->relay_networks, of->n_relay_networks);
    connections(p);
    domains(p);
    yes_no(p, "from-lock", of->from_lock);
    buf_put(&p->value, of->hostname);
    row(p, "hostname", hostname);
    plain(p, "banner", of->banner.n ? of->banner : SPAN("ESMTP ready"));
    plain(p, "early-talkers", of->early_talker_refuse ? SPAN("refuse") : SPAN("allow"));
    yes_no(p, "normalize-bare-lf", of->normalize_bare_lf);
    if (of->role == ROLE_GATE) plain(p, "backend", of->backend);
    limits(p);
    if (s->v->json) printf("]}\n");
    return fflush(stdout) == 0 ? EXIT_YES : EXIT_NO;
}
