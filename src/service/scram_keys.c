#include "service/scram_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "identity/secret.h"

static const EVP_MD *md_of(enum sasl_hash hash)
{
    return hash == SASL_SHA_1 ? EVP_sha1() : EVP_sha256();
}

static bool keys(void *context, enum sasl_hash hash, struct span prepared, struct span salt,
                 uint32_t iterations, struct scram_keys *ret)
{
    struct scram_kept *k = context;
    bool same = k->known && k->hash == hash && k->iterations == iterations &&
                span_eq(span_of(k->salt, k->salt_octets), salt);
    if (!same) {
        k->known = salt.n <= sizeof k->salt &&
                   secret_scram_client(prepared, hash == SASL_SHA_1 ? SECRET_SHA_1 : SECRET_SHA_256, salt,
                                       iterations, k->keys.client, k->keys.server);
        if (!k->known) return false;
        k->hash = hash;
        k->iterations = iterations;
        k->salt_octets = salt.n;
        memcpy(k->salt, salt.p, salt.n);
    }
    *ret = k->keys;
    return true;
}

static bool hmac(enum sasl_hash hash, struct span key, struct span text, uint8_t ret[SASL_HASH_OCTETS_MAX])
{
    return HMAC(md_of(hash), key.p, (int)key.n, text.p, text.n, ret, NULL) != NULL;
}

static bool digest(enum sasl_hash hash, struct span octets, uint8_t ret[SASL_HASH_OCTETS_MAX])
{
    return EVP_Digest(octets.p, octets.n, ret, NULL, md_of(hash), NULL) == 1;
}

struct sasl_crypto scram_keys_crypto(struct scram_kept *kept)
{
    return (struct sasl_crypto){
        .context = kept, .prepare = secret_prepare, .keys = keys, .hmac = hmac, .digest = digest};
}
