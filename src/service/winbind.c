#include "service/winbind.h"

#include <dlfcn.h>
#include <pwd.h> /* before wbclient.h, which names what it does not include */
#include <stdlib.h>
#include <wbclient.h>

/* --- the library */

static struct {
    __typeof__(wbcCtxCreate) *create;
    __typeof__(wbcCtxFree) *free;
    __typeof__(wbcCtxAuthenticateUserEx) *authenticate;
    __typeof__(wbcCtxLookupSids) *lookup_sids;
    __typeof__(wbcStringToSid) *string_to_sid;
    __typeof__(wbcFreeMemory) *free_memory;
    __typeof__(wbcSetClientProcessName) *set_name;
} library;

const char *winbind_load(void)
{
    static const struct {
        const char *name;
        void *to;
    } wanted[] = {{"wbcCtxCreate", &library.create},
                  {"wbcCtxFree", &library.free},
                  {"wbcCtxAuthenticateUserEx", &library.authenticate},
                  {"wbcCtxLookupSids", &library.lookup_sids},
                  {"wbcStringToSid", &library.string_to_sid},
                  {"wbcFreeMemory", &library.free_memory},
                  {"wbcSetClientProcessName", &library.set_name}};
    void *it = dlopen("libwbclient.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!it) return "the library libwbclient.so.0 cannot be loaded (Debian: libwbclient0)";
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = dlsym(it, wanted[i].name);
        if (!found) return "libwbclient.so.0 is too old";
        memcpy(wanted[i].to, &found, sizeof found); /* POSIX: an object pointer holds a function's */
    }
    library.set_name("sallyport");
    return NULL;
}

struct winbind {
    const struct config *config;
    struct wbcContext *context;
};

struct winbind *winbind_create(const struct config *c)
{
    struct winbind *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    *w = (struct winbind){c, library.create()};
    if (!w->context) winbind_free(&w);
    return w;
}

void winbind_free(struct winbind **winbind)
{
    struct winbind *w = *winbind;
    if (!w) return;
    *winbind = NULL;
    if (w->context) library.free(w->context);
    free(w);
}

/* --- what it says */

/* MS-ERREF 2.3.1. What is not of an account says that nobody checked it. */
static enum domain_status status_of(uint32_t nt_status)
{
    switch (nt_status) {
    case 0xc000006a: /* WRONG_PASSWORD */
    case 0xc000006d: /* LOGON_FAILURE */ return DOMAIN_WRONG_SECRET;
    case 0xc0000064: /* NO_SUCH_USER */
    case 0xc00000df: /* NO_SUCH_DOMAIN */ return DOMAIN_UNKNOWN_USER;
    case 0xc0000234: /* ACCOUNT_LOCKED_OUT */ return DOMAIN_LOCKED;
    case 0xc0000072: /* ACCOUNT_DISABLED */ return DOMAIN_DISABLED;
    case 0xc0000193: /* ACCOUNT_EXPIRED */
    case 0xc0000071: /* PASSWORD_EXPIRED */ return DOMAIN_EXPIRED;
    case 0xc0000224: /* PASSWORD_MUST_CHANGE */ return DOMAIN_MUST_CHANGE;
    case 0xc000006e: /* ACCOUNT_RESTRICTION */
    case 0xc000006f: /* INVALID_LOGON_HOURS */
    case 0xc0000070: /* INVALID_WORKSTATION */
    case 0xc000015b: /* LOGON_TYPE_NOT_GRANTED */
    case 0xc0000198: /* NOLOGON_INTERDOMAIN_TRUST_ACCOUNT */
    case 0xc0000199: /* NOLOGON_WORKSTATION_TRUST_ACCOUNT */
    case 0xc000019a: /* NOLOGON_SERVER_TRUST_ACCOUNT */
    case 0xc0000413: /* AUTHENTICATION_FIREWALL_FAILED */ return DOMAIN_RESTRICTED;
    default: return DOMAIN_UNAVAILABLE;
    }
}

static void say(struct winbind_report *r, const char *text)
{
    size_t n = 0;
    for (; text[n] && n < sizeof r->text - 1; n++)
        r->text[n] = text[n];
    r->text[n] = 0;
}

static enum domain_status failed(wbcErr e, const struct wbcAuthErrorInfo *error,
                                 struct winbind_report *report)
{
    if (e != WBC_ERR_AUTH_ERROR || !error) {
        say(report, e == WBC_ERR_WINBIND_NOT_AVAILABLE ? "winbindd does not answer" : "libwbclient failed");
        return DOMAIN_UNAVAILABLE;
    }
    say(report, error->nt_string ? error->nt_string : "no status");
    return status_of(error->nt_status);
}

/* --- who is let in without an account */

enum { AUTHORITY_NT = 5, RID_BUILTIN = 32, RID_GUESTS = 546, RID_DOMAIN = 21, RID_GUEST = 501 };
enum { RID_ANONYMOUS = 7, RID_DOMAIN_GUESTS = 514 };

/* MS-DTYP 2.4.2.4: S-1-5-7, S-1-5-32-546, S-1-5-21-...-501 and -514. */
static bool is_guest(const struct wbcDomainSid *s)
{
    static const uint8_t nt[6] = {0, 0, 0, 0, 0, AUTHORITY_NT};
    if (memcmp(s->id_auth, nt, sizeof nt) != 0 || s->num_auths < 1 || s->num_auths > WBC_MAXSUBAUTHS)
        return false;
    uint32_t last = s->sub_auths[s->num_auths - 1];
    if (s->num_auths == 1) return last == RID_ANONYMOUS;
    if (s->num_auths == 2) return s->sub_auths[0] == RID_BUILTIN && last == RID_GUESTS;
    return s->sub_auths[0] == RID_DOMAIN && (last == RID_GUEST || last == RID_DOMAIN_GUESTS);
}

/* Null: an account of the domain, with its password. */
static const char *doubt(const struct wbcAuthUserInfo *info, enum domain_status *ret)
{
    static const uint8_t none[sizeof info->user_session_key];
    *ret = DOMAIN_GUEST;
    if (info->user_flags & WBC_AUTH_USER_INFO_GUEST) return "let in as a guest";
    if (info->num_sids == 0) return "an account without a SID";
    for (uint32_t i = 0; i < info->num_sids; i++)
        if (is_guest(&info->sids[i].sid)) return "a member of the guests";
    *ret = DOMAIN_REFUSED;
    if (info->user_flags & WBC_AUTH_USER_INFO_USED_LM_PASSWORD) return "proven by an LM response";
    if (memcmp(info->user_session_key, none, sizeof none) == 0) return "no session key";
    if (!info->account_name || !info->account_name[0] || !info->domain_name || !info->domain_name[0])
        return "no name of the account";
    return NULL;
}

/* --- its groups */

struct members { /* of an answer */
    const struct winbind *winbind;
    const char *domain;        /* of the account */
    struct wbcDomainSid *sids; /* the account's first */
    uint32_t n;
    struct wbcDomainInfo *domains; /* null, as names: they are not known */
    int n_domains;
    struct wbcTranslatedName *names;
};

static bool same_sid(const struct wbcDomainSid *a, const struct wbcDomainSid *b)
{
    return a->sid_rev_num == b->sid_rev_num && a->num_auths == b->num_auths &&
           a->num_auths <= WBC_MAXSUBAUTHS && memcmp(a->id_auth, b->id_auth, sizeof a->id_auth) == 0 &&
           memcmp(a->sub_auths, b->sub_auths, a->num_auths * sizeof a->sub_auths[0]) == 0;
}

static bool same_domain(const struct wbcDomainSid *a, const struct wbcDomainSid *b)
{
    struct wbcDomainSid x = *a, y = *b;
    if (x.num_auths < 1 || x.num_auths != y.num_auths || x.num_auths > WBC_MAXSUBAUTHS) return false;
    x.sub_auths[x.num_auths - 1] = y.sub_auths[y.num_auths - 1] = 0;
    return same_sid(&x, &y);
}

/* On a domain controller winbindd does not say that a group is of its own domain: then its SID does. Null: not known. */
static const char *domain_of(const struct members *m, uint32_t i)
{
    int which = m->names[i].domain_index;
    if (which >= 0 && which < m->n_domains) return m->domains[which].short_name;
    return same_domain(&m->sids[i], &m->sids[0]) ? m->domain : NULL;
}

/* group: NAME@DOMAIN, DOMAIN as a winbind line has it. */
static bool has_name(const struct members *m, uint32_t i, struct span group)
{
    const struct wbcTranslatedName *t = &m->names[i];
    size_t at = span_rfind(group, '@');
    bool is_group = t->type == WBC_SID_NAME_DOM_GRP || t->type == WBC_SID_NAME_ALIAS;
    const char *domain = is_group && t->name ? domain_of(m, i) : NULL;
    if (!domain || !domain[0] || !span_eq_nocase(span_head(group, at), span_str(t->name))) return false;
    const struct config_winbind *w = config_winbind_of(m->winbind->config, span_str(domain));
    return w && span_eq_nocase(span_skip(group, at + 1), w->domain);
}

static bool is_member(const struct members *m, struct span group)
{
    char text[LIMIT_GROUP_NAME_OCTETS + 1];
    struct wbcDomainSid sid;
    bool named = span_rfind(group, '@') != SPAN_NPOS, by_sid = false;
    if (group.n > LIMIT_GROUP_NAME_OCTETS || (named && !m->names)) return false;
    memcpy(text, group.p, group.n);
    text[group.n] = 0;
    if (!named) by_sid = library.string_to_sid(text, &sid) == WBC_ERR_SUCCESS;
    for (uint32_t i = 0; i < m->n; i++)
        if (named ? has_name(m, i, group) : by_sid && same_sid(&sid, &m->sids[i])) return true;
    return false;
}

static void add_group(const struct members *m, struct span group, struct domain_answer *ret, bool *cut)
{
    for (uint16_t i = 0; i < ret->n_groups; i++)
        if (span_eq(ret->groups[i], group)) return;
    if (!is_member(m, group)) return;
    if (ret->n_groups < LIMIT_IDENTITY_GROUPS)
        ret->groups[ret->n_groups++] = group;
    else
        *cut = true;
}

static bool any_by_name(const struct config *c)
{
    for (uint32_t s = 0; s < c->n_servers; s++)
        for (uint32_t i = 0; i < c->servers[s].n_grants; i++) {
            const struct config_grant *g = &c->servers[s].grants[i];
            if (g->to == GRANT_TO_GROUP && span_find(g->name, '@') != SPAN_NPOS) return true;
        }
    return false;
}

/* Of the groups that somebody is in those that `right` lines name; the others are nobody's business here. */
static void add_groups(const struct members *m, struct domain_answer *ret, bool *cut)
{
    const struct config *c = m->winbind->config;
    for (uint32_t s = 0; s < c->n_servers; s++)
        for (uint32_t i = 0; i < c->servers[s].n_grants; i++) {
            const struct config_grant *g = &c->servers[s].grants[i];
            if (g->to == GRANT_TO_GROUP) add_group(m, g->name, ret, cut);
        }
}

static void find_groups(const struct winbind *w, const struct wbcAuthUserInfo *info,
                        struct domain_answer *ret, bool *cut)
{
    struct members m = {.winbind = w,
                        .domain = info->domain_name,
                        .n = info->num_sids < LIMIT_DOMAIN_SIDS ? info->num_sids : LIMIT_DOMAIN_SIDS};
    *cut = m.n < info->num_sids;
    m.sids = calloc(m.n, sizeof *m.sids);
    if (!m.sids) return;
    for (uint32_t i = 0; i < m.n; i++)
        m.sids[i] = info->sids[i].sid;
    if (any_by_name(w->config) && library.lookup_sids(w->context, m.sids, (int)m.n, &m.domains, &m.n_domains,
                                                      &m.names) != WBC_ERR_SUCCESS)
        m.domains = NULL, m.names = NULL;
    add_groups(&m, ret, cut);
    library.free_memory(m.names);
    library.free_memory(m.domains);
    free(m.sids);
}

/* --- the question */

static const char *c_string(char *to, struct span s) /* of at most LIMIT_DOMAIN_NAME_OCTETS */
{
    if (s.n) memcpy(to, s.p, s.n);
    to[s.n] = 0;
    return to;
}

static void answer(const struct winbind *w, const struct wbcAuthUserInfo *info, struct domain_answer *a,
                   struct winbind_report *report)
{
    enum domain_status status;
    const char *why = doubt(info, &status);
    if (why) {
        say(report, why);
        a->status = (uint8_t)status;
        return;
    }
    a->status = DOMAIN_PROVEN;
    memcpy(a->session_key, info->user_session_key, sizeof a->session_key);
    a->account = span_str(info->account_name);
    a->domain = span_str(info->domain_name);
    find_groups(w, info, a, &report->groups_cut);
}

void winbind_ask(struct winbind *w, const struct domain_question *q, struct buf *b,
                 struct winbind_report *report)
{
    char user[LIMIT_DOMAIN_NAME_OCTETS + 1], domain[LIMIT_DOMAIN_NAME_OCTETS + 1];
    char workstation[LIMIT_DOMAIN_NAME_OCTETS + 1];
    uint8_t response[LIMIT_SASL_RESPONSE_OCTETS];
    struct wbcAuthUserInfo *info = NULL;
    struct wbcAuthErrorInfo *error = NULL;
    struct domain_answer a = {.tag = q->tag};
    struct wbcAuthUserParams p = {.account_name = c_string(user, q->user),
                                  .domain_name = c_string(domain, q->domain),
                                  .workstation_name = c_string(workstation, q->workstation),
                                  .level = WBC_AUTH_USER_LEVEL_RESPONSE};
    memcpy(response, q->response.p, q->response.n);
    memcpy(p.password.response.challenge, q->challenge, sizeof q->challenge);
    p.password.response.nt_length = (uint32_t)q->response.n;
    p.password.response.nt_data = response;
    /* No LM response: a domain controller takes LMv2 where the other one is wrong, and that proves nothing of the pairs (MIC, bindings). */
    *report = (struct winbind_report){0};
    wbcErr e = library.authenticate(w->context, &p, &info, &error);
    if (e == WBC_ERR_SUCCESS && info)
        answer(w, info, &a, report);
    else
        a.status = (uint8_t)failed(e, error, report);
    report->status = a.status;
    domain_answer_put(b, &a);
    explicit_bzero(a.session_key, sizeof a.session_key);
    if (info) explicit_bzero(info->user_session_key, sizeof info->user_session_key);
    library.free_memory(info);
    library.free_memory(error);
}
