/* Whom a name means. A name that nobody has gets secrets made up from it, so that a stranger learns nothing from what he is asked, nor from
 * how long it takes. */
#include <openssl/hmac.h>

#include "service/login_private.h"

enum { FAKE_SALT_OCTETS = 16 };

/* The same for the same name as long as the process lives. */
static struct identity_scram made_up(struct login *l, struct span name, uint8_t kind)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct identity_scram s = {.iterations = LIMIT_SCRAM_ITERATIONS};
    const struct login_world *w = l->world;
    uint8_t key[sizeof w->chance + 1];
    memcpy(key, w->chance, sizeof w->chance);
    key[sizeof w->chance] = kind;
    if (HMAC(EVP_sha512(), key, sizeof key, name.p, name.n, hash, &n) && n == 64) {
        s.salt = arena_copy(l->arena, span_of(hash, FAKE_SALT_OCTETS));
        s.stored_key = arena_copy(l->arena, span_of(hash + 16, kind == 1 ? 20 : 32));
        s.server_key = arena_copy(l->arena, span_of(hash + 32, kind == 1 ? 20 : 32));
    }
    explicit_bzero(key, sizeof key);
    explicit_bzero(hash, sizeof hash);
    return s;
}

bool login_find(struct login *l, struct login_thread *t, struct span name)
{
    struct address client;
    memcpy(client.octets, l->begin.client, sizeof client.octets);
    login_claim(l, name);
    l->who = (struct identity_principal){0};
    switch (identity_find(t->identity, name, l->world->home, &client, l->unix_seconds, l->arena, &l->who)) {
    case IDENTITY_FOUND: break;
    case IDENTITY_UNKNOWN:
        l->who = (struct identity_principal){0};
        l->report.event = "unknown-user";
        break;
    case IDENTITY_UNREADABLE: l->report.event = "unavailable"; return false;
    }
    l->report.principal = l->who.number;
    if (l->who.scram_256.salt.n == 0) l->who.scram_256 = made_up(l, name, 2);
    if (l->who.scram_1.salt.n == 0) l->who.scram_1 = made_up(l, name, 1);
    return l->who.scram_256.salt.p && l->who.scram_1.salt.p;
}

static bool add_groups(struct login *l, struct span *groups, uint32_t n)
{
    struct identity_principal *who = &l->who;
    uint32_t room = LIMIT_IDENTITY_GROUPS - who->n_groups;
    if (n > room) n = room;
    struct span *all = arena_take_array(l->arena, who->n_groups + n, sizeof *all);
    if (!all) return false;
    if (who->n_groups) memcpy(all, who->groups, who->n_groups * sizeof *all);
    if (n) memcpy(all + who->n_groups, groups, n * sizeof *all);
    who->groups = all;
    who->n_groups += n;
    return true;
}

bool login_outside(struct login *l, struct login_thread *t, struct span name, struct span *groups,
                   uint32_t n_groups)
{
    login_claim(l, name);
    l->who = (struct identity_principal){0};
    switch (identity_named(t->identity, name, l->arena, &l->who)) {
    case IDENTITY_FOUND: break;
    case IDENTITY_UNKNOWN:
        name = arena_copy(l->arena, name);
        if (!name.p) return false;
        identity_outsider(name, NULL, 0, &l->who);
        break;
    case IDENTITY_UNREADABLE: l->report.event = "unavailable"; return false;
    }
    l->report.principal = l->who.number;
    return add_groups(l, groups, n_groups);
}

bool login_authzid_permitted(struct login *l, struct span authzid, struct span authcid)
{
    if (authzid.n == 0 || span_eq(authzid, authcid) ||
        (l->who.name.n && span_eq_nocase(authzid, l->who.name)))
        return true;
    l->report.event = "authzid";
    return false;
}
