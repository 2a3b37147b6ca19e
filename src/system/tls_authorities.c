/* Macros of OpenSSL that only read a text cast its constness away. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#include "system/tls_authorities.h"

#include "base/calendar.h"
#include "system/tls_authorities_private.h"
#include "system/tls_certificate_private.h"
#include "system/tls_private.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { SECURITY_LEVEL = 2, CA_BY_BASIC_CONSTRAINTS = 1 };

/* --- the file */

/* X509_check_ca also tolerates certificates that say nothing; a client's own certificate must not come in as an authority. */
static const char *add_all(X509_STORE *store, STACK_OF(X509) * all)
{
    bool root = false;
    for (int i = 0; i < sk_X509_num(all); i++) {
        X509 *x = sk_X509_value(all, i);
        if (X509_check_ca(x) != CA_BY_BASIC_CONSTRAINTS)
            return "a certificate in it is not an authority's (basicConstraints)";
        root |= (X509_get_extension_flags(x) & EXFLAG_SS) != 0;
        if (X509_STORE_add_cert(store, x) != 1) return "no memory";
    }
    return root ? NULL : "there is no root among its certificates";
}

static const char *read_all(X509_STORE *store, BIO *in, STACK_OF(X509) * all)
{
    if (!store || !in || !all) return "no memory";
    if (!tls_certificates_read(in, all)) return "a certificate in it is broken";
    if (sk_X509_num(all) == 0) return "it holds no certificate";
    return add_all(store, all);
}

/* OpenSSL fetches algorithms, and libc reads the time zone, when the first certificate is verified: not in the cage. */
static void warm_up(const struct tls_authorities *a, STACK_OF(X509) * all)
{
    struct tls_vouched *ret = OPENSSL_malloc(sizeof *ret);
    for (int i = 0; ret && i < sk_X509_num(all); i++) {
        X509 *x = sk_X509_value(all, i);
        uint8_t *der = NULL;
        int n = i2d_X509(x, &der);
        if (n > 0) (void)tls_authorities_vouch(a, span_of(der, (size_t)n), 0, ret);
        OPENSSL_free(der);
        (void)X509_verify(x, X509_get0_pubkey(x));
    }
    OPENSSL_free(ret);
    ERR_clear_error();
}

struct tls_authorities *tls_authorities_create(struct span pem, const char **why)
{
    *why = "too long for a file of certificate authorities";
    if (pem.n > LIMIT_AUTHORITIES_OCTETS) return NULL;
    *why = "no memory";
    struct tls_authorities *a = tls_library() ? OPENSSL_zalloc(sizeof *a) : NULL;
    if (!a) return NULL;
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *in = BIO_new_mem_buf(pem.n ? pem.p : (const uint8_t *)"", (int)pem.n);
    a->store = X509_STORE_new();
    ERR_clear_error();
    *why = read_all(a->store, in, all);
    if (!*why) warm_up(a, all);
    BIO_free(in);
    sk_X509_pop_free(all, X509_free);
    ERR_clear_error();
    if (*why) tls_authorities_free(&a);
    return a;
}

void tls_authorities_free(struct tls_authorities **a)
{
    if (!*a) return;
    X509_STORE_free((*a)->store);
    OPENSSL_free(*a);
    *a = NULL;
}

/* --- who made it, until when, what for */

static enum tls_vouched_verdict verdict_of(int error)
{
    switch (error) {
    case X509_V_OK: return TLS_VOUCHED;
    case X509_V_ERR_CERT_HAS_EXPIRED: return TLS_VOUCHED_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return TLS_VOUCHED_EARLY;
    case X509_V_ERR_INVALID_PURPOSE: return TLS_VOUCHED_PURPOSE;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK: return TLS_VOUCHED_WEAK;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX: return TLS_VOUCHED_NAMES;
    case X509_V_ERR_CERT_REVOKED: return TLS_VOUCHED_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR: return TLS_VOUCHED_LIST;
    default: return TLS_VOUCHED_NOT;
    }
}

/* By way of our own calendar: timegm would look for a time zone. False: no time of 1970 to 9999. */
static bool seconds_of(const ASN1_TIME *when, uint64_t *ret)
{
    struct tm t;
    uint8_t memory[32];
    size_t n;
    struct buf text = buf_on(memory, sizeof memory);
    if (ASN1_TIME_to_tm(when, &t) != 1 || t.tm_year < 70) return false;
    const struct calendar c = {.year = (uint32_t)t.tm_year + 1900,
                               .month = (uint32_t)t.tm_mon + 1,
                               .day = (uint32_t)t.tm_mday,
                               .hour = (uint32_t)t.tm_hour,
                               .minute = (uint32_t)t.tm_min,
                               .second = (uint32_t)t.tm_sec};
    calendar_put(&text, &c);
    return calendar_read(buf_span(&text), ret, &n);
}

static bool chain_ends(X509_STORE_CTX *ctx, uint64_t *ends)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    *ends = UINT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        uint64_t until;
        if (!seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)), &until)) return false;
        if (until < *ends) *ends = until;
    }
    return true;
}

static enum tls_vouched_verdict chain_verify(const struct tls_authorities *a, X509 *x, uint64_t unix_seconds,
                                             bool lists, struct tls_vouched *ret)
{
    enum tls_vouched_verdict verdict = TLS_VOUCHED_NOT;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (ctx && X509_STORE_CTX_init(ctx, a->store, x, NULL) == 1) {
        X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_depth(rules, LIMIT_TLS_CHAIN_DEPTH);
        X509_VERIFY_PARAM_set_auth_level(rules, SECURITY_LEVEL);
        X509_VERIFY_PARAM_set_time(rules, (time_t)unix_seconds);
        if (lists) X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        bool asked = X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1;
        bool good = asked && X509_verify_cert(ctx) == 1 && chain_ends(ctx, &ret->ends);
        int error = X509_STORE_CTX_get_error(ctx);
        if (!good) ret->detail = X509_verify_cert_error_string(error);
        if (good || error != X509_V_OK) verdict = verdict_of(error);
    }
    X509_STORE_CTX_free(ctx);
    return verdict;
}

/* --- its names */

/* A blank, a control character or a NUL is in no name of a user or host: whoever signed that was deceived, or deceives. */
static bool is_clean(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~') return false;
    return s.n > 0;
}

static bool name_take(const GENERAL_NAME *g, struct buf *memory, struct tls_vouched *ret)
{
    if (g->type != GEN_DNS && g->type != GEN_EMAIL) return true;
    const ASN1_STRING *text = g->type == GEN_DNS ? g->d.dNSName : g->d.rfc822Name;
    const struct span s = span_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    const bool host = g->type == GEN_DNS;
    if (!is_clean(s)) return false;
    if (host && span_find(s, '*') != SPAN_NPOS) return true;
    if (ret->n == LIMIT_CLIENT_CERTIFICATE_NAMES) return false;
    ret->names[ret->n++] = (struct tls_vouched_name){host, span_of(ret->memory + memory->n, s.n)};
    buf_put(memory, s);
    return !memory->over;
}

static bool names_take(const X509 *x, struct tls_vouched *ret)
{
    struct buf memory = buf_on(ret->memory, sizeof ret->memory);
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL); /* null: said twice, too */
    bool good = all != NULL;
    for (int i = 0; good && i < sk_GENERAL_NAME_num(all); i++)
        good = name_take(sk_GENERAL_NAME_value(all, i), &memory, ret);
    GENERAL_NAMES_free(all);
    if (!good) ret->n = 0;
    return ret->n > 0;
}

enum tls_vouched_verdict tls_authorities_vouch(const struct tls_authorities *a, struct span certificate,
                                               uint64_t unix_seconds, struct tls_vouched *ret)
{
    enum tls_vouched_verdict verdict = TLS_VOUCHED_NOT;
    const uint8_t *p = certificate.p;
    ret->n = 0;
    ret->ends = 0;
    ret->detail = NULL;
    X509 *x = certificate.n > 0 && certificate.n <= LIMIT_CLIENT_CERTIFICATE_OCTETS
                  ? d2i_X509(NULL, &p, (long)certificate.n)
                  : NULL;
    if (x) verdict = chain_verify(a, x, unix_seconds, false, ret);
    /* OpenSSL asks the lists before it looks at signatures: what nobody made is not excused by a list that is missing */
    if (verdict == TLS_VOUCHED && a->lists) verdict = chain_verify(a, x, unix_seconds, true, ret);
    if (verdict == TLS_VOUCHED && !names_take(x, ret)) verdict = TLS_VOUCHED_NAMES;
    X509_free(x);
    ERR_clear_error();
    return verdict;
}
