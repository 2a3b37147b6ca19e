/* OAUTHBEARER (RFC 7628) and XOAUTH2: a token of somebody whom the configuration trusts with names (service/token.h). What is wrong
 * with a token the client is told in a challenge, as the protocols have it; that nobody here has the name in it, or has no right, is
 * told like any refusal. */
#include "sasl/oauth.h"
#include "service/login_private.h"
#include "service/token_keys.h"

static enum token_verdict judge(struct login *l, struct span text, struct span *account)
{
    const struct login_world *w = l->world;
    struct web_token t;
    struct span name;
    uint64_t ends = 0;
    enum token_verdict v = token_read(text, l->arena, &t);
    if (v != TOKEN_GOOD) return v;
    v = token_keys_verify(w->token_keys, &t);
    if (v == TOKEN_GOOD) v = token_judge(&t, &w->config->tokens, l->unix_seconds, &name, &ends);
    if (v == TOKEN_GOOD) *account = arena_copy(l->arena, name);
    if (v == TOKEN_GOOD) login_ends(l, ends);
    token_free(&t);
    return v;
}

static enum login_kind token_is_wrong(struct login *l, enum token_verdict v)
{
    static const enum login_reason reasons[TOKEN_VERDICTS] = {
        [TOKEN_MALFORMED] = LOGIN_REASON_TOKEN_MALFORMED,
        [TOKEN_ALGORITHM] = LOGIN_REASON_TOKEN_ALGORITHM,
        [TOKEN_KEY] = LOGIN_REASON_TOKEN_KEY,
        [TOKEN_SIGNATURE] = LOGIN_REASON_TOKEN_SIGNATURE,
        [TOKEN_ISSUER] = LOGIN_REASON_TOKEN_ISSUER,
        [TOKEN_AUDIENCE] = LOGIN_REASON_TOKEN_AUDIENCE,
        [TOKEN_EXPIRED] = LOGIN_REASON_TOKEN_EXPIRED,
        [TOKEN_NO_EXPIRY] = LOGIN_REASON_TOKEN_NO_EXPIRY,
        [TOKEN_EARLY] = LOGIN_REASON_TOKEN_EARLY,
        [TOKEN_SCOPE] = LOGIN_REASON_TOKEN_SCOPE,
        [TOKEN_ACCOUNT] = LOGIN_REASON_TOKEN_ACCOUNT,
    };
    const struct config_tokens *c = &l->world->config->tokens;
    struct buf b = buf_on(l->challenge, sizeof l->challenge);
    const char *status = l->begin.mechanism == MECHANISM_XOAUTH2 ? "401"
                         : v == TOKEN_SCOPE                      ? "insufficient_scope"
                                                                 : "invalid_token";
    oauth_put_error(&b, status, c->scope, c->configuration);
    l->report.reason = reasons[v];
    l->state = l; /* any: the next step is the client's answer */
    if (b.over) return LOGIN_REFUSED;
    l->out = buf_span(&b);
    return LOGIN_CHALLENGE;
}

/* An app password's label may not be behind the name: whoever issues tokens names accounts and nothing else. */
static enum login_kind take_account(struct login *l, struct login_thread *t, struct span authzid,
                                    struct span account)
{
    if (!account.p || !login_find(l, t, account)) return LOGIN_LATER;
    if (l->who.number == 0 || l->who.kind != PRINCIPAL_USER || l->who.app_password)
        return login_fail(l, LOGIN_REASON_UNKNOWN_USER);
    if (!login_authzid_permitted(l, authzid, account)) return login_fail(l, LOGIN_REASON_AUTHZID);
    if (!login_stamp(l, t, IDENTITY_BY_OUTSIDE, 0)) return LOGIN_LATER;
    l->proven = true;
    return LOGIN_SUCCESS;
}

enum login_kind login_oauth(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    struct oauth_message m;
    struct span account = {NULL, 0};
    if (!l->world->token_keys) return LOGIN_LATER;
    if (l->state) return oauth_is_acknowledgement(response) ? LOGIN_REFUSED : LOGIN_MALFORMED;
    if (l->step == 0 && !initial) return LOGIN_CHALLENGE; /* an empty one: the client begins */
    if (!(l->begin.mechanism == MECHANISM_XOAUTH2 ? oauth_x2_read(response, &m)
                                                  : oauth_bearer_read(response, &m)))
        return LOGIN_MALFORMED;
    login_claim(l, m.authzid);
    enum token_verdict v = judge(l, m.token, &account);
    return v == TOKEN_GOOD ? take_account(l, t, m.authzid, account) : token_is_wrong(l, v);
}
