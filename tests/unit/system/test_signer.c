#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

static const enum sign_scheme schemes[] = {
    SIGN_RSA_PKCS1_SHA256, SIGN_RSA_PKCS1_SHA384, SIGN_RSA_PKCS1_SHA512, SIGN_RSA_PSS_SHA256,
    SIGN_RSA_PSS_SHA384,   SIGN_RSA_PSS_SHA512,   SIGN_ECDSA_SHA256,     SIGN_ECDSA_SHA384,
    SIGN_ECDSA_SHA512,     SIGN_RSA_PKCS1_SHA1,   SIGN_ECDSA_SHA1,       SIGN_RSA_PKCS1_MD5_SHA1};

static bool verifies(EVP_PKEY *key, enum sign_scheme scheme, struct span digest, const uint8_t *signature,
                     size_t n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    const EVP_MD *md = digest.n == 20   ? EVP_sha1()
                       : digest.n == 32 ? EVP_sha256()
                       : digest.n == 36 ? EVP_md5_sha1()
                       : digest.n == 48 ? EVP_sha384()
                                        : EVP_sha512();
    assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
    if (sign_scheme_is_rsa(scheme))
        EVP_PKEY_CTX_set_rsa_padding(ctx,
                                     sign_scheme_is_pss(scheme) ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING);
    assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, md), 1);
    if (sign_scheme_is_pss(scheme)) EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
    bool good = EVP_PKEY_verify(ctx, signature, n, digest.p, digest.n) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static void every_scheme(const struct tls_material *m, bool rsa, bool old)
{
    char text[256];
    struct buf problem = buf_on(text, sizeof text);
    struct signer *s = signer_load(m->key_pem, "key.pem", &problem);
    assert_non_null(s);
    if (old) assert_true(signer_permit_old(s));
    BIO *b = BIO_new_mem_buf(m->chain_pem.p, (int)m->chain_pem.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    uint8_t digest[64], signature[SIGN_SIGNATURE_OCTETS_MAX];
    memset(digest, 0x3c, sizeof digest);
    for (unsigned i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n, octets = sign_digest_octets(schemes[i]);
        struct span d = span_of(digest, octets);
        enum sign_status status = signer_sign(s, schemes[i], d, signature, &n);
        bool fits = sign_scheme_is_rsa(schemes[i]) == rsa && (old || !sign_scheme_is_old(schemes[i]));
        assert_int_equal(status, fits ? SIGN_OK : SIGN_NOT_THIS);
        if (status != SIGN_OK) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_true(verifies(X509_get0_pubkey(x), schemes[i], d, signature, n));
        digest[0] ^= 1;
        assert_false(verifies(X509_get0_pubkey(x), schemes[i], d, signature, n));
        digest[0] ^= 1;
        for (size_t wrong = 0; wrong <= 64; wrong++)
            if (wrong != octets)
                assert_int_equal(signer_sign(s, schemes[i], span_of(digest, wrong), signature, &n),
                                 SIGN_NOT_THIS);
    }
    size_t n;
    assert_int_equal(signer_sign(s, (enum sign_scheme)0x0202, span_of(digest, 20), signature, &n),
                     SIGN_NOT_THIS);
    X509_free(x);
    BIO_free(b);
    signer_free(&s);
    assert_null(s);
}

static void test_signatures(void **state)
{
    (void)state;
    static struct tls_material ec, rsa;
    tls_material_make(&ec, false, "DNS:a", 9);
    tls_material_make(&rsa, true, "DNS:a", 9);
    every_scheme(&ec, false, false);
    every_scheme(&rsa, true, false);
    every_scheme(&ec, false, true);
    every_scheme(&rsa, true, true);
    signer_lock_memory(); /* the same from the locked heap, as in the keyring */
    every_scheme(&ec, false, true);
    every_scheme(&rsa, true, true);
}

static void test_refuses_files(void **state)
{
    (void)state;
    char text[256];
    struct buf problem = buf_on(text, sizeof text - 1);
    assert_null(signer_load(SPAN("no key"), "/etc/x/key.pem", &problem));
    text[problem.n] = '\0';
    assert_non_null(strstr(text, "/etc/x/key.pem: no private key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_signatures),
                                       cmocka_unit_test(test_refuses_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
