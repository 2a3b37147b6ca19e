/* Whom a name means. A name that nobody has gets secrets made up from it, so that a stranger learns nothing from what he is asked, nor from
 * how long it takes. */
#include <openssl/hmac.h>

#include "service/login_private.h"

enum { FAKE_SALT_OCTETS = 16 };

/* A name without an account in the one form that an account's would have: whoever writes an account's name in another way is shown the same
 * salt, and so is he who does that with a name that nobody has. */
static void put_form(struct login *l, struct span name, struct buf *ret)
{
    size_t slash = span_find(name, '/');
    if (!identity_name(span_head(name, slash), l->world->home, ret) || ret->over) {
        ret->n = 0;
        ret->over = false;
        buf_put(ret, name);
    } else if (slash != SPAN_NPOS) {
        buf_put(ret, span_skip(name, slash));
    }
}

/* The same for the same name as long as the process lives. */
static struct identity_scram made_up(struct login *l, struct span name, uint8_t kind)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct identity_scram s = {.iterations = LIMIT_SCRAM_ITERATIONS};
    const struct login_world *w = l->world;
    uint8_t key[sizeof w->chance + 1], memory[2 * LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf form = buf_on(memory, sizeof memory);
    put_form(l, name, &form);
    memcpy(key, w->chance, sizeof w->chance);
    key[sizeof w->chance] = kind;
    if (HMAC(EVP_sha512(), key, sizeof key, form.p, form.n, hash, &n) && n == 64) {
        s.salt = arena_copy(l->arena, span_of(hash, FAKE_SALT_OCTETS));
        s.stored_key = arena_copy(l->arena, span_of(hash + 16, kind == 1 ? 20 : 32));
        s.server_key = arena_copy(l->arena, span_of(hash + 32, kind == 1 ? 20 : 32));
    }
    explicit_bzero(key, sizeof key);
    explicit_bzero(hash, sizeof hash);
    return s;
}

void login_useless(struct login *l, enum identity_found found)
{
    l->useless = found == IDENTITY_EXPIRED ? LOGIN_REASON_APP_EXPIRED : LOGIN_REASON_APP_NETWORK;
}

bool login_stamp(struct login *l, struct login_thread *t, enum identity_by by, uint64_t credential)
{
    return identity_stamp(t->identity, l->who.number, (uint8_t)by, credential, l->stamp) == IDENTITY_FOUND &&
           identity_label(t->identity, l->who.number, (uint8_t)by, credential, l->arena, &l->label) ==
               IDENTITY_FOUND;
}

bool login_find(struct login *l, struct login_thread *t, struct span name)
{
    struct address client;
    memcpy(client.octets, l->begin.client, sizeof client.octets);
    login_claim(l, name);
    l->looked_up = true;
    l->who = (struct identity_principal){0};
    l->useless = LOGIN_REASON_NONE;
    enum identity_found found =
        identity_find(t->identity, name, l->world->home, &client, l->unix_seconds, l->arena, &l->who);
    switch (found) {
    case IDENTITY_FOUND:
        login_ends(l, l->who.expires);
        if (!login_stamp(l, t, l->who.app_password ? IDENTITY_BY_APP : IDENTITY_BY_PASSWORD,
                         l->who.app_password))
            return false;
        break;
    case IDENTITY_EXPIRED:
    case IDENTITY_ELSEWHERE: login_useless(l, found); break;
    case IDENTITY_UNKNOWN:
        l->who = (struct identity_principal){0};
        l->report.reason = LOGIN_REASON_UNKNOWN_USER; /* it counts even if the client goes away now */
        break;
    case IDENTITY_UNREADABLE: return false;
    }
    l->report.principal = l->who.number;
    l->no_scram_256 = l->who.scram_256.salt.n == 0;
    l->no_scram_1 = l->who.scram_1.salt.n == 0;
    if (l->no_scram_256) l->who.scram_256 = made_up(l, name, 2);
    if (l->no_scram_1) l->who.scram_1 = made_up(l, name, 1);
    return l->who.scram_256.salt.p && l->who.scram_1.salt.p;
}

static bool keep_groups(struct login *l, const struct span *groups, uint32_t n)
{
    struct login_vouched *v = &l->vouched;
    if (n > LIMIT_IDENTITY_GROUPS) n = LIMIT_IDENTITY_GROUPS;
    v->groups = arena_take_array(l->arena, n, sizeof *v->groups);
    if (!v->groups) return false;
    for (v->n_groups = 0; v->n_groups < n; v->n_groups++) {
        v->groups[v->n_groups] = arena_copy(l->arena, groups[v->n_groups]);
        if (!v->groups[v->n_groups].p) return false;
    }
    return true;
}

enum login_kind login_outside(struct login *l, struct login_thread *t, struct span name,
                              const struct span *groups, uint32_t n_groups)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf canonical = buf_on(memory, sizeof memory);
    login_claim(l, name);
    l->who = (struct identity_principal){0};
    if (span_find(name, '@') == SPAN_NPOS || !identity_name(name, SPAN(""), &canonical) || canonical.over)
        return login_fail(l, LOGIN_REASON_UNKNOWN_USER);
    l->vouched.name = arena_copy(l->arena, buf_span(&canonical));
    enum identity_found found = IDENTITY_UNREADABLE;
    if (l->vouched.name.p && keep_groups(l, groups, n_groups))
        found = identity_named(t->identity, PRINCIPAL_USER, l->vouched.name, l->arena, &l->who);
    if (found == IDENTITY_UNREADABLE) return LOGIN_LATER;
    if (found == IDENTITY_UNKNOWN)
        identity_outsider(l->vouched.name, &l->who);
    else if (!login_stamp(l, t, IDENTITY_BY_OUTSIDE, 0))
        return LOGIN_LATER;
    l->report.principal = l->who.number;
    l->proven = true;
    return LOGIN_SUCCESS;
}

void login_suspect(struct login *l, struct login_thread *t, struct span name, struct span domain)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf canonical = buf_on(memory, sizeof memory);
    struct identity_principal who = {.number = 0};
    if (!identity_name(name, domain, &canonical) || canonical.over) return;
    if (identity_named(t->identity, PRINCIPAL_USER, buf_span(&canonical), l->arena, &who) == IDENTITY_UNKNOWN)
        identity_outsider(buf_span(&canonical), &who);
    l->report.principal = who.number;
    explicit_bzero(&who, sizeof who);
}

enum identity_found login_who_now(struct login *l, struct login_thread *t)
{
    const struct login_vouched *v = &l->vouched;
    enum identity_found found = IDENTITY_UNKNOWN;
    if (!(l->who.number & IDENTITY_OUTSIDE)) {
        found = identity_by_number(t->identity, l->who.number, l->arena, &l->who);
    } else if (v->name.n) {
        identity_outsider(v->name, &l->who);
        found = IDENTITY_FOUND;
    }
    struct identity_principal *who = &l->who;
    if (found != IDENTITY_FOUND || !v->n_groups) return found;
    struct span *all = arena_take_array(l->arena, who->n_groups + v->n_groups, sizeof *all);
    if (!all) return IDENTITY_UNREADABLE;
    if (who->n_groups) memcpy(all, who->groups, who->n_groups * sizeof *all);
    memcpy(all + who->n_groups, v->groups, v->n_groups * sizeof *all);
    who->groups = all;
    who->n_groups += v->n_groups;
    return found;
}

bool login_authzid_permitted(const struct login *l, struct span authzid, struct span authcid)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    if (authzid.n == 0 || span_eq(authzid, authcid)) return true;
    if (l->who.name.n == 0) return false;
    return span_eq_nocase(authzid, l->who.name) ||
           (identity_name(authzid, l->world->home, &name) && span_eq(buf_span(&name), l->who.name));
}
