#include "system/tls_selfsigned.h"

#include "base/limits.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define CLOCK_SKEW_SECONDS 3600

/* Letters, digits, '-' and '.': what stands in the names below must not be able to say more than one name. */
static bool domain_good(struct span d)
{
    if (d.n == 0 || d.n > 253) return false;
    for (size_t i = 0; i < d.n; i++) {
        uint8_t c = octet_lower(d.p[i]);
        if (c == '.' && i > 0 && d.p[i - 1] == '.') return false;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) return false;
    }
    return d.p[0] != '.' && d.p[0] != '-' && d.p[d.n - 1] != '.';
}

static bool name_set(X509 *x, const char *domain)
{
    /* RFC 5280 A.1: a common name has at most 64 characters; the names that count are in subjectAltName. */
    const char *common = strlen(domain) <= 64 ? domain : "sallyport";
    X509_NAME *name = X509_get_subject_name(x);
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)common, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(x, name) == 1;
}

static bool extension_add(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

static bool serial_set(X509 *x)
{
    unsigned char octets[16];
    if (RAND_bytes(octets, sizeof octets) != 1) return false;
    octets[0] = (unsigned char)((octets[0] & 0x7f) | 0x40); /* positive, and always 16 octets */
    BIGNUM *n = BN_bin2bn(octets, sizeof octets, NULL);
    bool good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return good;
}

static bool certificate_fill(X509 *x, EVP_PKEY *key, const char *domain, uint64_t unix_seconds)
{
    char names[2 * LIMIT_DOMAIN_OCTETS + 32];
    struct buf b = buf_on(names, sizeof names);
    buf_str(&b, "DNS:");
    buf_str(&b, domain);
    if (!span_eq(span_str(domain), SPAN("localhost"))) buf_str(&b, ",DNS:localhost");
    buf_byte(&b, 0);
    time_t from = (time_t)unix_seconds;
    return !b.over && X509_set_version(x, X509_VERSION_3) == 1 && serial_set(x) && name_set(x, domain) &&
           X509_time_adj_ex(X509_getm_notBefore(x), 0, -CLOCK_SKEW_SECONDS, &from) &&
           X509_time_adj_ex(X509_getm_notAfter(x), TLS_SELFSIGNED_DAYS, -CLOCK_SKEW_SECONDS, &from) &&
           X509_set_pubkey(x, key) == 1 && extension_add(x, NID_basic_constraints, "critical,CA:FALSE") &&
           extension_add(x, NID_key_usage, "critical,digitalSignature") &&
           extension_add(x, NID_ext_key_usage, "serverAuth,clientAuth") &&
           extension_add(x, NID_subject_alt_name, names) &&
           extension_add(x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0;
}

static bool bio_take(BIO *b, struct buf *to)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    if (n <= 0) return false;
    buf_put(to, span_of(p, (size_t)n));
    return !to->over;
}

bool tls_selfsigned(struct span domain, uint64_t unix_seconds, struct buf *key, struct buf *certificate)
{
    if (!domain_good(domain)) return false;
    char name[LIMIT_DOMAIN_OCTETS + 1];
    for (size_t i = 0; i < domain.n; i++)
        name[i] = (char)octet_lower(domain.p[i]);
    name[domain.n] = '\0';
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *key_out = BIO_new(BIO_s_secmem()), *certificate_out = BIO_new(BIO_s_mem());
    bool good = k && x && key_out && certificate_out && certificate_fill(x, k, name, unix_seconds) &&
                PEM_write_bio_PKCS8PrivateKey(key_out, k, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_bio_X509(certificate_out, x) == 1 && bio_take(key_out, key) &&
                bio_take(certificate_out, certificate);
    BIO_free(key_out); /* secmem: cleared */
    BIO_free(certificate_out);
    X509_free(x);
    EVP_PKEY_free(k);
    ERR_clear_error();
    return good;
}
