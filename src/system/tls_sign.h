/* tls_sign: what an edge asks the keyring, and what it answers. Digests only, of the sizes TLS uses: the keyring does the
 * padding itself, so that no question can be made that decrypts something or signs a chosen structure.
 *
 * MSG_SIGN_QUESTION: u64 id, u16 server, u16 certificate, u16 scheme, span digest
 * MSG_SIGN_ANSWER:   u64 id, u8 status, span signature (empty unless status is SIGN_OK)
 * MSG_KEY_QUESTION:  u16 server, u16 certificate
 * MSG_KEY_ANSWER:    u16 server, u16 certificate, u8 status, 32 octets: SHA-256 of the SubjectPublicKeyInfo (zeros if refused) */
#ifndef SYSTEM_TLS_SIGN_H
#define SYSTEM_TLS_SIGN_H

#include "base/buf.h"

struct tls_key_id { /* as in GRANT_CHAIN and GRANT_KEY: index of the server, index of its certificate */
    uint16_t server, certificate;
};

/* Code points of RFC 8446 4.2.3. For ECDSA the hash counts, the curve is the key's (RFC 5246 lets any pair meet). */
enum sign_scheme {
    SIGN_RSA_PKCS1_SHA256 = 0x0401,
    SIGN_RSA_PKCS1_SHA384 = 0x0501,
    SIGN_RSA_PKCS1_SHA512 = 0x0601,
    SIGN_ECDSA_SHA256 = 0x0403,
    SIGN_ECDSA_SHA384 = 0x0503,
    SIGN_ECDSA_SHA512 = 0x0603,
    SIGN_RSA_PSS_SHA256 = 0x0804, /* salt as long as the digest, MGF1 with the same hash */
    SIGN_RSA_PSS_SHA384 = 0x0805,
    SIGN_RSA_PSS_SHA512 = 0x0806,
    /* old: for devices (signer_permit_old). TLS 1.0 and 1.1 sign both hashes at once and have no code point for it (RFC 4346 4.7) */
    SIGN_RSA_PKCS1_SHA1 = 0x0201,
    SIGN_ECDSA_SHA1 = 0x0203,
    SIGN_RSA_PKCS1_MD5_SHA1 = 0xff01,
};

enum sign_status {
    SIGN_OK,
    SIGN_NO_KEY,   /* no such key */
    SIGN_NOT_THIS, /* the scheme does not fit the key, or the digest does not fit the scheme */
    SIGN_ERROR,    /* the library failed */
    SIGN_STATUS_COUNT
};

#define SIGN_FINGERPRINT_OCTETS   32
#define SIGN_QUESTION_OCTETS_MAX  (8 + 2 + 2 + 2 + 2 + 64)
#define SIGN_SIGNATURE_OCTETS_MAX 512 /* RSA 4096 */
#define SIGN_ANSWER_OCTETS_MAX    (8 + 1 + 2 + SIGN_SIGNATURE_OCTETS_MAX)
#define KEY_QUESTION_OCTETS       4
#define KEY_ANSWER_OCTETS         (2 + 2 + 1 + SIGN_FINGERPRINT_OCTETS)

struct sign_question {
    uint64_t id;
    struct tls_key_id key;
    enum sign_scheme scheme;
    struct span digest;
};

struct sign_answer {
    uint64_t id;
    enum sign_status status;
    struct span signature;
};

struct key_answer {
    struct tls_key_id key;
    enum sign_status status;
    uint8_t fingerprint[SIGN_FINGERPRINT_OCTETS];
};

/* Octets of the digest of a scheme (20, 32, 36, 48, 64); 0 for an unknown scheme. */
size_t sign_digest_octets(unsigned scheme);
bool sign_scheme_is_rsa(enum sign_scheme scheme);
bool sign_scheme_is_pss(enum sign_scheme scheme);
bool sign_scheme_is_old(enum sign_scheme scheme);

/* Writers: into b, which is `over` when it was too small. Readers: false unless every octet was consumed and every value is
 * a known one; spans point into what was read. */
void sign_question_put(struct buf *b, const struct sign_question *q);
MUST_USE bool sign_question_read(struct span payload, struct sign_question *ret);
void sign_answer_put(struct buf *b, const struct sign_answer *a);
MUST_USE bool sign_answer_read(struct span payload, struct sign_answer *ret);
void key_question_put(struct buf *b, struct tls_key_id key);
MUST_USE bool key_question_read(struct span payload, struct tls_key_id *ret);
void key_answer_put(struct buf *b, const struct key_answer *a);
MUST_USE bool key_answer_read(struct span payload, struct key_answer *ret);

#endif
