/* scram_client: the client's half of SCRAM (RFC 5802, RFC 7677, RFC 9266). Pure: the hashes are given to it. Everything a server says is
 * hostile: a nonce that is not ours and more, few or countless iterations, a signature that only somebody who knows the password can
 * make. */
#ifndef DIRECTORY_SCRAM_CLIENT_H
#define DIRECTORY_SCRAM_CLIENT_H

#include "base/buf.h"
#include "base/limits.h"

enum sasl_hash { SASL_SHA_1, SASL_SHA_256 };
#define SASL_HASH_OCTETS_MAX 32

struct scram_keys { /* RFC 5802 3; the octets of the hash count */
    uint8_t client[SASL_HASH_OCTETS_MAX], server[SASL_HASH_OCTETS_MAX];
};

struct sasl_crypto { /* what a pure room cannot do; false: it could not be done */
    void *context;   /* of keys */
    bool (*prepare)(struct span typed, struct buf *ret); /* SASLprep (RFC 4013), of a password or a name */
    /* ClientKey and ServerKey; slow: iterations of HMAC. */
    bool (*keys)(void *context, enum sasl_hash hash, struct span prepared, struct span salt,
                 uint32_t iterations, struct scram_keys *ret);
    bool (*hmac)(enum sasl_hash hash, struct span key, struct span text, uint8_t ret[SASL_HASH_OCTETS_MAX]);
    bool (*digest)(enum sasl_hash hash, struct span octets, uint8_t ret[SASL_HASH_OCTETS_MAX]);
};

enum scram_binding {                    /* RFC 5802 6, the flag of the GS2 header */
                     SCRAM_UNBOUND,     /* "n": we have no channel binding, or do not ask for it */
                     SCRAM_NOT_OFFERED, /* "y": we have one, and the server did not offer -PLUS */
                     SCRAM_BOUND,       /* "p=tls-exporter" */
};

#define SCRAM_NONCE_OCTETS   24   /* ours: base64 of 18 random octets */
#define SCRAM_MESSAGE_OCTETS 1024 /* server-first-message: more is refused */
#define SCRAM_SALT_OCTETS    128
#define SCRAM_AUTH_OCTETS    (3 * LIMIT_CREDENTIAL_USER_OCTETS + 2 * SCRAM_MESSAGE_OCTETS + 512)

struct scram_client { /* not to be copied */
    enum sasl_hash hash;
    enum scram_binding binding;
    size_t nonce_octets;
    struct buf
        auth; /* on memory: AuthMessage (RFC 5802 3) as it grows; the first of it is client-first-message-bare */
    uint8_t server_signature[SASL_HASH_OCTETS_MAX];
    uint8_t memory[SCRAM_AUTH_OCTETS];
};

/* user: prepared, at most LIMIT_CREDENTIAL_USER_OCTETS. nonce: at most SCRAM_NONCE_OCTETS, printable, without a comma; never used before. */
void scram_client_begin(struct scram_client *s, enum sasl_hash hash, enum scram_binding binding,
                        struct span user, struct span nonce);
/* client-first-message. */
void scram_client_first(const struct scram_client *s, struct buf *ret);
/* From server-first-message to client-final-message. password: prepared. exporter: of the session, when bound. False: *why has the reason
 * (escaped), and nothing is to be sent. Once. */
MUST_USE bool scram_client_final(struct scram_client *s, const struct sasl_crypto *crypto,
                                 struct span password, struct span exporter, struct span server_first,
                                 struct buf *ret, struct buf *why);
/* server-final-message: does the server know the password, too? Once. */
MUST_USE bool scram_client_verify(const struct scram_client *s, struct span server_final, struct buf *why);

#endif
