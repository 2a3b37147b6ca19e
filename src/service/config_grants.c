/* Rights of the configuration that nobody has: their group, user, host or domain is not in the identity database. Only where that is all
 * that a server asks: what Dovecot, Kerberos or a domain of Active Directory call their users is not known here. */
#include "identity/list.h"
#include "sasl/mechanism.h"
#include "service/config_files_private.h"

struct wanted { /* a right line */
    const struct config_grant *grant;
    bool found;
};

struct look {
    struct wanted *wanted;
    uint32_t n;
    bool groups; /* rows are groups, not users */
};

/* A domain whose users somebody else vouches for, on that server. */
static bool vouched_for(const struct config *c, const struct config_server *s, struct span domain)
{
    for (uint32_t i = 0; i < c->kerberos.n_realms && (s->mechanisms & MECHANISM_KERBEROS); i++)
        if (span_eq(c->kerberos.realms[i].domain, domain)) return true;
    for (uint32_t i = 0; i < c->n_winbinds && (s->mechanisms & MECHANISM_BIT(MECHANISM_NTLM)); i++)
        if (span_eq(c->winbinds[i].domain, domain)) return true;
    return false;
}

static bool from_outside(const struct config *c, const struct config_server *s, const struct config_grant *g)
{
    size_t at = span_rfind(g->name, '@');
    switch ((enum config_grant_to)g->to) {
    case GRANT_TO_GROUP: return at != SPAN_NPOS || span_starts_nocase(g->name, SPAN("S-1-"));
    case GRANT_TO_USER: return vouched_for(c, s, span_skip(g->name, at + 1));
    case GRANT_TO_DOMAIN: return vouched_for(c, s, g->name);
    case GRANT_TO_HOST: return false;
    }
    return true;
}

static uint32_t collect(const struct config *c, struct wanted *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_servers; i++) {
        const struct config_server *s = &c->servers[i];
        if (s->login != CONFIG_LOGIN_DATABASE || s->access == ACCESS_ANONYMOUS) continue;
        for (uint32_t k = 0; k < s->n_grants; k++) {
            if (from_outside(c, s, &s->grants[k])) continue;
            if (ret) ret[n] = (struct wanted){.grant = &s->grants[k]};
            n++;
        }
    }
    return n;
}

static bool is_meant(const struct config_grant *g, struct span name, bool group)
{
    size_t at = span_rfind(name, '@');
    if ((g->to == GRANT_TO_GROUP) != group) return false;
    if (g->to == GRANT_TO_GROUP) return span_eq_nocase(g->name, name);
    if (g->to == GRANT_TO_DOMAIN) return at != SPAN_NPOS && span_eq(g->name, span_skip(name, at + 1));
    return span_eq(g->name, name);
}

static void on_row(void *context, const struct list_value *values, unsigned n)
{
    struct look *l = context;
    for (uint32_t i = 0; n && i < l->n; i++)
        l->wanted[i].found |= is_meant(l->wanted[i].grant, values[0].text, l->groups);
}

static void complain_of(const struct config_files *f, const struct config_grant *g)
{
    const char *name = config_files_text(g->name), *folder = config_files_text(f->config->users_folder);
    static const char *const what[] = {[GRANT_TO_USER] = "nobody is called ",
                                       [GRANT_TO_GROUP] = "there is no group ",
                                       [GRANT_TO_DOMAIN] = "nobody is of the domain ",
                                       [GRANT_TO_HOST] = "there is no host "};
    static const char *const how[] = {[GRANT_TO_USER] = "sallyport user add ",
                                      [GRANT_TO_GROUP] = "sallyport user group add ",
                                      [GRANT_TO_DOMAIN] = "sallyport user add NAME@",
                                      [GRANT_TO_HOST] = "sallyport user add --host "};
    config_report_add(
        f->report, CONFIG_WARNING, g->place,
        CONFIG_FILES_SAY(what[g->to], name, " among the users in ", folder, ": nobody has this right"),
        CONFIG_FILES_ADVISE(how[g->to], name));
}

void config_files_grants(const struct config_files *f, struct identity *i)
{
    const char *why;
    struct look l = {.n = collect(f->config, NULL)};
    if (!l.n) return;
    l.wanted = arena_take_array(f->report->arena, l.n, sizeof *l.wanted);
    if (!l.wanted) return;
    (void)collect(f->config, l.wanted);
    bool read = list_each(i, LIST_USERS, SPAN(""), on_row, &l, &why);
    l.groups = true;
    read = read && list_each(i, LIST_GROUPS, SPAN(""), on_row, &l, &why);
    for (uint32_t k = 0; read && k < l.n; k++) /* what cannot be read was said */
        if (!l.wanted[k].found) complain_of(f, l.wanted[k].grant);
}
