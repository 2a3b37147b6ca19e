#include "system/tls_certificate_private.h"

#include "base/limits.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define EXPIRES_SOON_SECONDS (14 * 86400)

void tls_problem(struct buf *problem, const char *file, const char *text, const char *detail)
{
    if (problem->n > 0) buf_str(problem, "; ");
    buf_escaped(problem, span_str(file), 512);
    buf_str(problem, ": ");
    buf_str(problem, text);
    if (detail) {
        buf_str(problem, " (");
        buf_escaped(problem, span_str(detail), 128);
        buf_str(problem, ")");
    }
}

const char *tls_error_text(void)
{
    unsigned long code = ERR_peek_error();
    ERR_clear_error();
    return code ? ERR_reason_error_string(code) : NULL;
}

enum key_kind tls_key_kind(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA")) return bits >= 2048 && bits <= 4096 ? KEY_KIND_RSA : KEY_KIND_OTHER;
    if (!EVP_PKEY_is_a(key, "EC")) return KEY_KIND_OTHER;
    char group[32];
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1) return KEY_KIND_OTHER;
    return strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ? KEY_KIND_EC : KEY_KIND_OTHER;
}

bool tls_key_fingerprint(const EVP_PKEY *key, uint8_t ret[32])
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    if (n <= 0) return false;
    bool good = EVP_Digest(der, (size_t)n, ret, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return good;
}

/* The library's own callback would ask on the terminal. */
static int no_passphrase(char *p, int max, int writing, void *asked)
{
    (void)p, (void)max, (void)writing;
    if (asked) *(bool *)asked = true;
    return -1;
}

EVP_PKEY *tls_key_load(struct span pem, const char *file, struct buf *problem)
{
    if (pem.n == 0 || pem.n > LIMIT_KEY_OCTETS) {
        tls_problem(problem, file, pem.n ? "too long for a private key" : "empty", NULL);
        return NULL;
    }
    ERR_clear_error();
    bool asked = false;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, &asked) : NULL;
    BIO_free(b);
    const char *reason = tls_error_text();
    if (!key) {
        if (asked)
            tls_problem(problem, file, "the private key is protected by a passphrase; store it without one",
                        NULL);
        else
            tls_problem(problem, file, "no private key in PEM form", reason);
        return NULL;
    }
    if (tls_key_kind(key) == KEY_KIND_OTHER) {
        tls_problem(problem, file,
                    "unsupported kind of key: RSA of 2048 to 4096 bits, EC P-256 and P-384 are", NULL);
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static bool name_add(struct tls_chain *c, const unsigned char *p, size_t n)
{
    if (n == 0 || n > LIMIT_DOMAIN_OCTETS || c->n_names == LIMIT_TLS_NAMES) return true;
    char *name = OPENSSL_malloc(n + 1);
    if (!name) return false;
    for (size_t i = 0; i < n; i++)
        name[i] = (char)octet_lower(p[i]);
    name[n] = '\0';
    c->names[c->n_names++] = name;
    return true;
}

static bool common_name(struct tls_chain *c)
{
    const X509_NAME *subject = X509_get_subject_name(c->leaf);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return true;
    const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    c->names = OPENSSL_zalloc(sizeof *c->names);
    return c->names && name_add(c, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static bool names_read(struct tls_chain *c)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    if (!all) return common_name(c);
    int n = sk_GENERAL_NAME_num(all);
    bool good = true;
    if (n > 0) {
        c->names = OPENSSL_zalloc((size_t)(n < LIMIT_TLS_NAMES ? n : LIMIT_TLS_NAMES) * sizeof *c->names);
        good = c->names != NULL;
    }
    for (int i = 0; i < n && good; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        if (g->type != GEN_DNS) continue;
        good = name_add(c, ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
    }
    GENERAL_NAMES_free(all);
    return good;
}

bool tls_pem_ended(void)
{
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) return false;
    ERR_clear_error();
    return true;
}

bool tls_certificates_read(BIO *pem, STACK_OF(X509) * to)
{
    for (;;) {
        X509 *x = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
        if (!x) break;
        if (!sk_X509_push(to, x)) {
            X509_free(x);
            return false;
        }
    }
    return tls_pem_ended();
}

/* Octets of them in a handshake; 0: no memory. */
static size_t subjects_take(const STACK_OF(X509) * all, STACK_OF(X509_NAME) * names)
{
    size_t octets = 0;
    for (int i = 0; i < sk_X509_num(all); i++) {
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(sk_X509_value(all, i)));
        int n = name ? i2d_X509_NAME(name, NULL) : -1;
        if (n < 0 || !sk_X509_NAME_push(names, name)) {
            X509_NAME_free(name);
            return 0;
        }
        octets += 2 + (size_t)n;
    }
    return octets;
}

STACK_OF(X509_NAME) * tls_subjects(struct span pem)
{
    if (pem.n == 0 || pem.n > LIMIT_AUTHORITIES_OCTETS) return NULL;
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    STACK_OF(X509) *all = sk_X509_new_null();
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    ERR_clear_error();
    size_t octets = in && all && names && tls_certificates_read(in, all) ? subjects_take(all, names) : 0;
    BIO_free(in);
    sk_X509_pop_free(all, X509_free);
    ERR_clear_error();
    if (octets > 0 && octets <= LIMIT_AUTHORITY_NAMES_OCTETS) return names;
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return NULL;
}

bool tls_subjects_fit(struct span pem)
{
    STACK_OF(X509_NAME) *names = tls_subjects(pem);
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return names != NULL;
}

static bool chain_parse(struct tls_chain *c, BIO *b, const char *file, struct buf *problem)
{
    c->leaf = PEM_read_bio_X509(b, NULL, no_passphrase, NULL);
    if (!c->leaf) {
        tls_problem(problem, file, "no certificate in PEM form", tls_error_text());
        return false;
    }
    if (!tls_certificates_read(b, c->rest)) {
        tls_problem(problem, file, "a certificate behind the first one is broken", tls_error_text());
        return false;
    }
    c->public = X509_get0_pubkey(c->leaf);
    c->kind = c->public ? tls_key_kind(c->public) : KEY_KIND_OTHER;
    if (c->kind == KEY_KIND_OTHER) {
        ERR_clear_error();
        tls_problem(problem, file,
                    "unsupported kind of key: RSA of 2048 to 4096 bits, EC P-256 and P-384 are", NULL);
        return false;
    }
    return true;
}

bool tls_chain_load(struct tls_chain *ret, struct span pem, const char *file, struct buf *problem)
{
    if (pem.n == 0 || pem.n > LIMIT_CHAIN_OCTETS) {
        tls_problem(problem, file, pem.n ? "too long for a certificate chain" : "empty", NULL);
        return false;
    }
    ERR_clear_error();
    struct tls_chain c = {.rest = sk_X509_new_null()};
    size_t before = problem->n;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    bool good = b && c.rest && chain_parse(&c, b, file, problem) && names_read(&c);
    BIO_free(b);
    if (good) {
        *ret = c;
        return true;
    }
    if (problem->n == before) tls_problem(problem, file, "no memory", NULL);
    tls_chain_free(&c);
    ERR_clear_error();
    return false;
}

void tls_chain_free(struct tls_chain *c)
{
    X509_free(c->leaf);
    sk_X509_pop_free(c->rest, X509_free);
    for (size_t i = 0; i < c->n_names; i++)
        OPENSSL_free(c->names[i]);
    OPENSSL_free(c->names);
    *c = (struct tls_chain){0};
}

unsigned tls_chain_covers(const struct tls_chain *c, struct span name)
{
    unsigned best = 0;
    size_t dot = span_find(name, '.');
    struct span parent = dot == SPAN_NPOS ? span_of(NULL, 0) : span_skip(name, dot);
    for (size_t i = 0; i < c->n_names; i++) {
        struct span have = span_str(c->names[i]);
        if (span_eq_nocase(have, name)) return 2;
        /* "*.example.org" covers one label, and never a whole top level domain */
        if (have.n > 2 && have.p[0] == '*' && have.p[1] == '.' && dot != SPAN_NPOS && dot > 0 &&
            span_find(span_skip(have, 2), '.') != SPAN_NPOS && span_eq_nocase(span_skip(have, 1), parent))
            best = 1;
    }
    return best;
}

static void date_put(struct buf *b, const ASN1_TIME *when)
{
    struct tm t;
    if (ASN1_TIME_to_tm(when, &t) != 1) return;
    buf_u64_pad(b, (uint64_t)t.tm_year + 1900, 4);
    buf_byte(b, '-');
    buf_u64_pad(b, (uint64_t)t.tm_mon + 1, 2);
    buf_byte(b, '-');
    buf_u64_pad(b, (uint64_t)t.tm_mday, 2);
}

static void date_problem(struct buf *problem, const char *file, const char *text, const ASN1_TIME *when)
{
    tls_problem(problem, file, text, NULL);
    date_put(problem, when);
}

static bool chain_expired(const struct tls_chain *c, uint64_t unix_seconds)
{
    time_t now = (time_t)unix_seconds;
    return X509_cmp_time(X509_get0_notAfter(c->leaf), &now) <= 0;
}

/* True if there is something to say about the dates or names. */
static bool chain_warn(const struct tls_chain *c, const char *file, uint64_t unix_seconds,
                       struct buf *problem)
{
    size_t before = problem->n;
    time_t now = (time_t)unix_seconds, soon = now + EXPIRES_SOON_SECONDS;
    const ASN1_TIME *from = X509_get0_notBefore(c->leaf), *until = X509_get0_notAfter(c->leaf);
    if (chain_expired(c, unix_seconds))
        date_problem(problem, file, "the certificate expired on ", until);
    else if (X509_cmp_time(until, &soon) <= 0)
        date_problem(problem, file, "the certificate expires on ", until);
    if (X509_cmp_time(from, &now) > 0)
        date_problem(problem, file, "the certificate is not valid before ", from);
    if (c->n_names == 0) tls_problem(problem, file, "the certificate names no host", NULL);
    ERR_clear_error();
    return problem->n != before;
}

enum tls_certificate_result tls_certificate_check(struct span chain, const char *chain_file, struct span key,
                                                  const char *key_file, uint64_t unix_seconds,
                                                  struct buf *problem)
{
    struct tls_chain c;
    if (!tls_chain_load(&c, chain, chain_file, problem)) return TLS_CERTIFICATE_BAD;
    enum tls_certificate_result result = TLS_CERTIFICATE_GOOD;
    if (key.n > 0) {
        EVP_PKEY *k = tls_key_load(key, key_file, problem);
        if (!k) {
            result = TLS_CERTIFICATE_BAD;
        } else if (EVP_PKEY_eq(k, c.public) != 1) {
            tls_problem(problem, key_file, "this private key does not belong to the certificate in ", NULL);
            buf_escaped(problem, span_str(chain_file), 512);
            result = TLS_CERTIFICATE_BAD;
        }
        EVP_PKEY_free(k);
    }
    if (chain_warn(&c, chain_file, unix_seconds, problem) && result == TLS_CERTIFICATE_GOOD)
        result =
            TLS_CERTIFICATE_WARNING; /* an expired one still encrypts: most senders do not look, no mail is worse */
    tls_chain_free(&c);
    ERR_clear_error();
    return result;
}
