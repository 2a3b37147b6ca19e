/* PLAIN (RFC 4616) and LOGIN ([MS-XLOGIN]): name and password in clear. */
#include "identity/secret.h"
#include "sasl/plain.h"
#include "service/login_private.h"

/* A verifier of a password that nobody has, as costly as those of sallyport user. */
#define NO_VERIFIER "$y$j9T$yL/ypHDZdidzqVBKuIiwD/$lartI5c/SuJ43vO8TEZ2HPLXwx7YdUp2iqMdGtAVee/"

bool login_password_fits(struct login *l, struct login_thread *t, struct span password)
{
    struct address client;
    uint32_t number = 0;
    uint64_t expires = UINT64_MAX;
    bool known = l->who.number != 0, has = l->who.crypt.n > 0;
    memcpy(client.octets, l->begin.client, sizeof client.octets);
    enum identity_found found = identity_app_password(t->identity, l->who.number, password, &client,
                                                      l->unix_seconds, &number, &expires);
    bool app = found == IDENTITY_FOUND, useless = found == IDENTITY_EXPIRED || found == IDENTITY_ELSEWHERE;
    bool own = secret_fits(password, has ? l->who.crypt : SPAN(NO_VERIFIER)) && has;
    /* the digest of an app password costs nothing: it would tell which labels there are */
    if (!own && l->who.app_password) (void)!secret_fits(password, SPAN(NO_VERIFIER));
    if (known && app && !own) {
        l->who.app_password = number;
        login_ends(l, expires);
    }
    if (known && useless && !own) login_useless(l, found);
    return known && (own || app || useless);
}

/* By an app password that came without its label; it may be gone since it was found. */
static bool stamp_app(struct login *l, struct login_thread *t)
{
    return !l->who.app_password || login_stamp(l, t, IDENTITY_BY_APP, l->who.app_password);
}

static enum login_kind check(struct login *l, struct login_thread *t, const struct plain_message *p)
{
    if (!login_find(l, t, p->authcid)) return LOGIN_LATER;
    if (!login_password_fits(l, t, p->password)) return login_fail_proof(l, true);
    if (!login_authzid_permitted(l, p->authzid, p->authcid)) return login_fail(l, LOGIN_REASON_AUTHZID);
    if (!stamp_app(l, t)) return LOGIN_LATER;
    l->proven = true;
    return LOGIN_SUCCESS;
}

/* LOGIN's prompts as every client knows them; some look at them. */
static enum login_kind take_login(struct login *l, struct span *name, struct span response, bool initial,
                                  struct plain_message *ret)
{
    if (l->step == 0 && !initial) {
        l->out = SPAN(PLAIN_LOGIN_NAME);
        return LOGIN_CHALLENGE;
    }
    if (name->n == 0) {
        if (!authzid_is_name(response)) return LOGIN_MALFORMED;
        *name = arena_copy(l->arena, response);
        l->out = SPAN(PLAIN_LOGIN_PASSWORD);
        return name->n ? LOGIN_CHALLENGE : LOGIN_LATER;
    }
    *ret = (struct plain_message){.authcid = *name, .password = response};
    return plain_is_password(response) ? LOGIN_SUCCESS : LOGIN_MALFORMED;
}

enum login_kind login_password_take(struct login *l, struct span *name, struct span response, bool initial,
                                    struct plain_message *ret)
{
    if (l->begin.mechanism == MECHANISM_LOGIN) return take_login(l, name, response, initial, ret);
    if (l->step == 0 && !initial) return LOGIN_CHALLENGE; /* an empty one */
    return plain_read(response, ret) ? LOGIN_SUCCESS : LOGIN_MALFORMED;
}

enum login_kind login_password(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    struct plain_message p;
    struct span *name = l->state;
    if (!name) name = l->state = arena_take(l->arena, sizeof *name);
    if (!name) return LOGIN_LATER;
    enum login_kind kind = login_password_take(l, name, response, initial, &p);
    return kind == LOGIN_SUCCESS ? check(l, t, &p) : kind;
}
