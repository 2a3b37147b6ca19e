#include "sasl/ntlm.h"

#include <uchar.h>

#include "sasl/secret.h"
#include "sasl/upper_case.h"
#include "sasl/utf16.h"

#define FILETIME_OF_UNIX_EPOCH_MS UINT64_C(11644473600000) /* 1601 to 1970 */
#define FILETIME_PER_MS           UINT64_C(10000)
#define FILETIME_PER_SECOND       UINT64_C(10000000)

bool ntlm_challenge(struct ntlm *ret, const struct ntlm_target *t, struct span negotiate,
                    const uint8_t random[8], uint64_t unix_ms, struct span *challenge)
{
    uint32_t offered;
    if (negotiate.n > sizeof ret->negotiate || !ntlm_negotiate_read(negotiate, &offered)) return false;
    memcpy(ret->server_challenge, random, sizeof ret->server_challenge);
    ret->filetime = (unix_ms + FILETIME_OF_UNIX_EPOCH_MS) * FILETIME_PER_MS;
    memcpy(ret->negotiate, negotiate.p, negotiate.n);
    ret->n_negotiate = negotiate.n;
    struct buf b = buf_on(ret->challenge, sizeof ret->challenge);
    ntlm_challenge_put(&b, offered, t, ret->server_challenge, ret->filetime);
    ret->n_challenge = b.n;
    *challenge = buf_span(&b);
    return !b.over;
}

/* Text of a message: its UTF-16 in memory, and as UTF-8 in *text. False: it cannot be read, or is too long. */
static bool read_text(struct span s, bool unicode, struct buf *units, struct buf *text)
{
    if (unicode)
        buf_put(units, s);
    else if (span_printable(s))
        utf16_put_ascii(units, s);
    else
        return false;
    return !units->over && utf16_to_utf8(buf_span(units), text) && !text->over;
}

/* "DOMAIN\user" and "user@domain" without the domain, in UTF-16. */
static struct span account(struct span units)
{
    size_t first = 0, end = units.n / 2;
    for (size_t i = 0; i < units.n / 2; i++)
        if (utf16_unit(units, i) == '\\') first = i + 1;
    for (size_t i = units.n / 2; i-- > first;)
        if (utf16_unit(units, i) == '@') end = i;
    return span_of(units.p + 2 * first, 2 * (end - first));
}

/* The built-in account of Windows that nobody has to prove to be, as it is called in its languages. */
static bool is_guest(struct span units)
{
    static const char16_t names[][12] = {
        u"GUEST", u"GAST",  u"GÄST",   u"GÆST",   u"GJEST",     u"INVITÉ", u"INVITADO",
        u"GOŚĆ",  u"ГОСТЬ", u"VIERAS", u"VENDÉG", u"CONVIDADO", u"OSPITE",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = 0;
        while (names[i][n])
            n++;
        if (span_eq(units, span_of(names[i], 2 * n))) return true;
    }
    return false;
}

/* User, domain and workstation of *m. */
static bool read_names(const struct ntlm_authenticate *m, struct ntlm_login *ret)
{
    bool unicode = m->flags & NTLM_FLAG_UNICODE;
    struct buf user = buf_on(ret->user_units, sizeof ret->user_units);
    struct buf domain = buf_on(ret->domain_units, sizeof ret->domain_units);
    uint8_t memory[2 * LIMIT_DOMAIN_OCTETS];
    struct buf workstation = buf_on(memory, sizeof memory);
    uint8_t *text = ret->text;
    struct buf user_text = buf_on(text, LIMIT_PRINCIPAL_NAME_OCTETS);
    struct buf domain_text = buf_on(text + user_text.max, LIMIT_DOMAIN_OCTETS);
    struct buf workstation_text = buf_on(text + user_text.max + domain_text.max, LIMIT_DOMAIN_OCTETS);
    if (!read_text(m->user, unicode, &user, &user_text) ||
        !read_text(m->domain, unicode, &domain, &domain_text))
        return false;
    for (size_t i = 0; i < user.n / 2; i++) {
        uint16_t unit = upper_case(utf16_unit(buf_span(&user), i));
        memcpy(user.p + 2 * i, &unit, sizeof unit);
    }
    ret->n_user_units = user.n;
    ret->n_domain_units = domain.n;
    ret->user = buf_span(&user_text);
    ret->domain = buf_span(&domain_text);
    ret->workstation = read_text(m->workstation, unicode, &workstation, &workstation_text)
                           ? buf_span(&workstation_text)
                           : span_of(NULL, 0);
    return true;
}

static enum ntlm_kind classify(const struct ntlm_authenticate *m, struct ntlm_login *ret)
{
    struct span name = account(span_of(ret->user_units, ret->n_user_units));
    /* 3.2.5.1.2 says "authenticates the client as the ANONYMOUS user": here it is told apart, never let in. */
    if (m->flags & NTLM_FLAG_ANONYMOUS || name.n == 0 || (m->nt.n == 0 && m->lm.n < 24))
        return NTLM_ANONYMOUS;
    if (is_guest(name)) return NTLM_GUEST;
    if (m->nt.n == 0 || m->nt.n == 24) return NTLM_OLD; /* 2.2.2.6 */
    if (!ntlm_response_read(m->nt, &ret->response) || !ntlm_av_read(ret->response.pairs, &ret->av))
        return NTLM_MALFORMED;
    ret->message = *m;
    return NTLM_USER;
}

enum ntlm_kind ntlm_read(struct span authenticate, struct ntlm_login *ret)
{
    struct ntlm_authenticate m;
    ret->kind = NTLM_MALFORMED;
    if (ntlm_authenticate_read(authenticate, &m) && read_names(&m, ret)) ret->kind = classify(&m, ret);
    return ret->kind;
}

static bool time_fits(const struct ntlm *n, const struct ntlm_login *l)
{
    uint64_t theirs = l->response.filetime, ours = n->filetime;
    uint64_t off = theirs > ours ? theirs - ours : ours - theirs;
    if (l->av.has_timestamp && l->av.timestamp != ours) return false; /* a copy of what the challenge said */
    return off / FILETIME_PER_SECOND <= LIMIT_NTLM_CLOCK_SECONDS;
}

static enum ntlm_verdict check_bindings(const struct ntlm_login *l, const struct ntlm_policy *p,
                                        const struct ntlm_crypto *c)
{
    static const uint8_t zero[16];
    uint8_t ours[16];
    struct span theirs = l->av.bindings;
    bool none = theirs.n == 0 || span_eq(theirs, span_of(zero, sizeof zero));
    if (p->bindings == NTLM_BINDINGS_IGNORED) return NTLM_PROVEN;
    if (none) return p->bindings == NTLM_BINDINGS_REQUIRED ? NTLM_NO_BINDINGS : NTLM_PROVEN;
    if (p->end_point.n == 0) return NTLM_WRONG_BINDINGS; /* it speaks TLS with somebody else */
    if (!ntlm_proof_channel_bindings(c, p->end_point, ours)) return NTLM_FAILED;
    return secret_equal(theirs, span_of(ours, sizeof ours)) ? NTLM_PROVEN : NTLM_WRONG_BINDINGS;
}

/* The MIC is there when the proven pairs say so (3.2.5.1.2); who cuts it off cannot change them. */
static enum ntlm_verdict check_mic(const struct ntlm *n, const struct ntlm_login *l,
                                   const struct ntlm_crypto *c, const uint8_t session_key[16])
{
    const struct ntlm_authenticate *m = &l->message;
    uint8_t exported[16], mic[16];
    if (!(l->av.flags & NTLM_AV_FLAG_MIC)) return NTLM_PROVEN;
    if (m->payload < NTLM_MIC_AT + sizeof mic) return NTLM_WRONG_MIC;
    if (m->flags & NTLM_FLAG_KEY_EXCHANGE && m->session_key.n == sizeof exported)
        ntlm_proof_rc4(session_key, m->session_key.p, exported);
    else
        memcpy(exported, session_key, sizeof exported);
    bool computed = ntlm_proof_mic(c, exported, span_of(n->negotiate, n->n_negotiate),
                                   span_of(n->challenge, n->n_challenge), m->message, NTLM_MIC_AT, mic);
    explicit_bzero(exported, sizeof exported);
    if (!computed) return NTLM_FAILED;
    return secret_equal(span_of(m->message.p + NTLM_MIC_AT, sizeof mic), span_of(mic, sizeof mic))
               ? NTLM_PROVEN
               : NTLM_WRONG_MIC;
}

enum ntlm_verdict ntlm_verify_key(const struct ntlm *n, const struct ntlm_login *l,
                                  const struct ntlm_policy *p, const struct ntlm_crypto *c,
                                  const uint8_t session_key[16])
{
    enum ntlm_verdict mic = check_mic(n, l, c, session_key), bindings = check_bindings(l, p, c);
    if (mic != NTLM_PROVEN) return mic;
    if (bindings != NTLM_PROVEN) return bindings;
    return time_fits(n, l) ? NTLM_PROVEN : NTLM_WRONG_TIME;
}

/* Does the response prove nt_hash, with that domain? Then *session_key is the one of this login. */
static enum ntlm_verdict check_proof(const struct ntlm *n, const struct ntlm_login *l,
                                     const struct ntlm_crypto *c, const uint8_t nt_hash[16],
                                     struct span domain, uint8_t session_key[16])
{
    uint8_t key[16], proof[16], session[16];
    struct span user = span_of(l->user_units, l->n_user_units);
    bool computed = ntlm_proof_response_key(c, nt_hash, user, domain, key) &&
                    ntlm_proof_compute(c, key, n->server_challenge, l->response.blob, proof) &&
                    ntlm_proof_session_key(c, key, proof, session);
    bool equal = computed && secret_equal(l->response.proof, span_of(proof, sizeof proof));
    if (equal) memcpy(session_key, session, sizeof session);
    explicit_bzero(key, sizeof key);
    explicit_bzero(proof, sizeof proof);
    explicit_bzero(session, sizeof session);
    return equal ? NTLM_PROVEN : computed ? NTLM_WRONG_PROOF : NTLM_FAILED;
}

enum ntlm_verdict ntlm_verify(const struct ntlm *n, const struct ntlm_login *l, const struct ntlm_policy *p,
                              const struct ntlm_crypto *c, const uint8_t *nt_hash)
{
    static const uint8_t nobody[16];
    uint8_t session_key[16] = {0};
    const uint8_t *hash = nt_hash ? nt_hash : nobody;
    enum ntlm_verdict named =
        check_proof(n, l, c, hash, span_of(l->domain_units, l->n_domain_units), session_key);
    enum ntlm_verdict nil = check_proof(n, l, c, hash, span_of(NULL, 0), session_key);
    enum ntlm_verdict more = ntlm_verify_key(n, l, p, c, session_key);
    explicit_bzero(session_key, sizeof session_key);
    if (named == NTLM_FAILED || nil == NTLM_FAILED) return NTLM_FAILED;
    if (!nt_hash || (named != NTLM_PROVEN && nil != NTLM_PROVEN)) return NTLM_WRONG_PROOF;
    return more;
}
