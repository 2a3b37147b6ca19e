/* GSSAPI (RFC 4752) and GSS-SPNEGO: a ticket of Kerberos (service/kerberos.h) proves who somebody is. GSSAPI ends with two messages
 * about security layers, of which there are none here; GSS-SPNEGO, which only [MS-SPNG]'s makers and Cyrus SASL describe, ends with
 * its last token. Exchange and its clients say "GSSAPI" and send SPNEGO: the first token decides. Whose realm counts, and as which
 * domain, says the configuration; principals that are nobody's are refused with events of their own. */
#include "sasl/gss_layer.h"
#include "sasl/gss_token.h"
#include "sasl/kerberos_name.h"
#include "service/kerberos.h"
#include "service/login_private.h"

struct exchange {
    struct kerberos_session session;
    bool spnego;
    enum { TOKEN, LAST_TOKEN_SENT, LAYER_SENT } stage;
};

/* --- who it is */

static const struct config_realm *realm_of(const struct config_kerberos *c, struct span name)
{
    for (uint32_t i = 0; i < c->n_realms; i++)
        if (span_eq(c->realms[i].name, name)) return &c->realms[i];
    return NULL;
}

/* NONE: canonical is the account. Else why there is none here. */
static enum login_reason account_of(const struct login *l, const struct exchange *x, struct buf *canonical)
{
    static const enum login_reason reasons[] = {[KERBEROS_NAME_ANONYMOUS] = LOGIN_REASON_ANONYMOUS,
                                                [KERBEROS_NAME_SERVICE] = LOGIN_REASON_SERVICE_PRINCIPAL,
                                                [KERBEROS_NAME_ODD] = LOGIN_REASON_PRINCIPAL};
    struct kerberos_name name;
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf written = buf_on(memory, sizeof memory);
    enum kerberos_name_kind kind =
        kerberos_name_read(span_of(x->session.principal, x->session.principal_n), &name);
    if (x->session.anonymous) kind = KERBEROS_NAME_ANONYMOUS;
    if (kind != KERBEROS_NAME_USER) return reasons[kind];
    const struct config_realm *realm = realm_of(&l->world->config->kerberos, name.realm);
    if (!realm) return LOGIN_REASON_REALM;
    buf_put(&written, name.local);
    buf_byte(&written, '@');
    buf_put(&written, realm->domain);
    bool good = !written.over && identity_name(buf_span(&written), SPAN(""), canonical);
    return good ? LOGIN_REASON_NONE : LOGIN_REASON_PRINCIPAL;
}

static enum login_kind finish(struct login *l, struct login_thread *t, struct exchange *x,
                              struct span authzid)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf canonical = buf_on(memory, sizeof memory);
    struct span principal = span_of(x->session.principal, x->session.principal_n);
    if (l->world->config->kerberos.bindings == KERBEROS_BINDINGS_REQUIRED && !x->session.bound)
        return login_fail(l, LOGIN_REASON_NO_BINDING);
    if (!kerberos_is_new(t->kerberos, &x->session, l->unix_seconds))
        return login_fail(l, LOGIN_REASON_REPLAY);
    login_ends(l, x->session.ends + LIMIT_KERBEROS_CLOCK_SECONDS);
    enum login_reason none = account_of(l, x, &canonical);
    if (none) return login_fail(l, none);
    enum login_kind kind = login_outside(l, t, buf_span(&canonical), NULL, 0);
    login_claim(l, principal); /* as it was said */
    bool itself = kind != LOGIN_SUCCESS || login_authzid_permitted(l, authzid, principal);
    return itself ? kind : login_fail(l, LOGIN_REASON_AUTHZID);
}

/* --- the layers that there are not */

static enum login_kind offer_layers(struct login *l, struct exchange *x)
{
    uint8_t memory[GSS_LAYER_OCTETS];
    struct buf offer = buf_on(memory, sizeof memory), out = buf_on(l->challenge, sizeof l->challenge);
    gss_layer_put(&offer);
    if (!kerberos_wrap(&x->session, buf_span(&offer), &out)) return LOGIN_LATER;
    x->stage = LAYER_SENT;
    l->out = buf_span(&out);
    return LOGIN_CHALLENGE;
}

static enum login_kind take_layer(struct login *l, struct login_thread *t, struct exchange *x,
                                  struct span response)
{
    uint8_t memory[GSS_LAYER_OCTETS + LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf plain = buf_on(memory, sizeof memory);
    struct span authzid;
    if (!kerberos_unwrap(&x->session, response, &plain)) return login_fail(l, LOGIN_REASON_TICKET);
    if (!gss_layer_read(buf_span(&plain), &authzid)) return login_fail(l, LOGIN_REASON_LAYER);
    return finish(l, t, x, authzid);
}

/* --- tokens */

static enum login_kind established(struct login *l, struct login_thread *t, struct exchange *x)
{
    return x->spnego ? finish(l, t, x, SPAN("")) : offer_layers(l, x);
}

static enum login_kind take_token(struct login *l, struct login_thread *t, struct exchange *x,
                                  struct span token)
{
    struct buf out = buf_on(l->challenge, sizeof l->challenge);
    const struct kerberos_tls bindings = {l->begin.end_point, l->begin.exporter};
    bool ignored = l->world->config->kerberos.bindings == KERBEROS_BINDINGS_IGNORED;
    enum kerberos_result result =
        kerberos_accept(t->kerberos, &x->session, x->spnego, token, ignored ? NULL : &bindings, &out);
    if (result == KERBEROS_FAILED) return LOGIN_LATER;
    if (result == KERBEROS_REFUSED) {
        login_detail(l, span_of(x->session.detail, x->session.detail_n));
        return login_fail(l, x->session.reason);
    }
    if (result == KERBEROS_DONE) {
        login_claim(l, span_of(x->session.principal, x->session.principal_n));
        if (out.n == 0) return established(l, t, x);
        x->stage = LAST_TOKEN_SENT;
    }
    l->out = buf_span(&out);
    return LOGIN_CHALLENGE;
}

static enum login_kind first_token(struct login *l, struct login_thread *t, struct exchange *x,
                                   struct span token)
{
    switch (gss_token_of(token)) {
    case GSS_TOKEN_SPNEGO: x->spnego = true; break;
    case GSS_TOKEN_KERBEROS:
        if (l->begin.mechanism == MECHANISM_GSSAPI) break;
        __attribute__((fallthrough));
    case GSS_TOKEN_NTLM:
    case GSS_TOKEN_OTHER: return login_fail(l, LOGIN_REASON_MECHANISM);
    case GSS_TOKEN_MALFORMED: return LOGIN_MALFORMED;
    }
    return take_token(l, t, x, token);
}

static void end(struct login *l)
{
    struct exchange *x = l->state;
    kerberos_session_end(&x->session);
}

enum login_kind login_gssapi(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    struct exchange *x = l->state;
    if (l->begin.tls == LOGIN_CLEAR) return login_fail(l, LOGIN_REASON_CLEAR); /* it was not offered */
    if (!t->kerberos) return LOGIN_LATER;
    if (!x) {
        if (l->step == 0 && !initial) return LOGIN_CHALLENGE; /* an empty one: the client begins */
        x = l->state = arena_take(l->arena, sizeof *x);
        if (!x) return LOGIN_LATER;
        l->end = end;
        return first_token(l, t, x, response);
    }
    switch (x->stage) {
    case LAST_TOKEN_SENT: return response.n == 0 ? established(l, t, x) : LOGIN_MALFORMED;
    case LAYER_SENT: return take_layer(l, t, x, response);
    default: return take_token(l, t, x, response);
    }
}
