/* tls_client: the client side of TLS 1.2 and 1.3 for the relay. Sessions are struct tls of system/tls.h once made: tls_handshake,
 * tls_read, tls_write, tls_shutdown, tls_free, tls_reason are the same. Whom we talk to is decided here: anybody, a certificate by a
 * known authority for a name, or TLSA records (RFC 7672: usages 2 and 3 only). Revocation is not looked at. Nothing is resumed: each
 * session sees a certificate.
 *
 * Order of life in a relay, as in an edge: tls_memory_init, tls_client_context_create, tls_client_warm_up, the cage; then
 * sessions. System calls of a session: read, write, getrandom, getpid; the clock by vDSO.
 *
 * STARTTLS (RFC 3207; the command injection of 2011 works backwards too): octets that were read behind the 220 are plaintext
 * of anybody. Whoever finds some closes the connection; they are neither replies of the protected session nor part of the
 * handshake. After TLS_DONE the client says EHLO anew and forgets what it was told before. */
#ifndef SYSTEM_TLS_CLIENT_H
#define SYSTEM_TLS_CLIENT_H

#include "system/tls.h"

struct tls_client_context;

/* authorities: PEM of the trusted certificates (at most LIMIT_AUTHORITIES_OCTETS; copied), may be empty (then nothing is ever verified
 * by an authority). Before the cage, after tls_memory_init. Null: *error says why (constant). */
struct tls_client_context *tls_client_context_create(struct span authorities, const char **error);
size_t tls_client_authorities(const struct tls_client_context *c); /* how many certificates are trusted */
void tls_client_context_free(struct tls_client_context **c);       /* sessions of it may live on */
/* Runs handshakes in memory so that everything OpenSSL loads late is loaded: last step before the cage. */
MUST_USE bool tls_client_warm_up(struct tls_client_context *c, const char **error);

enum tls_client_verify {
    TLS_CLIENT_ANYBODY, /* RFC 7435: any certificate, also none of a name, expired, self-signed; old key exchanges too */
    TLS_CLIENT_AUTHORITY, /* RFC 6125: by one of the authorities, valid today, for one of the names */
    TLS_CLIENT_DANE, /* RFC 7672: DANE-EE(3) whatever name and date; DANE-TA(2) valid today, for one of the names */
    TLS_CLIENT_VERIFY_COUNT
};

struct tls_client_peer {
    enum tls_client_verify verify;
    struct span
        name; /* SNI, and the name that the certificate must have: a host name or an IP address as text (no SNI then; not for
                       * DANE). May be empty for ANYBODY only. A final dot is dropped */
    struct span also;        /* a further host name it may have, or empty */
    const struct span *tlsa; /* DANE: records: usage, selector, matching type, association */
    uint32_t n_tlsa;
};

/* How many of these records can be used: usages 2 and 3, known selector and matching type, an association of the right length
 * (a whole certificate or key: one that can be read). None: RFC 7672 2.2 wants TLS with ANYBODY. Of records with the same usage and
 * selector only those of the strongest digest are compared (RFC 7671 9). */
uint32_t tls_client_usable(struct tls_client_context *c, const struct span *tlsa, uint32_t n);

/* fd, owner: as tls_create. Null: no memory, too many handshakes, a name that is none, or DANE was asked for and no record is
 * usable. A peer that is not the wanted one fails tls_handshake; then tls_reason says what was wrong with its certificate. */
struct tls *tls_client_create(struct tls_client_context *c, int fd, const struct tls_client_peer *p,
                              void *owner);

/* tls_handshake failed because the certificate was not the wanted one, and for nothing else. */
bool tls_client_refused(const struct tls *t);

/* Who it is, as far as we know; whatever was asked for. */
enum tls_client_known {
    TLS_CLIENT_ANONYMOUS, /* also: the handshake is not over */
    TLS_CLIENT_VERIFIED,  /* by an authority, for the name */
    TLS_CLIENT_DANE_EE,
    TLS_CLIENT_DANE_TA
};
enum tls_client_known tls_client_known(const struct tls *t);
/* After the handshake, for timeline and log: "TLSv1.3 TLS_AES_256_GCM_SHA384 dane-ee", "... dane-ta", "... verified by CN" (the
 * authority's name, escaped), "... anonymous (self-signed certificate)". Nothing before it. At most LIMIT_RELAY_TLS_OCTETS. */
void tls_client_put_text(const struct tls *t, struct buf *b);

#endif
