/* The stub keys use OpenSSL's method tables of the time before providers. They are deprecated, they are complete and proven
 * in 3.0, and a provider of our own would be several times this code: the warning is switched off in this file alone.
 *
 * RSA signs in a key method (EVP_PKEY_METHOD), which sees digest and padding, and not in the RSA method, which sees a padded
 * block only: the keyring must never be asked for a raw operation. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC diagnostic ignored                                                                               \
    "-Wcast-qual" /* the getters of RSA and EC_KEY give const objects to callers that may not have them */

#include "system/tls_private.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

static RSA_METHOD *rsa_method;
static EC_KEY_METHOD *ec_method;
static int rsa_index = -1, ec_index = -1;
static int (*rsa_sign_original)(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);

/* A key id as the pointer that OpenSSL keeps for us; never null. */
static void *id_pack(struct tls_key_id id)
{
    return (void *)(uintptr_t)(1 + ((uint64_t)id.server << 16 | id.certificate));
}

static struct tls_key_id id_unpack(const void *p)
{
    uint64_t v = (uint64_t)(uintptr_t)p - 1;
    return (struct tls_key_id){(uint16_t)(v >> 16), (uint16_t)v};
}

static bool rsa_scheme(EVP_PKEY_CTX *ctx, size_t digest_octets, enum sign_scheme *ret)
{
    int padding = 0, salt = 0;
    const EVP_MD *md = NULL, *mgf1 = NULL;
    if (EVP_PKEY_CTX_get_rsa_padding(ctx, &padding) != 1 || EVP_PKEY_CTX_get_signature_md(ctx, &md) != 1 ||
        !md)
        return false;
    bool pss = padding == RSA_PKCS1_PSS_PADDING;
    if (!pss && padding != RSA_PKCS1_PADDING) return false;
    if (pss &&
        (EVP_PKEY_CTX_get_rsa_pss_saltlen(ctx, &salt) != 1 || EVP_PKEY_CTX_get_rsa_mgf1_md(ctx, &mgf1) != 1))
        return false;
    if (pss && ((salt != RSA_PSS_SALTLEN_DIGEST && salt != (int)digest_octets) ||
                (mgf1 && EVP_MD_get_type(mgf1) != EVP_MD_get_type(md))))
        return false;
    switch (EVP_MD_get_type(md)) {
    case NID_md5_sha1: *ret = SIGN_RSA_PKCS1_MD5_SHA1; break;
    case NID_sha1: *ret = SIGN_RSA_PKCS1_SHA1; break;
    case NID_sha256: *ret = pss ? SIGN_RSA_PSS_SHA256 : SIGN_RSA_PKCS1_SHA256; break;
    case NID_sha384: *ret = pss ? SIGN_RSA_PSS_SHA384 : SIGN_RSA_PKCS1_SHA384; break;
    case NID_sha512: *ret = pss ? SIGN_RSA_PSS_SHA512 : SIGN_RSA_PKCS1_SHA512; break;
    default: return false;
    }
    return sign_digest_octets(*ret) == digest_octets && !(pss && sign_scheme_is_old(*ret));
}

static int rsa_sign(EVP_PKEY_CTX *ctx, unsigned char *signature, size_t *n, const unsigned char *digest,
                    size_t digest_n)
{
    EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(ctx);
    const RSA *rsa = key ? EVP_PKEY_get0_RSA(key) : NULL;
    const void *id = rsa ? RSA_get_ex_data(rsa, rsa_index) : NULL;
    if (!id) return rsa_sign_original(ctx, signature, n, digest, digest_n);
    size_t octets = (size_t)RSA_size(rsa);
    if (!signature) {
        *n = octets;
        return 1;
    }
    enum sign_scheme scheme;
    if (*n < octets || !rsa_scheme(ctx, digest_n, &scheme)) return 0;
    size_t made = tls_key_ask(id_unpack(id), scheme, span_of(digest, digest_n), signature, octets);
    if (made != octets) return 0;
    *n = made;
    return 1;
}

/* Raw operations: there is nobody to ask. */
static int rsa_refuse(int n, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
    (void)n, (void)from, (void)to, (void)rsa, (void)padding;
    return -1;
}

static int ec_sign(int type, const unsigned char *digest, int digest_n, unsigned char *signature, unsigned *n,
                   const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec)
{
    (void)type, (void)kinv, (void)r;
    const void *id = EC_KEY_get_ex_data(ec, ec_index);
    int max = ECDSA_size(ec);
    if (!id || max <= 0) return 0;
    enum sign_scheme scheme = digest_n == 20   ? SIGN_ECDSA_SHA1
                              : digest_n == 32 ? SIGN_ECDSA_SHA256
                              : digest_n == 48 ? SIGN_ECDSA_SHA384
                                               : SIGN_ECDSA_SHA512;
    if (digest_n < 0 || (size_t)digest_n != sign_digest_octets(scheme)) return 0;
    size_t made =
        tls_key_ask(id_unpack(id), scheme, span_of(digest, (size_t)digest_n), signature, (size_t)max);
    if (made == 0) return 0;
    *n = (unsigned)made;
    return 1;
}

static int ec_sign_setup(EC_KEY *ec, BN_CTX *ctx, BIGNUM **kinv, BIGNUM **r)
{
    (void)ec, (void)ctx, (void)kinv, (void)r;
    return 0;
}

static ECDSA_SIG *ec_sign_sig(const unsigned char *digest, int n, const BIGNUM *kinv, const BIGNUM *r,
                              EC_KEY *ec)
{
    (void)digest, (void)n, (void)kinv, (void)r, (void)ec;
    return NULL;
}

static bool rsa_method_make(void)
{
    if (rsa_method) return true;
    const EVP_PKEY_METHOD *original = EVP_PKEY_meth_find(EVP_PKEY_RSA);
    EVP_PKEY_METHOD *ours = EVP_PKEY_meth_new(EVP_PKEY_RSA, EVP_PKEY_FLAG_AUTOARGLEN);
    RSA_METHOD *m = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    if (!original || !ours || !m) goto fail;
    int (*init)(EVP_PKEY_CTX *);
    EVP_PKEY_meth_copy(ours, original);
    EVP_PKEY_meth_get_sign(original, &init, &rsa_sign_original);
    EVP_PKEY_meth_set_sign(ours, init, rsa_sign);
    if (RSA_meth_set1_name(m, "keyring") != 1 || RSA_meth_set_priv_enc(m, rsa_refuse) != 1 ||
        RSA_meth_set_priv_dec(m, rsa_refuse) != 1)
        goto fail;
    rsa_index = RSA_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (rsa_index < 0 || EVP_PKEY_meth_add0(ours) != 1) goto fail;
    rsa_method = m;
    return true;
fail:
    EVP_PKEY_meth_free(ours);
    RSA_meth_free(m);
    return false;
}

static bool ec_method_make(void)
{
    if (ec_method) return true;
    EC_KEY_METHOD *m = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    ec_index = m ? EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, NULL) : -1;
    if (ec_index < 0) {
        EC_KEY_METHOD_free(m);
        return false;
    }
    EC_KEY_METHOD_set_sign(m, ec_sign, ec_sign_setup, ec_sign_sig);
    ec_method = m;
    return true;
}

static EVP_PKEY *rsa_stub(EVP_PKEY *public, void *id)
{
    BIGNUM *n = NULL, *e = NULL;
    RSA *rsa = rsa_method_make() ? RSA_new() : NULL;
    EVP_PKEY *key = EVP_PKEY_new();
    bool good = rsa && key && EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                RSA_set0_key(rsa, n, e, NULL) == 1;
    if (good) n = e = NULL; /* now the key's */
    good = good && RSA_set_method(rsa, rsa_method) == 1 && RSA_set_ex_data(rsa, rsa_index, id) == 1 &&
           EVP_PKEY_assign_RSA(key, rsa) == 1;
    if (good) return key;
    BN_free(n);
    BN_free(e);
    RSA_free(rsa);
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *ec_stub(EVP_PKEY *public, void *id)
{
    unsigned char point[1 + 2 * 66];
    size_t n = 0;
    int nid = EVP_PKEY_get_bits(public) == 256 ? NID_X9_62_prime256v1 : NID_secp384r1;
    EC_KEY *ec = ec_method_make() ? EC_KEY_new_by_curve_name(nid) : NULL;
    EVP_PKEY *key = EVP_PKEY_new();
    bool good =
        ec && key && EC_KEY_set_method(ec, ec_method) == 1 &&
        EVP_PKEY_get_octet_string_param(public, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) == 1 &&
        EC_KEY_oct2key(ec, point, n, NULL) == 1 && EC_KEY_set_ex_data(ec, ec_index, id) == 1 &&
        EVP_PKEY_assign_EC_KEY(key, ec) == 1;
    if (good) return key;
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *tls_key_stub(EVP_PKEY *public, enum key_kind kind, struct tls_key_id id)
{
    return kind == KEY_KIND_RSA ? rsa_stub(public, id_pack(id)) : ec_stub(public, id_pack(id));
}
