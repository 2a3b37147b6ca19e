/* finish: what was not said. Defaults, what a server takes from the top level, lists in their final order. */
#include "base/buf.h"
#include "config/reader_private.h"
#include "sasl/mechanism.h"

static struct span path_join(struct reader *r, struct span folder, struct span name)
{
    uint8_t memory[LIMIT_CONFIG_PATH_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory);

    buf_put(&b, folder);
    if (folder.n && folder.p[folder.n - 1] != '/') buf_byte(&b, '/');
    buf_put(&b, name);
    struct span joined = b.over ? span_of(NULL, 0) : arena_copy(r->arena, buf_span(&b));
    r->no_memory |= !joined.p;
    return joined;
}

static void finish_paths(struct reader *r)
{
    struct config *c = r->config;
    struct span main_file = r->sources[0].name;
    size_t slash = span_rfind(main_file, '/');
    struct span folder = slash == SPAN_NPOS ? SPAN(".")
                         : slash == 0       ? SPAN("/")
                                            : span_head(main_file, slash);
    bool fhs = span_eq(folder, SPAN("/etc/sallyport"));

    c->users_given = c->users_folder.n > 0;
    c->aliases_given = c->aliases_file.n > 0;
    if (!c->spool_folder.n)
        c->spool_folder = fhs ? SPAN("/var/spool/sallyport") : path_join(r, folder, SPAN("spool"));
    c->trust_anchor_given = c->trust_anchor.n > 0;
    if (!c->trust_anchor.n) c->trust_anchor = SPAN("/usr/share/dns/root.key");
    c->authorities_given = c->authorities.n > 0;
    if (!c->authorities.n) c->authorities = SPAN("/etc/ssl/certs/ca-certificates.crt");
    if (!c->users_folder.n)
        c->users_folder = fhs ? SPAN("/var/lib/sallyport/users") : path_join(r, folder, SPAN("users"));
    if (!c->aliases_file.n)
        c->aliases_file = fhs ? SPAN("/etc/aliases") : path_join(r, folder, SPAN("aliases"));
    if (!c->control_socket.n)
        c->control_socket =
            fhs ? SPAN("/run/sallyport/control.sock") : path_join(r, folder, SPAN("control.sock"));
    if (!c->hostname.n) c->hostname = SPAN("localhost");
}

/* An empty configuration is a working server on the loopback. */
static void finish_servers(struct reader *r)
{
    if (r->n_drafts || r->failed) return;
    struct draft *d = arena_take(r->arena, sizeof *d);
    struct config_listener *l = arena_take(r->arena, sizeof *l);

    if (!d || !l) {
        r->no_memory = true;
        return;
    }
    (void)address_parse(SPAN("127.0.0.1"), &l->address);
    l->port = 2525;
    l->place = (struct config_place){r->sources[0].name, 1, 1};
    d->server.name = SPAN("local");
    d->server.listeners = l;
    d->server.n_listeners = 1;
    d->server.place = l->place;
    d->early = 2;
    d->implied = true;
    r->drafts = d;
    r->n_drafts = 1;
}

static uint64_t member_get(const uint8_t *p, unsigned octets)
{
    uint32_t narrow;
    uint64_t wide;

    if (octets == 4) {
        memcpy(&narrow, p, 4);
        return narrow;
    }
    memcpy(&wide, p, 8);
    return wide;
}

static void finish_rate(struct config_rate *own, const struct config_rate *top, uint32_t count,
                        uint32_t seconds)
{
    if (!own->limited) *own = *top;
    if (!own->limited) *own = (struct config_rate){.limited = true, .count = count, .seconds = seconds};
}

static void finish_rates(struct config_limits *own, const struct config_limits *top)
{
    finish_rate(&own->connections_rate, &top->connections_rate, LIMIT_CONNECTIONS_PER_MINUTE_DEFAULT, 60);
    finish_rate(&own->messages_per_source, &top->messages_per_source, LIMIT_SOURCE_MESSAGES_PER_HOUR_DEFAULT,
                3600);
    finish_rate(&own->recipients_per_source, &top->recipients_per_source,
                LIMIT_SOURCE_RECIPIENTS_PER_HOUR_DEFAULT, 3600);
    finish_rate(&own->messages_per_principal, &top->messages_per_principal,
                LIMIT_PRINCIPAL_MESSAGES_PER_HOUR_DEFAULT, 3600);
    finish_rate(&own->recipients_per_principal, &top->recipients_per_principal,
                LIMIT_PRINCIPAL_RECIPIENTS_PER_HOUR_DEFAULT, 3600);
}

/* No limit can be 0, so 0 is "not said": then the top level's word counts, then the default. */
static void finish_limits(struct config_limits *own, const struct config_limits *top)
{
    bool session_size = own->session_octets || top->session_octets;

    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema_table[i];
        uint8_t *member = (uint8_t *)own + row->offset;
        if (!(row->where & SCHEMA_LIMITS) || !row->octets) continue;
        uint64_t v = member_get(member, row->octets);
        if (!v) v = member_get((const uint8_t *)top + row->offset, row->octets);
        if (!v) v = row->fallback;
        if (row->octets == 4) memcpy(member, &(uint32_t){(uint32_t)v}, 4);
        if (row->octets == 8) memcpy(member, &v, 8);
    }
    if (!session_size && own->session_octets < own->message_octets) own->session_octets = own->message_octets;
    finish_rates(own, top);
    if (!own->sessions_per_loopback_source) own->sessions_per_loopback_source = own->sessions_per_source;
}

/* Whose certificates a server has that names none: those of the top level, else of the first server that has some; null: there are none. */
static const struct config_server *with_certificates(const struct reader *r)
{
    if (r->top.server.n_certificates) return &r->top.server;
    for (uint32_t i = 0; i < r->n_drafts; i++)
        if (r->drafts[i].server.n_certificates) return &r->drafts[i].server;
    return NULL;
}

static void finish_tls(struct reader *r, struct draft *d)
{
    struct config_server *s = &d->server;
    const struct config_server *others = with_certificates(r);
    bool own = s->n_certificates > 0, needs = false;
    enum config_tls mode = TLS_NONE;

    if (d->tls_given)
        mode = d->tls_mode;
    else if (own)
        mode = TLS_STARTTLS;
    else if (r->top.tls_given)
        mode = r->top.tls_mode;
    else if (others)
        mode = TLS_STARTTLS;
    for (uint32_t i = 0; i < s->n_listeners; i++) {
        if (!s->listeners[i].tls_given) s->listeners[i].tls = mode;
        needs |= s->listeners[i].tls != TLS_NONE;
    }
    if (own || !needs || !others) return;
    s->certificates = others->certificates;
    s->n_certificates = others->n_certificates;
}

static void finish_role(struct draft *d, uint32_t offered)
{
    struct config_server *s = &d->server;

    if (!d->role_given)
        s->role = d->access_given && s->access == ACCESS_AUTHENTICATED ? ROLE_SUBMISSION : ROLE_MX;
    if (!d->access_given)
        s->access = s->role == ROLE_SUBMISSION || s->role == ROLE_ORGANISATION ? ACCESS_AUTHENTICATED
                                                                               : ACCESS_ANONYMOUS;
    if (s->access != ACCESS_ANONYMOUS && !d->mechanisms_given)
        s->mechanisms = s->login == CONFIG_LOGIN_DOVECOT ? MECHANISM_PASSWORDS : offered;
    s->early_talker_refuse = d->early == 2 ? s->role == ROLE_MX : d->early == 1;
    s->normalize_bare_lf = d->normalize;
    s->require_tls = d->require_tls;
    s->name_authorities = d->name_authorities;
    s->from_lock = !d->from_free;
}

/* --- lists */

static void warn_double_domain(struct reader *r, const struct config_domain *first,
                               const struct config_domain *again)
{
    config_problem_add(r, CONFIG_WARNING, again->place,
                       PROBLEM_TEXT(r, SPAN("domain "), again->name, SPAN(" was named already at "),
                                    config_problem_place(r, &first->place)),
                       first->any == again->any
                           ? SPAN("once is enough")
                           : SPAN("keep one: with any said once, everybody exists there"));
}

/* Sorted, without doubles; "any" said once counts. */
static void sort_domains(struct reader *r, struct config_server *s, bool warn)
{
    uint32_t kept = 0;

    if (!names_sort(r->arena, s->domains, s->n_domains, sizeof *s->domains)) {
        r->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < s->n_domains; i++) {
        if (kept && span_eq(s->domains[kept - 1].name, s->domains[i].name)) {
            if (warn) warn_double_domain(r, &s->domains[kept - 1], &s->domains[i]);
            s->domains[kept - 1].any |= s->domains[i].any;
            continue;
        }
        s->domains[kept++] = s->domains[i];
    }
    s->n_domains = kept;
}

static void join_domains(struct reader *r, struct config_server *to, const struct config_server *from)
{
    if (!from->n_domains || r->no_memory) return;
    struct config_domain *all =
        arena_take_array(r->arena, (size_t)to->n_domains + from->n_domains, sizeof *all);

    if (!all) {
        r->no_memory = true;
        return;
    }
    if (to->n_domains) memcpy(all, to->domains, to->n_domains * sizeof *all);
    memcpy(all + to->n_domains, from->domains, from->n_domains * sizeof *all);
    to->domains = all;
    to->n_domains += from->n_domains;
    sort_domains(r, to, false);
}

/* All domains that are served anywhere, in r->every; then what each server serves. */
static void finish_domains(struct reader *r)
{
    sort_domains(r, &r->top.server, true);
    join_domains(r, &r->every, &r->top.server);
    for (uint32_t i = 0; i < r->n_drafts; i++) {
        struct config_server *s = &r->drafts[i].server;
        sort_domains(r, s, true);
        if (s->role == ROLE_GATE) continue;
        join_domains(r, &r->every, s);
        if (s->role == ROLE_MX) join_domains(r, s, &r->top.server);
    }
    for (uint32_t i = 0; i < r->n_drafts; i++) {
        struct config_server *s = &r->drafts[i].server;
        if (s->role != ROLE_SUBMISSION && s->role != ROLE_ORGANISATION) continue;
        s->domains = r->every.domains;
        s->n_domains = r->every.n_domains;
    }
}

static void finish_said(struct reader *r)
{
    struct config_place *said = arena_take_array(r->arena, schema_rows, sizeof *said);

    r->config->file = r->sources[0].name;
    r->config->said = said;
    r->no_memory |= !said;
    for (size_t i = 0; said && i < schema_rows; i++) {
        said[i] = r->top.said[i];
        if (!said[i].line) said[i].file = r->config->file;
    }
}

static void finish_server_said(struct reader *r, struct draft *d)
{
    struct config_place *said = arena_take_array(r->arena, schema_rows, sizeof *said);

    d->server.said = said;
    r->no_memory |= !said;
    if (said) memcpy(said, d->said, schema_rows * sizeof *said);
}

struct config_place config_said(const struct config *c, const char *directive)
{
    const struct schema_row *row = schema_find(span_str(directive), SCHEMA_TOP);

    return row ? c->said[row - schema_table] : (struct config_place){.file = c->file};
}

struct config_place config_server_said(const struct config *c, const struct config_server *s,
                                       const char *directive, bool limit, bool *own)
{
    const struct schema_row *row = schema_find(span_str(directive), limit ? SCHEMA_LIMITS : SCHEMA_SERVER);
    struct config_place nowhere = {.file = c->file};

    *own = row && s->said[row - schema_table].line;
    if (*own) return s->said[row - schema_table];
    if (!row || !(row->where & (limit ? SCHEMA_LIMITS : SCHEMA_TOP))) return nowhere;
    if (s->said[row - schema_table].column == CONFIG_PLACE_DEFAULT) return nowhere;
    return c->said[row - schema_table];
}

static void finish_never_ban(struct reader *r)
{
    struct config *c = r->config;
    if (c->n_never_ban) return;
    c->never_ban = arena_take_array(r->arena, 2, sizeof *c->never_ban);
    if (!c->never_ban) {
        r->no_memory = true;
        return;
    }
    (void)network_parse(SPAN("127.0.0.0/8"), &c->never_ban[0]);
    (void)network_parse(SPAN("::1"), &c->never_ban[1]);
    c->n_never_ban = 2;
}

bool finish_config(struct reader *r)
{
    struct config *c = r->config;

    finish_said(r);
    finish_paths(r);
    finish_never_ban(r);
    finish_servers(r);
    finish_tokens(r);
    finish_kerberos(r);
    const uint32_t offered = MECHANISM_DEFAULT | (c->tokens.given ? MECHANISM_TOKENS : 0) |
                             (c->kerberos.given ? MECHANISM_KERBEROS : 0);
    for (uint32_t i = 0; i < r->n_drafts; i++) {
        struct draft *d = &r->drafts[i];
        finish_legacy(r, d);
        finish_role(d, offered);
        finish_tls(r, d);
        d->admission_clashes = !admission_finish(&d->server.admission, &d->admission_clash);
        finish_limits(&d->server.limits, &r->top.server.limits);
        if (!d->server.hostname.n) d->server.hostname = c->hostname;
        finish_server_said(r, d);
    }
    finish_domains(r);
    finish_routes(r);
    c->servers = arena_take_array(r->arena, r->n_drafts ? r->n_drafts : 1, sizeof *c->servers);
    if (!c->servers || r->no_memory) {
        r->no_memory = true;
        return false;
    }
    for (uint32_t i = 0; i < r->n_drafts; i++)
        c->servers[i] = r->drafts[i].server;
    c->n_servers = r->n_drafts;
    return true;
}
