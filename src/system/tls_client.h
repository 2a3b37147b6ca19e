/* tls_client: the client side of TLS for the relay. Sessions are struct tls of system/tls.h once made: tls_handshake, tls_read, tls_write,
 * tls_shutdown and tls_free are the same. Whom we talk to is decided here: by nobody, by a certificate authority and a name, or by TLSA
 * records (RFC 7672: usages 2 and 3 only). */
#ifndef SYSTEM_TLS_CLIENT_H
#define SYSTEM_TLS_CLIENT_H

#include "system/tls.h"

struct tls_client_context;

/* authorities: PEM of the trusted certificates, may be empty (then `verify` never succeeds). Before the cage, after tls_memory_init.
 * Null: *error says why (constant). */
struct tls_client_context *tls_client_context_create(struct span authorities, const char **error);
void tls_client_context_free(struct tls_client_context **c);
/* Runs handshakes in memory so that everything OpenSSL loads late is loaded: last step before the cage. */
MUST_USE bool tls_client_warm_up(struct tls_client_context *c, const char **error);

enum tls_client_verify { TLS_CLIENT_ANYBODY, TLS_CLIENT_AUTHORITY, TLS_CLIENT_DANE };

struct tls_client_peer {
    enum tls_client_verify verify;
    struct span name;        /* SNI, and the name that the certificate must have */
    struct span also;        /* a further name it may have, or empty */
    const struct span *tlsa; /* DANE: records; those of usages 0 and 1 and malformed ones are left out */
    uint32_t n_tlsa;
};
/* Null: no memory, too many handshakes, or DANE was asked for and no record is usable. */
struct tls *tls_client_create(struct tls_client_context *c, int fd, const struct tls_client_peer *p,
                              void *owner);
/* After the handshake: "TLSv1.3 TLS_AES_256_GCM_SHA384 dane-ee", "... anonymous", "... verified by CN": for timeline and log. */
void tls_client_put_text(const struct tls *t, struct buf *b);

#endif
