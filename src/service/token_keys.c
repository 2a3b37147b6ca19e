#include "service/token_keys.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/base64.h"

enum {
    P256_OCTETS = 32,    /* of a coordinate, and of r and s */
    ED25519_OCTETS = 32, /* RFC 8032 5.1.5 */
    RSA_BITS_MIN = 2048, /* RFC 7518 3.3 */
    RSA_BITS_MAX = 8192,
    EXPONENT_OCTETS = 8,
    NUMBER_OCTETS = RSA_BITS_MAX / 8 + 1,
};
#define ALGORITHM(a) (1u << (a))

struct token_key {
    EVP_PKEY *key;
    char kid[LIMIT_TOKEN_TEXT_OCTETS];
    size_t kid_n;        /* 0: it has no name */
    unsigned algorithms; /* that it is made for */
};

struct token_keys {
    struct token_key keys[LIMIT_TOKEN_KEYS];
    unsigned n;
};

/* --- one key */

/* A member in base64url. False: it is not there, or too long. */
static bool member(const json_t *jwk, const char *name, size_t max, struct buf *ret)
{
    bool other = false;
    struct span s = token_json_string(jwk, name, &other);
    return s.n > 0 && base64_url_decode(s, ret) && !ret->over && ret->n <= max;
}

static EVP_PKEY *made(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !c || EVP_PKEY_fromdata_init(c) != 1 ||
        EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    uint8_t modulus[NUMBER_OCTETS], exponent[EXPONENT_OCTETS];
    struct buf n = buf_on(modulus, sizeof modulus), e = buf_on(exponent, sizeof exponent);
    EVP_PKEY *key = NULL;
    if (!member(jwk, "n", sizeof modulus, &n) || !member(jwk, "e", sizeof exponent, &e)) return NULL;
    BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *be = BN_bin2bn(e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    int bits = bn ? BN_num_bits(bn) : 0;
    bool good = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && be && BN_is_odd(be) && !BN_is_one(be);
    if (good && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        key = made("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    return key;
}

/* What is no point of the curve the library refuses. */
static EVP_PKEY *p256_key(const json_t *jwk)
{
    uint8_t point[1 + 2 * P256_OCTETS] = {4}; /* not compressed: SEC 1 2.3.3 */
    struct buf x = buf_on(point + 1, P256_OCTETS), y = buf_on(point + 1 + P256_OCTETS, P256_OCTETS);
    EVP_PKEY *key = NULL;
    if (!member(jwk, "x", P256_OCTETS, &x) || !member(jwk, "y", P256_OCTETS, &y) || x.n != P256_OCTETS ||
        y.n != P256_OCTETS)
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
        key = made("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *ed25519_key(const json_t *jwk)
{
    uint8_t octets[ED25519_OCTETS];
    struct buf x = buf_on(octets, sizeof octets);
    if (!member(jwk, "x", sizeof octets, &x) || x.n != sizeof octets) return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, octets, sizeof octets);
}

/* --- the set */

static const struct key_type {
    const char *kty, *crv; /* crv: null: it has none */
    unsigned algorithms;
    EVP_PKEY *(*make)(const json_t *jwk);
} types[] = {
    {"RSA", NULL, ALGORITHM(TOKEN_RS256) | ALGORITHM(TOKEN_PS256), rsa_key},
    {"EC", "P-256", ALGORITHM(TOKEN_ES256), p256_key},
    {"OKP", "Ed25519", ALGORITHM(TOKEN_EDDSA), ed25519_key},
};

static const struct key_type *type_of(const json_t *jwk, bool *other)
{
    struct span kty = token_json_string(jwk, "kty", other), crv = token_json_string(jwk, "crv", other);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (span_eq(kty, span_str(types[i].kty)) && (!types[i].crv || span_eq(crv, span_str(types[i].crv))))
            return &types[i];
    return NULL;
}

static bool may_verify(const json_t *jwk, bool *other)
{
    struct span use = token_json_string(jwk, "use", other);
    const json_t *ops = json_object_get(jwk, "key_ops");
    bool listed = !ops;
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));
        listed |= op && strcmp(op, "verify") == 0;
    }
    return listed && (!use.p || span_eq(use, SPAN("sig")));
}

/* Null: it was taken, or is not for us; else what is wrong. */
static const char *add(struct token_keys *k, const json_t *jwk)
{
    bool other = false;
    const struct key_type *type = type_of(jwk, &other);
    struct span alg = token_json_string(jwk, "alg", &other), kid = token_json_string(jwk, "kid", &other);
    bool use = type && may_verify(jwk, &other);
    if (!json_is_object(jwk) || other) return "a member of a key is of the wrong type";
    if (json_object_get(jwk, "d")) return "it holds a private key";
    unsigned algorithms = use ? type->algorithms : 0;
    if (alg.p) { /* "none" and those with a shared secret are in no set */
        enum token_algorithm a = token_algorithm_find(alg);
        algorithms &= a == TOKEN_ALGORITHMS ? 0 : ALGORITHM(a);
    }
    if (!algorithms) return NULL;
    if (k->n == LIMIT_TOKEN_KEYS) return "it holds too many keys";
    if (kid.n > LIMIT_TOKEN_TEXT_OCTETS) return "the name of a key is too long";
    for (unsigned i = 0; i < k->n && kid.n; i++)
        if (span_eq(kid, span_of(k->keys[i].kid, k->keys[i].kid_n))) return "two keys have the same name";
    struct token_key *to = &k->keys[k->n];
    *to = (struct token_key){.key = type->make(jwk), .algorithms = algorithms, .kid_n = kid.n};
    if (!to->key) return "a key in it is broken, or too short";
    if (kid.n) memcpy(to->kid, kid.p, kid.n);
    k->n++;
    return NULL;
}

struct token_keys *token_keys_read(struct span text, const char **why)
{
    struct token_keys *k = calloc(1, sizeof *k);
    json_t *set = k && text.n <= LIMIT_TOKEN_KEYS_OCTETS ? token_json(text) : NULL;
    const json_t *keys = json_object_get(set, "keys");
    *why = !k ? "no memory" : !json_is_array(keys) ? "it is no JWK set: {\"keys\": [...]}" : NULL;
    for (size_t i = 0; !*why && i < json_array_size(keys); i++)
        *why = add(k, json_array_get(keys, i));
    if (!*why && k->n == 0) *why = "it holds no key for RS256, PS256, ES256 or EdDSA";
    json_decref(set);
    if (*why) token_keys_free(&k);
    ERR_clear_error();
    return k;
}

void token_keys_free(struct token_keys **k)
{
    if (!*k) return;
    for (unsigned i = 0; i < (*k)->n; i++)
        EVP_PKEY_free((*k)->keys[i].key);
    free(*k);
    *k = NULL;
}

unsigned token_keys_count(const struct token_keys *k)
{
    return k->n;
}

/* --- signatures */

/* RFC 7518 3.4: r and s, 32 octets each; the library wants them as DER. */
static bool ecdsa_der(struct span s, uint8_t **der, size_t *n)
{
    if (s.n != 2 * P256_OCTETS) return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(s.p, P256_OCTETS, NULL), *v = BN_bin2bn(s.p + P256_OCTETS, P256_OCTETS, NULL);
    bool taken = sig && r && v && ECDSA_SIG_set0(sig, r, v) == 1;
    if (!taken) {
        BN_free(r);
        BN_free(v);
    }
    int length = taken ? i2d_ECDSA_SIG(sig, der) : -1;
    ECDSA_SIG_free(sig);
    *n = length > 0 ? (size_t)length : 0;
    return length > 0;
}

static bool pss(EVP_PKEY_CTX *c) /* RFC 7518 3.5 */
{
    return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool fits(EVP_PKEY *key, enum token_algorithm algorithm, struct span text, struct span signature)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    bool good = c && EVP_DigestVerifyInit(c, &options, algorithm == TOKEN_EDDSA ? NULL : EVP_sha256(), NULL,
                                          key) == 1;
    if (good && algorithm == TOKEN_PS256) good = pss(options);
    good = good && EVP_DigestVerify(c, signature.p, signature.n, text.p, text.n) == 1;
    EVP_MD_CTX_free(c);
    if (!good) ERR_clear_error();
    return good;
}

static const struct token_key *key_for(const struct token_keys *k, const struct web_token *t)
{
    const struct token_key *found = NULL;
    for (unsigned i = 0; i < k->n; i++) {
        const struct token_key *key = &k->keys[i];
        if (!(key->algorithms & ALGORITHM(t->algorithm))) continue;
        if (t->kid.p && !span_eq(t->kid, span_of(key->kid, key->kid_n))) continue;
        if (found) return NULL; /* two might be meant */
        found = key;
    }
    return found;
}

enum token_verdict token_keys_verify(const struct token_keys *k, const struct web_token *t)
{
    const struct token_key *key = key_for(k, t);
    struct span signature = t->signature;
    uint8_t *der = NULL;
    if (!key) return TOKEN_KEY;
    if (t->algorithm == TOKEN_ES256 && !ecdsa_der(signature, &der, &signature.n)) return TOKEN_SIGNATURE;
    if (der) signature.p = der;
    bool good = fits(key->key, t->algorithm, t->signed_by, signature);
    OPENSSL_free(der);
    return good ? TOKEN_GOOD : TOKEN_SIGNATURE;
}
