/* tls_revocations: lists of certificates that an authority has taken back (CRL, RFC 5280 5), beside the authorities of clients. Whole lists only:
 * no deltas, none that another authority signs. Nothing is fetched: somebody else puts the file there. */
#ifndef SYSTEM_TLS_REVOCATIONS_H
#define SYSTEM_TLS_REVOCATIONS_H

#include "system/tls_authorities.h"

/* pem: lists (at most LIMIT_REVOCATIONS_OCTETS; copied). From then on tls_authorities_vouch looks each certificate of a chain up, and refuses where
 * the list of its authority is not there, has ended, or is not signed by it. Before any thread uses a. Null, or why not (constant); then a is
 * to be freed. */
MUST_USE const char *tls_revocations_add(struct tls_authorities *a, struct span pem);

enum tls_revocations_doubt {
    TLS_REVOCATIONS_MISSING, /* that authority has no list: nobody whom it vouches for gets in */
    TLS_REVOCATIONS_EXPIRED, /* the same, for it has ended */
    TLS_REVOCATIONS_EARLY,   /* the same, for it begins later */
    TLS_REVOCATIONS_UNSIGNED, /* the same, for it is not signed by that authority's key, or the key may sign no lists */
    TLS_REVOCATIONS_STRANGER, /* a list of somebody who is none of the authorities: it counts for nothing */
    TLS_REVOCATIONS_DOUBTS
};
typedef void tls_revocations_doubt_fn(void *context, enum tls_revocations_doubt doubt, const char *name);
/* What an operator should hear of the lists, at that time. name: the authority's, printable. */
void tls_revocations_doubts(const struct tls_authorities *a, uint64_t unix_seconds,
                            tls_revocations_doubt_fn *doubt, void *context);

#endif
