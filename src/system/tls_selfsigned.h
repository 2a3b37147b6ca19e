/* tls_selfsigned: a key and a certificate for a fresh installation, until the administrator has a better one. */
#ifndef SYSTEM_TLS_SELFSIGNED_H
#define SYSTEM_TLS_SELFSIGNED_H

#include "base/buf.h"

#define TLS_SELFSIGNED_DAYS 825

/* EC P-256, valid from one hour ago for TLS_SELFSIGNED_DAYS, subjectAltName DNS:domain, DNS:localhost (once if they are the
 * same), a random serial. domain: a host name of letters, digits, '-' and '.', at most 253 octets. PEM is appended to *key
 * (PKCS#8; the caller wipes it) and *certificate: 2048 octets each are enough. False: bad domain, no room or no memory. */
MUST_USE bool tls_selfsigned(struct span domain, uint64_t unix_seconds, struct buf *key,
                             struct buf *certificate);

#endif
