/* NTLM ([MS-SMTPNTLM], [MS-NLMP]): NTLMv2 against NT hashes of the identity store, or of a domain (login_domain). sasl/ntlm is the
 * acceptor; here are its cryptography, the names, and what becomes of null sessions, guests and old responses: refused like a wrong
 * password, with a security event of their own (MS02-011). */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include "sasl/ntlm.h"
#include "service/login_domain.h"

struct exchange {
    struct ntlm ntlm;
    bool challenged;
    struct ntlm_login login;
};

/* --- cryptography */

static bool add_parts(EVP_MAC_CTX *c, const struct span *parts, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n && good; i++)
        good = parts[i].n == 0 || EVP_MAC_update(c, parts[i].p, parts[i].n) == 1;
    return good;
}

static bool hmac_md5(void *hmac, const uint8_t key[16], const struct span *parts, size_t n, uint8_t ret[16])
{
    EVP_MAC_CTX *c = EVP_MAC_CTX_dup(hmac); /* a fresh one each time: freeing it wipes the key */
    size_t octets = 0;
    bool good = c && EVP_MAC_init(c, key, 16, NULL) == 1 && add_parts(c, parts, n) &&
                EVP_MAC_final(c, ret, &octets, 16) == 1 && octets == 16;
    EVP_MAC_CTX_free(c);
    return good;
}

static bool md5(void *hmac, const struct span *parts, size_t n, uint8_t ret[16])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    (void)hmac;
    bool good = c && EVP_DigestInit_ex(c, EVP_md5(), NULL) == 1;
    for (size_t i = 0; i < n && good; i++)
        good = parts[i].n == 0 || EVP_DigestUpdate(c, parts[i].p, parts[i].n) == 1;
    good = good && EVP_DigestFinal_ex(c, ret, NULL) == 1;
    EVP_MD_CTX_free(c);
    return good;
}

bool login_ntlm_begin(struct login_thread *t)
{
    char digest[] = "MD5";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;
    uint8_t key[16] = {0}, result[16];
    EVP_MAC_free(mac); /* the context holds it */
    t->hmac_md5 = c;
    return c && EVP_MAC_CTX_set_params(c, parameters) == 1 && hmac_md5(c, key, NULL, 0, result) &&
           md5(c, NULL, 0, result);
}

void login_ntlm_end(struct login_thread *t)
{
    EVP_MAC_CTX_free(t->hmac_md5);
    t->hmac_md5 = NULL;
}

/* --- CHALLENGE */

/* A server of its own domain says nothing of itself that its greeting does not say ([MS-NLMP] 2.2.2.1 wants both NetBIOS names). */
static enum login_kind challenge(struct login *l, struct exchange *x, struct span negotiate)
{
    struct span host = l->world->config->servers[l->begin.server].hostname;
    struct span label = span_head(span_head(host, span_find(host, '.')), LIMIT_NETBIOS_NAME_OCTETS);
    uint8_t memory[LIMIT_NETBIOS_NAME_OCTETS], random[8];
    struct buf name = buf_on(memory, sizeof memory);
    for (size_t i = 0; i < label.n; i++)
        buf_byte(&name, label.p[i] >= 'a' && label.p[i] <= 'z' ? label.p[i] & 0xdf : label.p[i]);
    const struct ntlm_target target = {buf_span(&name), buf_span(&name), host, host};
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return LOGIN_LATER;
    if (!ntlm_challenge(&x->ntlm, &target, negotiate, random, l->unix_seconds * 1000, &l->out))
        return LOGIN_MALFORMED;
    x->challenged = true;
    l->outside = l->world->config->n_winbinds > 0;
    return LOGIN_CHALLENGE;
}

/* --- AUTHENTICATE */

/* Whom the client means: "user@domain" whatever stands in the domain's field, which proves nothing; else the field (or what stands before a
 * backslash) counts where it is a domain's name, and not where it is a workgroup's: then it is a user of the first domain. A label of an
 * app password stays behind the name. False: too long. */
static bool put_name(const struct ntlm_login *n, struct buf *ret)
{
    struct span user = n->user, domain = n->domain;
    size_t backslash = span_rfind(user, '\\');
    if (backslash != SPAN_NPOS) {
        domain = span_head(user, backslash);
        user = span_skip(user, backslash + 1);
    }
    size_t slash = span_find(user, '/');
    struct span local = span_head(user, slash);
    buf_put(ret, local);
    if (span_find(local, '@') == SPAN_NPOS && span_find(domain, '.') != SPAN_NPOS) {
        buf_byte(ret, '@');
        buf_put(ret, domain);
    }
    buf_put(ret, span_skip(user, local.n));
    return !ret->over;
}

static enum login_kind verified(struct login *l, enum ntlm_verdict v)
{
    static const enum login_reason reasons[] = {
        [NTLM_WRONG_MIC] = LOGIN_REASON_MIC,
        [NTLM_WRONG_BINDINGS] = LOGIN_REASON_BINDING,
        [NTLM_NO_BINDINGS] = LOGIN_REASON_NO_BINDING,
        [NTLM_WRONG_TIME] = LOGIN_REASON_CLOCK,
    };
    switch (v) {
    case NTLM_PROVEN: break;
    case NTLM_WRONG_PROOF: return login_fail_proof(l, l->who.has_nt);
    case NTLM_FAILED: return LOGIN_LATER;
    default: return login_fail(l, reasons[v]);
    }
    l->proven = true;
    return LOGIN_SUCCESS;
}

static struct ntlm_policy policy_of(const struct login *l)
{
    return (struct ntlm_policy){l->world->config->servers[l->begin.server].ntlm_bindings, l->begin.end_point};
}

static enum login_kind verify(struct login *l, struct login_thread *t, struct exchange *x)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    const struct ntlm_crypto crypto = {t->hmac_md5, hmac_md5, md5};
    const struct ntlm_policy policy = policy_of(l);
    if (!put_name(&x->login, &name)) return LOGIN_MALFORMED;
    if (!login_find(l, t, buf_span(&name))) return LOGIN_LATER;
    return verified(l, ntlm_verify(&x->ntlm, &x->login, &policy, &crypto, l->who.has_nt ? l->who.nt : NULL));
}

/* The account of the domain that the client means, however it writes it. */
static void suspect(struct login *l, struct login_thread *t, struct span user, const struct config_winbind *w)
{
    size_t backslash = span_rfind(user, '\\');
    if (backslash != SPAN_NPOS) user = span_skip(user, backslash + 1);
    login_suspect(l, t, span_head(user, span_find(user, '@')), w->domain);
}

/* The same for somebody whose password a domain controller has. */
static enum login_kind verify_domain(struct login *l, struct login_thread *t, struct exchange *x,
                                     const struct config_winbind *w)
{
    const struct ntlm_crypto crypto = {t->hmac_md5, hmac_md5, md5};
    const struct ntlm_policy policy = policy_of(l);
    struct domain_answer a;
    struct span name;
    enum login_kind kind = login_domain(l, w, &x->ntlm, &x->login, &a, &name);
    enum ntlm_verdict v = NTLM_FAILED;
    if (kind == LOGIN_SUCCESS) v = ntlm_verify_key(&x->ntlm, &x->login, &policy, &crypto, a.session_key);
    explicit_bzero(a.session_key, sizeof a.session_key);
    if (kind == LOGIN_REFUSED) suspect(l, t, x->login.user, w);
    if (kind != LOGIN_SUCCESS) return kind;
    return v == NTLM_PROVEN ? login_outside(l, t, name, a.groups, a.n_groups) : verified(l, v);
}

static enum login_kind answer(struct login *l, struct login_thread *t, struct exchange *x,
                              struct span authenticate)
{
    static const enum login_reason reasons[] = {[NTLM_ANONYMOUS] = LOGIN_REASON_ANONYMOUS,
                                                [NTLM_GUEST] = LOGIN_REASON_GUEST,
                                                [NTLM_OLD] = LOGIN_REASON_NTLMV1};
    enum ntlm_kind kind = ntlm_read(authenticate, &x->login);
    if (kind == NTLM_MALFORMED) return LOGIN_MALFORMED;
    const struct config_winbind *w = kind == NTLM_USER ? login_domain_of(l->world->config, &x->login) : NULL;
    if (kind == NTLM_USER) return w ? verify_domain(l, t, x, w) : verify(l, t, x);
    login_claim(l, x->login.user);
    return login_fail(l, reasons[kind]);
}

enum login_kind login_ntlm(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    struct exchange *x = l->state;
    if (!x) {
        x = l->state = arena_take(l->arena, sizeof *x);
        if (!x) return LOGIN_LATER;
        if (!initial) return LOGIN_CHALLENGE; /* [MS-SMTPNTLM] 3.2.5: any text; an empty one is base64, too */
    }
    return x->challenged ? answer(l, t, x, response) : challenge(l, x, response);
}
