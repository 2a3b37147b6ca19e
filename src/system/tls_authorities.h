/* tls_authorities: authorities of the organisation that vouch for names of clients by certificates. Those of the system's trust store
 * count for nothing here, nor does the subject of a certificate: subjectAltName alone says names (RFC 5280 4.2.1.6). What was
 * revoked they learn by lists (system/tls_revocations.h). Nothing is opened: what OpenSSL loads late is loaded by tls_authorities_create, before the cage. */
#ifndef SYSTEM_TLS_AUTHORITIES_H
#define SYSTEM_TLS_AUTHORITIES_H

#include "base/limits.h"
#include "base/span.h"

struct tls_authorities;

/* pem: certificates of authorities, roots and what is between them and the clients (at most LIMIT_AUTHORITIES_OCTETS; copied); a chain ends in
 * a root of them. Null: *why (constant). What it returns may be used by several threads at once. */
struct tls_authorities *tls_authorities_create(struct span pem, const char **why);
void tls_authorities_free(struct tls_authorities **a); /* accepts null */

enum tls_vouched_verdict {
    TLS_VOUCHED,
    TLS_VOUCHED_NOT, /* by none of these authorities, or its chain is broken in a way that has no name here */
    TLS_VOUCHED_EXPIRED, /* it, or one of its authorities */
    TLS_VOUCHED_EARLY,   /* not valid yet */
    TLS_VOUCHED_PURPOSE, /* it is for servers, mail or code alone, not for clients of TLS */
    TLS_VOUCHED_WEAK,    /* a key or hash below 112 bits of security */
    TLS_VOUCHED_REVOKED, /* it, or one of its authorities */
    TLS_VOUCHED_LIST, /* whether it is cannot be said: an authority's list is missing, has ended, or is not its own */
    TLS_VOUCHED_NAMES, /* it has none that counts, too many, malformed ones, or such as its authority may not give */
    TLS_VOUCHED_VERDICTS
};

struct tls_vouched_name {
    bool host;        /* a dNSName without wildcard; else an rfc822Name */
    struct span name; /* printable ASCII, hostile otherwise */
};

struct tls_vouched {
    uint32_t n;
    struct tls_vouched_name names[LIMIT_CLIENT_CERTIFICATE_NAMES];
    uint64_t ends;      /* unix seconds: the earliest notAfter of the chain */
    const char *detail; /* OpenSSL's words (constant), where the verdict is not TLS_VOUCHED; or null */
    uint8_t memory[LIMIT_CLIENT_CERTIFICATE_OCTETS]; /* of the names */
};

/* Do the authorities vouch for this certificate (DER, hostile) now? *ret is whole whatever the verdict; it has names only with TLS_VOUCHED. That the
 * client has its key somebody else has made sure of. */
enum tls_vouched_verdict tls_authorities_vouch(const struct tls_authorities *a, struct span certificate,
                                               uint64_t unix_seconds, struct tls_vouched *ret);

#endif
