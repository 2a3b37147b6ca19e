/* A libwbclient.so.0 for test_winbind: what it answers is chosen by the name of the account. It sees what is asked, as winbindd would. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wbclient.h>

static struct wbcDomainSid sid(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t rid)
{
    const uint32_t all[] = {a, b, c, d, rid};
    struct wbcDomainSid s = {.sid_rev_num = 1, .id_auth = {0, 0, 0, 0, 0, 5}};
    for (unsigned i = 0; i < 5; i++)
        if (all[i]) s.sub_auths[s.num_auths++] = all[i];
    return s;
}

struct wbcContext *wbcCtxCreate(void)
{
    return calloc(1, 1);
}

void wbcCtxFree(struct wbcContext *ctx)
{
    free(ctx);
}

void wbcFreeMemory(void *p)
{
    free(p);
}

void wbcSetClientProcessName(const char *name)
{
    (void)name;
}

static const struct answer {
    const char *account;
    uint32_t status; /* 0: let in */
    uint32_t flags;
    bool no_key, no_name, no_sid;
    struct {
        uint32_t of[5];
    } group; /* a SID more */
} answers[] = {
    {.account = "joe"},
    {.account = "wrong", .status = 0xc000006a},
    {.account = "failure", .status = 0xc000006d},
    {.account = "nobody", .status = 0xc0000064},
    {.account = "nodomain", .status = 0xc00000df},
    {.account = "locked", .status = 0xc0000234},
    {.account = "disabled", .status = 0xc0000072},
    {.account = "expired", .status = 0xc0000193},
    {.account = "old", .status = 0xc0000071},
    {.account = "change", .status = 0xc0000224},
    {.account = "night", .status = 0xc000006f},
    {.account = "machine", .status = 0xc0000199},
    {.account = "noservers", .status = 0xc000005e},
    {.account = "denied", .status = 0xc0000022},
    {.account = "odd", .status = 0xc0001234},
    {.account = "guestflag", .flags = WBC_AUTH_USER_INFO_GUEST},
    {.account = "lm", .flags = WBC_AUTH_USER_INFO_USED_LM_PASSWORD},
    {.account = "nokey", .no_key = true},
    {.account = "noname", .no_name = true},
    {.account = "nosid", .no_sid = true},
    {.account = "anonymous", .group = {{7}}},
    {.account = "guests", .group = {{32, 546}}},
    {.account = "guest", .group = {{21, 1, 2, 3, 501}}},
    {.account = "domainguests", .group = {{21, 1, 2, 3, 514}}},
    {.account = "users", .group = {{32, 545}}},
    {.account = "mail", .group = {{21, 1, 2, 3, 2001}}},
    {.account = "abroad", .group = {{21, 9, 9, 9, 2001}}},
    {.account = "other", .group = {{21, 4, 4, 4, 2001}}},
    {.account = "nolookup", .group = {{21, 1, 2, 3, 2001}}},
};

static bool lookup_fails;

static struct wbcAuthUserInfo *info_of(const struct answer *a)
{
    struct {
        struct wbcAuthUserInfo info;
        struct wbcSidWithAttr sids[3];
        char account[64], domain[8];
    } *i = calloc(1, sizeof *i);
    if (!i) abort();
    snprintf(i->account, sizeof i->account, "%s", a->no_name ? "" : a->account);
    snprintf(i->domain, sizeof i->domain, "CORP");
    i->info = (struct wbcAuthUserInfo){
        .user_flags = a->flags, .account_name = i->account, .domain_name = i->domain, .sids = i->sids};
    memset(i->info.user_session_key, a->no_key ? 0 : 7, sizeof i->info.user_session_key);
    i->sids[0].sid = sid(21, 1, 2, 3, 1000);
    i->sids[1].sid = sid(21, 1, 2, 3, 513);
    const uint32_t *g = a->group.of;
    i->sids[2].sid = sid(g[0], g[1], g[2], g[3], g[4]);
    i->info.num_sids = a->no_sid ? 0 : g[0] ? 3 : 2;
    lookup_fails = strcmp(a->account, "nolookup") == 0;
    return &i->info;
}

wbcErr wbcCtxAuthenticateUserEx(struct wbcContext *ctx, const struct wbcAuthUserParams *p,
                                struct wbcAuthUserInfo **info, struct wbcAuthErrorInfo **error)
{
    (void)ctx;
    /* what is never asked for: another level, other accounts than users', an LM response */
    if (p->level != WBC_AUTH_USER_LEVEL_RESPONSE || p->parameter_control || p->flags ||
        p->password.response.lm_length || p->password.response.nt_length < 25 ||
        p->password.response.challenge[7] != 8 || strcmp(p->domain_name, "CORP") != 0)
        abort();
    if (strcmp(p->account_name, "down") == 0) return WBC_ERR_WINBIND_NOT_AVAILABLE;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct answer *a = &answers[i];
        if (strcmp(p->account_name, a->account) != 0) continue;
        if (a->status == 0) {
            *info = info_of(a);
            return WBC_ERR_SUCCESS;
        }
        *error = calloc(1, sizeof **error);
        if (!*error) abort();
        (*error)->nt_status = a->status;
        return WBC_ERR_AUTH_ERROR;
    }
    abort();
}

/* CORP is 1-2-3, OTHER 4-4-4; as on a domain controller it is not said that a group is of its own domain. */
wbcErr wbcCtxLookupSids(struct wbcContext *ctx, const struct wbcDomainSid *sids, int n,
                        struct wbcDomainInfo **domains, int *n_domains, struct wbcTranslatedName **names)
{
    static char other[] = "OTHER", builtin[] = "BUILTIN", staff[] = "Mail Users", joe[] = "joe";
    (void)ctx;
    if (lookup_fails) return WBC_ERR_WINBIND_NOT_AVAILABLE;
    *domains = calloc(2, sizeof **domains);
    *names = calloc((size_t)n, sizeof **names);
    if (!*domains || !*names) abort();
    (*domains)[0].short_name = builtin;
    (*domains)[1].short_name = other;
    *n_domains = 2;
    for (int i = 0; i < n; i++) {
        uint32_t rid = sids[i].sub_auths[sids[i].num_auths - 1];
        (*names)[i] = (struct wbcTranslatedName){.type = rid == 1000  ? WBC_SID_NAME_USER
                                                         : rid == 545 ? WBC_SID_NAME_ALIAS
                                                                      : WBC_SID_NAME_DOM_GRP,
                                                 .name = rid == 1000 ? joe : staff,
                                                 .domain_index = rid == 545                  ? 0
                                                                 : sids[i].sub_auths[1] == 4 ? 1
                                                                                             : -1};
        if (rid == 513) (*names)[i].name = NULL;
    }
    return WBC_ERR_SUCCESS;
}

wbcErr wbcStringToSid(const char *text, struct wbcDomainSid *ret)
{
    unsigned a[5] = {0};
    int n = sscanf(text, "S-1-5-%u-%u-%u-%u-%u", &a[0], &a[1], &a[2], &a[3], &a[4]);
    if (n < 1) return WBC_ERR_INVALID_SID;
    *ret = sid(a[0], a[1], a[2], a[3], a[4]);
    return WBC_ERR_SUCCESS;
}
