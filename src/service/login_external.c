/* EXTERNAL (RFC 4422 A): the client's TLS certificate. Its key says who somebody is where it was pinned (sallyport user
 * certificate); then who made the certificate and when it ends counts for nothing, for whoever has the key can make another one.
 * Else its names do, if the organisation's own authorities vouch for them now (client-authorities, system/tls_authorities.h). Either
 * way it is proof and no permission. */
#include "base/hex.h"
#include "sasl/external.h"
#include "service/login_private.h"
#include "system/tls_authorities.h"
#include "system/tls_certificate.h"

enum { KEY_OCTETS = 32 };

/* For the log: what would have to be pinned. */
static void claim_key(struct login *l, const uint8_t key[KEY_OCTETS])
{
    uint8_t memory[2 * KEY_OCTETS];
    struct buf text = buf_on(memory, sizeof memory);
    hex_encode(span_of(key, KEY_OCTETS), &text);
    login_claim(l, buf_span(&text));
}

static bool stamp(struct login *l, struct login_thread *t, const uint8_t key[KEY_OCTETS])
{
    uint64_t first;
    memcpy(&first, key, sizeof first);
    return login_stamp(l, t, IDENTITY_BY_KEY, first);
}

/* --- names that authorities vouch for */

/* UNKNOWN: there is no such account, or the name is none: an address is never a host's name, nor the other way round. */
static enum identity_found account_of(struct login *l, struct login_thread *t,
                                      const struct tls_vouched_name *v, struct identity_principal *ret)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    bool address = span_find(v->name, '@') != SPAN_NPOS;
    if (address == v->host || !identity_name(v->name, SPAN(""), &name) || name.over) return IDENTITY_UNKNOWN;
    return identity_named(t->identity, v->host ? PRINCIPAL_HOST : PRINCIPAL_USER, buf_span(&name), l->arena,
                          ret);
}

/* Exactly one account must come of all names. */
static enum login_kind find_vouched(struct login *l, struct login_thread *t, const struct tls_vouched *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        struct identity_principal one = {.number = 0};
        enum identity_found found = account_of(l, t, &v->names[i], &one);
        if (found == IDENTITY_UNREADABLE) return LOGIN_LATER;
        if (found != IDENTITY_FOUND || one.number == l->who.number) continue;
        if (l->who.number != 0) return login_fail(l, LOGIN_REASON_AMBIGUOUS);
        l->who = one;
    }
    if (l->who.number != 0) return login_stamp(l, t, IDENTITY_BY_OUTSIDE, 0) ? LOGIN_SUCCESS : LOGIN_LATER;
    login_detail(l, v->names[0].name);
    return login_fail(l, LOGIN_REASON_UNKNOWN_USER);
}

static enum login_kind find_by_names(struct login *l, struct login_thread *t)
{
    static const enum login_reason reasons[TLS_VOUCHED_VERDICTS] = {
        [TLS_VOUCHED_NOT] = LOGIN_REASON_CERTIFICATE_AUTHORITY,
        [TLS_VOUCHED_EXPIRED] = LOGIN_REASON_CERTIFICATE_EXPIRED,
        [TLS_VOUCHED_EARLY] = LOGIN_REASON_CERTIFICATE_EARLY,
        [TLS_VOUCHED_PURPOSE] = LOGIN_REASON_CERTIFICATE_PURPOSE,
        [TLS_VOUCHED_WEAK] = LOGIN_REASON_CERTIFICATE_WEAK,
        [TLS_VOUCHED_NAMES] = LOGIN_REASON_CERTIFICATE_NAMES,
        [TLS_VOUCHED_REVOKED] = LOGIN_REASON_CERTIFICATE_REVOKED,
        [TLS_VOUCHED_LIST] = LOGIN_REASON_CERTIFICATE_LIST,
    };
    struct tls_vouched *v = arena_take(l->arena, sizeof *v);
    if (!v) return LOGIN_LATER;
    l->who = (struct identity_principal){.number = 0};
    enum tls_vouched_verdict verdict =
        tls_authorities_vouch(l->world->authorities, l->begin.certificate, l->unix_seconds, v);
    if (verdict != TLS_VOUCHED) {
        if (v->detail) login_detail(l, span_str(v->detail));
        return login_fail(l, reasons[verdict]);
    }
    login_ends(l, v->ends);
    return find_vouched(l, t, v);
}

static enum login_kind find(struct login *l, struct login_thread *t, const uint8_t key[KEY_OCTETS])
{
    enum identity_found found = identity_by_key(t->identity, key, l->arena, &l->who);
    if (found == IDENTITY_FOUND) return stamp(l, t, key) ? LOGIN_SUCCESS : LOGIN_LATER;
    if (found == IDENTITY_UNREADABLE) return LOGIN_LATER;
    if (l->world->config->client_authorities.n == 0) return login_fail(l, LOGIN_REASON_UNKNOWN_USER);
    return l->world->authorities ? find_by_names(l, t) : LOGIN_LATER;
}

enum login_kind login_external(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    uint8_t key[KEY_OCTETS];
    struct span authzid;
    if (l->step == 0 && !initial) return LOGIN_CHALLENGE; /* an empty one: the client begins */
    if (!external_read(response, &authzid)) return LOGIN_MALFORMED;
    if (!tls_certificate_key_hash(l->begin.certificate, key))
        return login_fail(l, LOGIN_REASON_NO_CERTIFICATE);
    claim_key(l, key);
    enum login_kind kind = find(l, t, key);
    if (kind != LOGIN_SUCCESS) return kind;
    if (!login_authzid_permitted(l, authzid, l->who.name)) return login_fail(l, LOGIN_REASON_AUTHZID);
    l->proven = true;
    return LOGIN_SUCCESS;
}
