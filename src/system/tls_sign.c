#include "system/tls_sign.h"

#include "base/wire.h"

size_t sign_digest_octets(unsigned scheme)
{
    switch (scheme) {
    case SIGN_RSA_PKCS1_SHA256:
    case SIGN_ECDSA_SHA256:
    case SIGN_RSA_PSS_SHA256: return 32;
    case SIGN_RSA_PKCS1_SHA384:
    case SIGN_ECDSA_SHA384:
    case SIGN_RSA_PSS_SHA384: return 48;
    case SIGN_RSA_PKCS1_SHA512:
    case SIGN_ECDSA_SHA512:
    case SIGN_RSA_PSS_SHA512: return 64;
    case SIGN_RSA_PKCS1_SHA1:
    case SIGN_ECDSA_SHA1: return 20;
    case SIGN_RSA_PKCS1_MD5_SHA1: return 36;
    default: return 0;
    }
}

bool sign_scheme_is_rsa(enum sign_scheme scheme)
{
    return sign_digest_octets(scheme) > 0 && scheme != SIGN_ECDSA_SHA256 && scheme != SIGN_ECDSA_SHA384 &&
           scheme != SIGN_ECDSA_SHA512 && scheme != SIGN_ECDSA_SHA1;
}

bool sign_scheme_is_pss(enum sign_scheme scheme)
{
    return scheme == SIGN_RSA_PSS_SHA256 || scheme == SIGN_RSA_PSS_SHA384 || scheme == SIGN_RSA_PSS_SHA512;
}

bool sign_scheme_is_old(enum sign_scheme scheme)
{
    return scheme == SIGN_RSA_PKCS1_SHA1 || scheme == SIGN_ECDSA_SHA1 || scheme == SIGN_RSA_PKCS1_MD5_SHA1;
}

static void key_id_put(struct buf *b, struct tls_key_id key)
{
    wire_put_u16(b, key.server);
    wire_put_u16(b, key.certificate);
}

static struct tls_key_id key_id_read(struct wire *w)
{
    struct tls_key_id key;
    key.server = wire_u16(w);
    key.certificate = wire_u16(w);
    return key;
}

void sign_question_put(struct buf *b, const struct sign_question *q)
{
    wire_put_u64(b, q->id);
    key_id_put(b, q->key);
    wire_put_u16(b, (uint16_t)q->scheme);
    wire_put_span(b, q->digest);
}

bool sign_question_read(struct span payload, struct sign_question *ret)
{
    struct wire w = wire_on(payload);
    struct sign_question q;
    q.id = wire_u64(&w);
    q.key = key_id_read(&w);
    unsigned scheme = wire_u16(&w);
    q.digest = wire_span(&w, 64);
    size_t octets = sign_digest_octets(scheme);
    if (!wire_done(&w) || octets == 0 || q.digest.n != octets) return false;
    q.scheme = (enum sign_scheme)scheme;
    *ret = q;
    return true;
}

void sign_answer_put(struct buf *b, const struct sign_answer *a)
{
    wire_put_u64(b, a->id);
    wire_put_u8(b, (uint8_t)a->status);
    wire_put_span(b, a->signature);
}

bool sign_answer_read(struct span payload, struct sign_answer *ret)
{
    struct wire w = wire_on(payload);
    struct sign_answer a;
    a.id = wire_u64(&w);
    unsigned status = wire_u8(&w);
    a.signature = wire_span(&w, SIGN_SIGNATURE_OCTETS_MAX);
    if (!wire_done(&w) || status >= SIGN_STATUS_COUNT) return false;
    if ((status == SIGN_OK) != (a.signature.n > 0)) return false;
    a.status = (enum sign_status)status;
    *ret = a;
    return true;
}

void key_question_put(struct buf *b, struct tls_key_id key)
{
    key_id_put(b, key);
}

bool key_question_read(struct span payload, struct tls_key_id *ret)
{
    struct wire w = wire_on(payload);
    struct tls_key_id key = key_id_read(&w);
    if (!wire_done(&w)) return false;
    *ret = key;
    return true;
}

void key_answer_put(struct buf *b, const struct key_answer *a)
{
    key_id_put(b, a->key);
    wire_put_u8(b, (uint8_t)a->status);
    buf_put(b, span_of(a->fingerprint, sizeof a->fingerprint));
}

bool key_answer_read(struct span payload, struct key_answer *ret)
{
    struct wire w = wire_on(payload);
    struct key_answer a;
    a.key = key_id_read(&w);
    unsigned status = wire_u8(&w);
    struct span fingerprint = wire_raw(&w, sizeof a.fingerprint);
    if (!wire_done(&w) || status >= SIGN_STATUS_COUNT) return false;
    a.status = (enum sign_status)status;
    memcpy(a.fingerprint, fingerprint.p, sizeof a.fingerprint);
    *ret = a;
    return true;
}
