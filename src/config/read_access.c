/* read_access: the directives of server { } about who proves what, and what that permits. */
#include "base/utf8.h"
#include "config/reader_private.h"
#include "sasl/mechanism.h"
#include "smtp/domain.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static void read_mechanism(struct reader *r, const struct token *t, struct draft *d)
{
    struct config_server *s = &d->server;
    const struct mechanism_row *m = mechanism_find(t->text);
    uint8_t memory[256];
    struct buf all = buf_on(memory, sizeof memory);

    if (!m) {
        mechanism_put_names(&all, MECHANISM_ALL);
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(t->text), SPAN(" is no mechanism that is known here")),
                          PROBLEM_TEXT(r, SPAN("one of "), buf_span(&all)));
        return;
    }
    if ((MECHANISM_BIT(m->mechanism) & MECHANISM_TOKENS) && !d->tokens_place.line)
        d->tokens_place = reader_place(r, t);
    if ((MECHANISM_BIT(m->mechanism) & MECHANISM_KERBEROS) && !d->kerberos_place.line)
        d->kerberos_place = reader_place(r, t);
    if (m->mechanism == MECHANISM_CRAM_MD5) d->cram_place = reader_place(r, t);
    s->mechanisms |= MECHANISM_BIT(m->mechanism);
}

/* access ACCESS [mechanisms NAME ...] */
void read_access(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct token t;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    if (value_choice(r, &t, row->choices, &choice)) {
        d->server.access = (enum access)choice;
        d->access_given = true;
    }
    struct token at = r->token;
    if (!reader_word(r, "mechanisms")) return;
    if (d->access_given && d->server.access == ACCESS_ANONYMOUS)
        config_problem_at(r, &at, SPAN("anonymous clients prove nothing"),
                          SPAN("access both mechanisms ... (or authenticated), or leave mechanisms out"));
    if (!reader_argument(r, name, "a NAME behind mechanisms", &t)) return;
    d->mechanisms_given = true;
    read_mechanism(r, &t, d);
    while (reader_more(r, &t))
        read_mechanism(r, &t, d);
}

static bool grant_to(struct reader *r, struct config_grant *g)
{
    static const char *const words[] = {[GRANT_TO_USER] = "user",
                                        [GRANT_TO_GROUP] = "group",
                                        [GRANT_TO_DOMAIN] = "domain",
                                        [GRANT_TO_HOST] = "host"};
    for (uint8_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (reader_word(r, words[i])) {
            g->to = i;
            return true;
        }
    return false;
}

/* A group of ours, a SID, or NAME@DOMAIN: a group of a domain of Active Directory, which may be called anything. */
static bool grant_group(struct reader *r, const struct token *t, struct span *ret)
{
    struct span s = token_value(t, r->arena);
    size_t at = span_rfind(s, '@');

    if (at == SPAN_NPOS) return value_name(r, t, ret);
    if (at == 0 || s.n > LIMIT_GROUP_NAME_OCTETS || !utf8_valid(s) ||
        !domain_valid(span_skip(s, at + 1), false, false)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" is no group")),
                          SPAN("right submit to group \"Mail Users@example.org\""));
        return false;
    }
    *ret = arena_copy(r->arena, s);
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

static bool grant_name(struct reader *r, const struct token *t, struct config_grant *g)
{
    if (g->to == GRANT_TO_GROUP) return grant_group(r, t, &g->name);
    if (g->to == GRANT_TO_DOMAIN || g->to == GRANT_TO_HOST) return value_domain(r, t, false, &g->name);
    if (!value_pattern(r, t, PATTERN_ADDRESS, &g->name)) return false;
    if (span_find(g->name, '@') != SPAN_NPOS) return true;
    config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(t->text), SPAN(" is no user: a user has a domain")),
                      SPAN("right submit to user alice@example.org"));
    return false;
}

/* right RIGHT to group NAME | user NAME | domain DOMAIN | host NAME */
void read_right(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_server *s = &reader_draft(r)->server;
    struct config_grant g = {.place = reader_place(r, name)}, *grown;
    struct token t;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t) || !value_choice(r, &t, row->choices, &choice)) return;
    g.right = UINT32_C(1) << choice;
    if (!reader_word(r, "to") || !grant_to(r, &g)) {
        config_problem_at(r, name, SPAN("right needs to whom it is granted"),
                          SPAN("right submit to group staff"));
        return;
    }
    if (!reader_argument(r, name, "a NAME", &t) || !grant_name(r, &t, &g)) return;
    grown = reader_push(r, s->grants, &s->n_grants, sizeof g, LIMIT_CONFIG_GRANTS);
    if (!grown) return;
    s->grants = grown;
    grown[s->n_grants - 1] = g;
}

/* May it stand there? Says what is wrong when it may not. */
typedef bool network_fits_fn(struct reader *r, const struct token *t, const struct network *n);

static void read_networks(struct reader *r, const struct schema_row *row, const struct token *name,
                          network_fits_fn *fits, struct network **networks, uint32_t *count)
{
    struct token t;
    bool more = reader_argument(r, name, row->arguments, &t);

    for (; more; more = reader_more(r, &t)) {
        struct network n, *grown;
        if (!value_network(r, &t, &n) || !fits(r, &t, &n)) continue;
        grown = reader_push(r, *networks, count, sizeof n, LIMIT_CONFIG_NETWORKS);
        if (!grown) return;
        *networks = grown;
        grown[*count - 1] = n;
    }
}

static bool fits_clear_auth(struct reader *r, const struct token *t, const struct network *n)
{
    value_warn_clear_network(r, t, n);
    return true; /* how wide they are in all config/legacy says */
}

static bool fits_never_ban(struct reader *r, const struct token *t, const struct network *n)
{
    if (!network_union_too_wide(n, 1)) return true;
    config_problem_at(
        r, t,
        PROBLEM_TEXT(r, SPAN("network "), t->text,
                     SPAN(" is too wide: whoever guesses passwords there would never be banned")),
        SPAN("at most a /8 of IPv4 or a /32 of IPv6: list single hosts"));
    return false;
}

/* allow-cleartext-auth NETWORK ... */
void read_clear_auth(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    if (!d->clear_auth_place.line) d->clear_auth_place = reader_place(r, name);
    read_networks(r, row, name, fits_clear_auth, &d->server.clear_auth, &d->server.n_clear_auth);
}

/* never-ban NETWORK ... */
void read_never_ban(struct reader *r, const struct schema_row *row, const struct token *name)
{
    read_networks(r, row, name, fits_never_ban, &r->config->never_ban, &r->config->n_never_ban);
}

/* 10.0.0, 10.0.0.1-10.0.0.9: an address gone wrong */
static bool ends_in_number(struct span s)
{
    return s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9' && s.p[0] >= '0' && s.p[0] <= '9';
}

static bool is_domain(const struct token *t)
{
    struct span s = t->text.n && t->text.p[0] == '*' ? span_skip(t->text, 1) : t->text;
    struct address a;
    size_t slash = span_find(s, '/');

    if (s.n && s.p[0] == '.') s = span_skip(s, 1);
    return slash == SPAN_NPOS && !address_parse(s, &a) && domain_valid(s, true, false) && !ends_in_number(s);
}

static void read_connection_network(struct reader *r, const struct token *t, struct draft *d, bool allow)
{
    struct admission *a = &d->server.admission;
    struct admission_rule rule = {.allow = allow}, *grown;

    if (is_domain(t)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(t->text), SPAN(" is a domain")),
                          SPAN("connections deny name *.example.net, if the names of clients are meant"));
        return;
    }
    if (!value_network(r, t, &rule.network)) return;
    if (allow && !legacy_client(r, d, t, &rule.network)) return;
    grown = reader_push(r, a->rules, &a->n, sizeof rule, LIMIT_ADMISSION_RULES);
    if (!grown) return;
    a->rules = grown;
    grown[a->n - 1] = rule;
}

/* "mail.example.org", or "*.example.org": what is below it. */
static void read_connection_name(struct reader *r, const struct token *t, struct draft *d, bool allow)
{
    struct admission *a = &d->server.admission;
    struct admission_name rule = {.allow = allow}, *grown;
    struct token pattern = *t;
    struct network network;

    if (network_parse(t->text, &network)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(t->text), SPAN(" is a network, and no name")),
                          SPAN("a line of its own, without the word name"));
        return;
    }
    if (pattern.text.n > 1 && pattern.text.p[0] == '*' && pattern.text.p[1] == '.')
        pattern.text = span_skip(pattern.text, 1);
    if (!value_pattern(r, &pattern, 0, &rule.name)) return;
    rule.below = rule.name.p[0] == '.';
    if (rule.below) rule.name = span_skip(rule.name, 1);
    grown = reader_push(r, a->names, &a->n_names, sizeof rule, LIMIT_ADMISSION_RULES);
    if (!grown) return;
    a->names = grown;
    grown[a->n_names - 1] = rule;
}

/* connections allow | deny [name] NETWORK or NAME ... */
void read_connections(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct token t;
    uint64_t deny;

    if (!reader_argument(r, name, row->arguments, &t) || !value_choice(r, &t, "allow deny", &deny)) return;
    if (!d->admission_place.line) d->admission_place = reader_place(r, name);
    bool names = reader_word(r, "name");
    for (bool more = reader_argument(r, name, names ? "a NAME" : "a NETWORK", &t); more;
         more = reader_more(r, &t))
        (names ? read_connection_name : read_connection_network)(r, &t, d, !deny);
}

/* banner TEXT */
void read_banner(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    struct span text = token_value(&t, r->arena);
    bool good = text.n && text.n <= LIMIT_BANNER_OCTETS;
    for (size_t i = 0; good && i < text.n; i++)
        good = text.p[i] >= ' ' && text.p[i] < 0x7f; /* RFC 5321 4.2: textstring */
    if (good)
        reader_draft(r)->server.banner = text;
    else
        config_problem_at(r, &t, SPAN("the banner is not printable ASCII of 1 to 160 octets"),
                          SPAN("banner \"ESMTP ready\""));
}
