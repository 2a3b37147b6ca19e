/* Who logs in: what the identity database knows of him, which mechanisms he can use from there, and what he may do afterwards: by the
 * functions that the directory process asks (config/rights, sasl/mechanism, identity/find). */
#include "cmd/explain_private.h"
#include "config/rights.h"
#include "identity/list.h"
#include "sasl/mechanism.h"

enum { RIGHTS_SHOWN = EXPLAIN_STEPS - 64 };

bool explain_logged_in(const struct explain_call *x)
{
    return x->who.number != 0;
}

static bool refuse(struct explain_call *x, unsigned code, const char *enhanced, const char *text)
{
    explain_reply(x->e, code, enhanced, text);
    return false;
}

/* --- what it has that could prove it */

struct secrets {
    bool any_app;
    bool certificate; /* a key that is pinned, or authorities that could vouch for its name */
};

static void is_there(void *context, const struct list_value *values, unsigned n)
{
    (void)values;
    (void)n;
    *(bool *)context = true;
}

static struct secrets secrets_of(struct explain_call *x)
{
    struct secrets s = {.certificate = x->config->client_authorities.n > 0};
    const char *why;
    if (!x->exists) return s;
    (void)list_each(x->identity, LIST_CERTIFICATES, x->who.name, is_there, &s.certificate, &why);
    if (!x->who.app_password)
        (void)list_each(x->identity, LIST_APPS, x->who.name, is_there, &s.any_app, &why);
    return s;
}

/* What the account lacks for a mechanism; null: nothing, as far as this database says. */
static const char *lacks(const struct identity_principal *p, const struct secrets *s, enum mechanism m)
{
    switch (m) {
    case MECHANISM_SCRAM_SHA_256_PLUS:
    case MECHANISM_SCRAM_SHA_256:
        return p->scram_256.salt.n ? NULL : "it has no keys for that: they come with a new password";
    case MECHANISM_SCRAM_SHA_1_PLUS:
    case MECHANISM_SCRAM_SHA_1:
        return p->scram_1.salt.n ? NULL : "it has no keys for that: set its password with --scram-sha-1";
    case MECHANISM_NTLM: return p->has_nt ? NULL : "it has no NT hash: set its password with --nt";
    case MECHANISM_CRAM_MD5:
        return p->has_cram ? NULL : "it has nothing for that: set its password with --cram";
    case MECHANISM_PLAIN:
    case MECHANISM_LOGIN: return p->crypt.n || s->any_app ? NULL : "it has no password";
    case MECHANISM_EXTERNAL: return s->certificate ? NULL : "no certificate is pinned to it";
    case MECHANISM_OAUTHBEARER:
    case MECHANISM_XOAUTH2:
    case MECHANISM_GSSAPI:
    case MECHANISM_GSS_SPNEGO:
    case MECHANISM_COUNT: break;
    }
    return NULL; /* who vouches for it is somebody else */
}

/* Whether somebody else is asked when that mechanism is used. */
static const char *lacks_outside(const struct explain_call *x, enum mechanism m)
{
    bool domain = m == MECHANISM_NTLM && x->config->n_winbinds;
    bool kerberos = m == MECHANISM_GSSAPI || m == MECHANISM_GSS_SPNEGO;
    return x->server->login == CONFIG_LOGIN_DOVECOT || domain || kerberos
               ? NULL
               : "no outside authority is asked with it";
}

/* --- mechanisms */

static struct mechanism_facts facts_of(const struct explain_call *x)
{
    const struct config_server *s = x->server;
    return (struct mechanism_facts){.tls = x->tls,
                                    .clear =
                                        network_any_holds(s->clear_auth, s->n_clear_auth, &x->q->address),
                                    .binding = x->tls,
                                    .certificate = x->tls && x->q->certificate};
}

/* Those of the server, one by one. Returns those that could succeed; *offered: those that EHLO shows. */
static uint32_t explain_mechanisms(struct explain_call *x, uint32_t *offered)
{
    const struct mechanism_facts facts = facts_of(x);
    const struct secrets secrets = secrets_of(x);
    uint32_t usable = 0;
    *offered = mechanism_offered(x->server->mechanisms, &facts);
    for (unsigned m = 0; m < MECHANISM_COUNT; m++) {
        if (!(x->server->mechanisms & MECHANISM_BIT(m))) continue;
        const char *why_not = mechanism_why_not(m, &facts), *missing = NULL;
        if (x->exists) missing = x->outside ? lacks_outside(x, m) : lacks(&x->who, &secrets, m);
        if (!why_not && !missing) usable |= MECHANISM_BIT(m);
        struct buf *b = explain_begin(x->e, "auth");
        buf_str(b, mechanism_table[m].name);
        buf_str(b, why_not ? ": not offered: " : ": offered");
        if (why_not) buf_str(b, why_not);
        if (missing) buf_str(b, why_not ? "; and " : "; but ");
        if (missing) buf_str(b, missing);
        explain_field(x->e, "mechanism", span_str(mechanism_table[m].name));
        explain_flag(x->e, "offered", !why_not);
        if (x->exists) explain_flag(x->e, "possible", !why_not && !missing);
        explain_end(x->e, why_not   ? "mechanism.not-offered"
                          : missing ? "mechanism.no-secret"
                                    : "mechanism.offered");
    }
    uint32_t others = MECHANISM_ALL & ~x->server->mechanisms;
    struct buf *b = explain_begin(x->e, "auth");
    mechanism_put_names(b, others);
    buf_str(b, others ? ": not of this server (access ... mechanisms)" : "every mechanism is of this server");
    explain_end(x->e, "mechanism.not-configured");
    return usable;
}

/* --- the account */

static void put_to(struct buf *b, const struct rights_origin *origin)
{
    bool domain = origin->line && origin->line->to == GRANT_TO_DOMAIN;
    buf_str(b, origin->group.n ? "group " : domain ? "domain " : "the account itself");
    buf_put(b, domain ? origin->line->name : origin->group);
}

static const char *origin_rule(const struct rights_origin *origin)
{
    if (!origin->line) return origin->group.n ? "database.group" : "database.user";
    return origin->line->to == GRANT_TO_GROUP    ? "right.group"
           : origin->line->to == GRANT_TO_DOMAIN ? "right.domain"
           : origin->line->to == GRANT_TO_HOST   ? "right.host"
                                                 : "right.user";
}

static void put_origin(void *context, const struct rights_origin *origin)
{
    struct explain_call *x = context;
    const struct config_grant *line = origin->line;
    uint8_t memory[128];
    struct buf names = buf_on(memory, sizeof memory);
    if (x->e->n > RIGHTS_SHOWN) return; /* the decision has to have room */
    struct buf *b = explain_begin(x->e, "right");
    right_put_names(&names, origin->rights, ' ');
    buf_put(b, buf_span(&names));
    buf_str(b, line ? ": a line of the server, " : ": granted in the database, to ");
    if (line) {
        buf_put(b, line->place.file);
        buf_byte(b, ':');
        buf_u64(b, line->place.line);
        buf_str(b, ", to ");
    }
    put_to(b, origin);
    explain_names(x->e, "rights", buf_span(&names));
    explain_field(x->e, "group", origin->group);
    if (line) explain_place(x->e, &line->place);
    explain_end(x->e, origin_rule(origin));
}

/* Its groups, and those that the outside authority says. */
static bool add_groups(struct explain_call *x)
{
    struct identity_principal *p = &x->who;
    struct span said = x->q->groups ? span_str(x->q->groups) : SPAN("");
    struct span *all = arena_take_array(x->people->arena, p->n_groups + LIMIT_IDENTITY_GROUPS, sizeof *all);
    if (!all) return false;
    if (p->n_groups) memcpy(all, p->groups, p->n_groups * sizeof *all);
    p->groups = all;
    for (unsigned n = 0; said.n && n < LIMIT_IDENTITY_GROUPS; n++) {
        struct span group = span_head(said, span_find(said, ','));
        said = span_skip(said, group.n + 1);
        if (group.n) all[p->n_groups++] = group;
    }
    return true;
}

/* As service/login_who has it: the account of that name, else an outsider. */
static enum identity_found find_outside(struct explain_call *x)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (!identity_name(span_str(x->q->user), x->people->names.home, &b) || b.over) return IDENTITY_UNKNOWN;
    struct span name = arena_copy(x->people->arena, buf_span(&b));
    enum identity_found found = IDENTITY_UNREADABLE;
    if (name.p) found = identity_named(x->identity, PRINCIPAL_USER, name, x->people->arena, &x->who);
    if (found == IDENTITY_UNKNOWN && span_find(name, '@') != SPAN_NPOS) {
        identity_outsider(name, &x->who);
        found = IDENTITY_FOUND;
    }
    return found == IDENTITY_FOUND && !add_groups(x) ? IDENTITY_UNREADABLE : found;
}

/* Why nobody logs in under that name. */
static const struct {
    const char *account, *login, *text;
} no_account[] = {
    [EXPLAIN_NO_USER] = {"account.unknown", "login.unknown-user", ": there is no such account"},
    [EXPLAIN_NO_APP] = {"account.app-unknown", "login.unknown-user",
                        ": the account is there, and has no app password of that label"},
    [EXPLAIN_APP_EXPIRED] = {"account.app-expired", "login.app-expired", ": that app password has expired"},
    [EXPLAIN_APP_NETWORK] = {"account.app-network", "login.app-network",
                             ": that app password may not be used from there (sallyport user app list)"},
};

static enum identity_found find_inside(struct explain_call *x, uint64_t now)
{
    struct span said = span_str(x->q->user), home = x->people->names.home;
    size_t slash = span_find(said, '/');
    struct arena *a = x->people->arena;
    struct identity_principal p;
    enum identity_found found = identity_find(x->identity, said, home, &x->q->address, now, a, &p), user;
    if (found == IDENTITY_UNKNOWN &&
        slash == SPAN_NPOS) /* a host: that logs in by its certificate, never by saying its name */
        found = identity_find(x->identity, said, SPAN(""), &x->q->address, now, a, &p);
    if (found == IDENTITY_FOUND) x->who = p;
    if (found == IDENTITY_EXPIRED) x->missing = EXPLAIN_APP_EXPIRED;
    if (found == IDENTITY_ELSEWHERE) x->missing = EXPLAIN_APP_NETWORK;
    if (found != IDENTITY_UNKNOWN || slash == SPAN_NPOS) return found;
    user = identity_find(x->identity, span_head(said, slash), home, &x->q->address, now, a, &p);
    if (user == IDENTITY_FOUND) x->missing = EXPLAIN_NO_APP;
    return user == IDENTITY_UNREADABLE ? user : found;
}

static void put_account(struct explain_call *x, struct buf *b)
{
    const struct identity_principal *p = &x->who;
    buf_str(b, !x->exists                     ? no_account[x->missing].text
               : p->number & IDENTITY_OUTSIDE ? ": an outsider, in no database here"
               : p->kind == PRINCIPAL_HOST    ? ": a host"
                                              : ": a user");
    if (x->exists && x->outside) buf_str(b, ", for whom an outside authority vouches");
    if (p->app_password) buf_str(b, ", by an app password");
    for (uint32_t i = 0; i < p->n_groups; i++) {
        buf_str(b, i ? ", " : ", in the groups ");
        buf_put(b, p->groups[i]);
    }
    if (p->locked) buf_str(b, ", locked");
}

/* False: the database cannot be read, which is told. */
static bool find(struct explain_call *x, uint64_t now)
{
    enum identity_found found = IDENTITY_UNREADABLE;
    x->outside = x->q->outside || x->q->groups || x->server->login == CONFIG_LOGIN_DOVECOT;
    if (x->identity) found = x->outside ? find_outside(x) : find_inside(x, now);
    x->exists = found == IDENTITY_FOUND;
    struct buf *b = explain_begin(x->e, "account");
    buf_put(b, x->exists ? x->who.name : span_str(x->q->user));
    if (found == IDENTITY_UNREADABLE) {
        buf_str(b, ": the identity database cannot be read");
        if (x->identity_why) buf_str(b, ": ");
        if (x->identity_why) buf_str(b, x->identity_why);
        explain_end(x->e, "account.unreadable");
        return refuse(x, 454, "4.7.0", "Temporary authentication failure, try again later");
    }
    put_account(x, b);
    if (x->exists) explain_field(x->e, "name", x->who.name);
    if (x->exists) explain_flag(x->e, "locked", x->who.locked);
    explain_end(x->e, !x->exists                         ? no_account[x->missing].account
                      : x->who.number & IDENTITY_OUTSIDE ? "account.outside"
                                                         : "account.found");
    return true;
}

static void explain_rights(struct explain_call *x)
{
    const struct identity_principal *p = &x->who;
    const struct rights_subject subject = {.name = p->name,
                                           .groups = p->groups,
                                           .n_groups = p->n_groups,
                                           .grants = p->grants,
                                           .n_grants = p->n_grants};
    unsigned before = x->e->n;
    x->rights = rights_of(x->server, &subject, put_origin, x);
    if (x->e->n != before) return;
    struct buf *b = explain_begin(x->e, "right");
    buf_str(b, "none: nothing is granted to it, nor to a group of its");
    explain_end(x->e, "right.none");
}

/* --- logging in */

static bool decide(struct explain_call *x, uint32_t offered, uint32_t usable)
{
    static const char denied[] = "Authentication failed";
    const char *rule = NULL;
    struct buf *b = explain_begin(x->e, "login");
    if (!offered) {
        bool never = !x->server->mechanisms || !x->tls_possible;
        buf_str(b, never ? "this server offers no AUTH" : "this server offers no AUTH in such a session");
        if (!never && !x->tls) buf_str(b, "; with --tls: ");
        if (!never && !x->tls) mechanism_put_names(b, config_logins(x->server));
        explain_end(x->e, "login.not-offered");
        return never ? refuse(x, 502, "5.5.1", "AUTH is not available")
                     : refuse(x, 538, "5.7.11", "Encryption required: send STARTTLS first");
    }
    if (x->banned) {
        buf_str(b, "AUTH: the client's network is banned from logging in");
        explain_end(x->e, "login.banned");
        return refuse(x, 421, "4.7.0", "Too many failed logins from your address, try again later");
    }
    if (!x->exists)
        rule = no_account[x->missing].login;
    else if (!usable)
        rule = "login.no-secret";
    else if (x->who.locked)
        rule = "login.locked";
    else if (!rights_open_door(x->rights))
        rule = "login.no-right";
    buf_str(b, !rule        ? "AUTH: a proof of who it is opens the door: it has the right"
               : !x->exists ? "AUTH: whatever the password, for nobody logs in under that name"
               : !usable    ? "AUTH: it has nothing to prove itself by, with any mechanism that is offered"
               : x->who.locked
                   ? "AUTH: the account is locked (sallyport user unlock)"
                   : "AUTH: proof is no permission: it needs the right submit (sallyport user grant)");
    explain_end(x->e, rule ? rule : "login.accepted");
    return rule ? refuse(x, 535, "5.7.8", denied) : true;
}

bool explain_who(struct explain_call *x, uint64_t unix_seconds)
{
    uint32_t offered;
    bool asked = x->q->user != NULL;
    if (asked && !find(x, unix_seconds)) return false;
    if (!asked && !x->server->mechanisms) return true;
    uint32_t usable = explain_mechanisms(x, &offered);
    if (!asked) return true;
    if (x->exists) explain_rights(x);
    bool in = decide(x, offered, usable);
    if (!in) x->who = (struct identity_principal){0};
    return in;
}
