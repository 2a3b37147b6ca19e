#include "system/signer.h"

#include "system/tls_certificate_private.h"
#include <openssl/err.h>
#include <openssl/rsa.h>

#define SECURE_HEAP_OCTETS   1048576
#define SECURE_HEAP_SMALLEST 32

static const enum sign_scheme schemes[] = {
    SIGN_RSA_PKCS1_SHA256, SIGN_RSA_PKCS1_SHA384, SIGN_RSA_PKCS1_SHA512, SIGN_RSA_PSS_SHA256,
    SIGN_RSA_PSS_SHA384,   SIGN_RSA_PSS_SHA512,   SIGN_ECDSA_SHA256,     SIGN_ECDSA_SHA384,
    SIGN_ECDSA_SHA512,     SIGN_RSA_PKCS1_SHA1,   SIGN_ECDSA_SHA1,       SIGN_RSA_PKCS1_MD5_SHA1};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

struct signer {
    EVP_PKEY *key;
    EVP_PKEY_CTX *ready[SCHEMES]; /* null: the scheme does not fit the key */
    uint8_t fingerprint[SIGN_FINGERPRINT_OCTETS];
};

bool signer_lock_memory(void)
{
    return CRYPTO_secure_malloc_initialized() ||
           CRYPTO_secure_malloc_init(SECURE_HEAP_OCTETS, SECURE_HEAP_SMALLEST) == 1;
}

static const EVP_MD *digest_of(enum sign_scheme scheme)
{
    switch (sign_digest_octets(scheme)) {
    case 20: return EVP_sha1();
    case 32: return EVP_sha256();
    case 36: return EVP_md5_sha1();
    case 48: return EVP_sha384();
    default: return EVP_sha512();
    }
}

static EVP_PKEY_CTX *scheme_prepare(EVP_PKEY *key, enum sign_scheme scheme)
{
    const EVP_MD *md = digest_of(scheme);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool good = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
    if (good &&
        sign_scheme_is_pss(scheme)) /* RFC 8446 4.2.3: salt as long as the digest, the same hash in MGF1 */
        good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    else if (good && sign_scheme_is_rsa(scheme))
        good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    if (good) return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

static bool signer_prepare(struct signer *s, bool old)
{
    bool rsa = tls_key_kind(s->key) == KEY_KIND_RSA;
    for (size_t i = 0; i < SCHEMES; i++) {
        if (sign_scheme_is_rsa(schemes[i]) != rsa || sign_scheme_is_old(schemes[i]) != old) continue;
        s->ready[i] = scheme_prepare(s->key, schemes[i]);
        if (!s->ready[i]) return false;
        uint8_t digest[64] = {0}, signature[SIGN_SIGNATURE_OCTETS_MAX];
        size_t n, octets = sign_digest_octets(schemes[i]);
        if (signer_sign(s, schemes[i], span_of(digest, octets), signature, &n) != SIGN_OK) return false;
        explicit_bzero(signature, sizeof signature);
    }
    return true;
}

struct signer *signer_load(struct span pem, const char *file, struct buf *problem)
{
    /* No configuration file of OpenSSL: nothing it names is loaded beside private keys. */
    bool ready = OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
    EVP_PKEY *key = ready ? tls_key_load(pem, file, problem) : NULL;
    if (!key) return NULL;
    struct signer *s = OPENSSL_zalloc(sizeof *s);
    if (!s) {
        EVP_PKEY_free(key);
        tls_problem(problem, file, "no memory", NULL);
        return NULL;
    }
    s->key = key;
    if (tls_key_fingerprint(key, s->fingerprint) && signer_prepare(s, false)) return s;
    tls_problem(problem, file, "the private key cannot sign", tls_error_text());
    signer_free(&s);
    return NULL;
}

bool signer_permit_old(struct signer *s)
{
    return signer_prepare(s, true);
}

void signer_free(struct signer **s)
{
    if (!*s) return;
    for (size_t i = 0; i < SCHEMES; i++)
        EVP_PKEY_CTX_free((*s)->ready[i]);
    EVP_PKEY_free((*s)->key); /* clears private numbers */
    OPENSSL_free(*s);
    *s = NULL;
}

enum sign_status signer_sign(struct signer *s, enum sign_scheme scheme, struct span digest,
                             uint8_t signature[SIGN_SIGNATURE_OCTETS_MAX], size_t *n)
{
    *n = 0;
    size_t octets = sign_digest_octets(scheme);
    if (octets == 0 || digest.n != octets) return SIGN_NOT_THIS;
    EVP_PKEY_CTX *ctx = NULL;
    for (size_t i = 0; i < SCHEMES; i++)
        if (schemes[i] == scheme) ctx = s->ready[i];
    if (!ctx) return SIGN_NOT_THIS;
    ERR_clear_error();
    size_t made = SIGN_SIGNATURE_OCTETS_MAX;
    if (EVP_PKEY_sign(ctx, signature, &made, digest.p, digest.n) != 1) {
        ERR_clear_error();
        return SIGN_ERROR;
    }
    *n = made;
    return SIGN_OK;
}

const uint8_t *signer_fingerprint(const struct signer *s)
{
    return s->fingerprint;
}
