/* tls_certificate: what stands in a certificate chain and a key file, for messages, for `check` and for the choice by name. */
#ifndef SYSTEM_TLS_CERTIFICATE_H
#define SYSTEM_TLS_CERTIFICATE_H

#include "base/buf.h"

enum tls_certificate_result {
    TLS_CERTIFICATE_GOOD,
    TLS_CERTIFICATE_WARNING, /* usable, but: not yet valid, expires within 14 days, no names in it */
    TLS_CERTIFICATE_BAD,     /* cannot be loaded, key does not fit, unsupported kind of key, expired */
};

/* Looks at a PEM chain and its PEM private key as `sallyport check` and the supervisor do before anything is started. A text
 * for people (with the file names) is appended to *problem unless the result is GOOD. key may be empty: then only the
 * chain is looked at. The names of the leaf are compared by nobody here. */
enum tls_certificate_result tls_certificate_check(struct span chain, const char *chain_file, struct span key,
                                                  const char *key_file, uint64_t unix_seconds,
                                                  struct buf *problem);

/* May the subjects of these certificates (PEM) all be told in a handshake (LIMIT_AUTHORITY_NAMES_OCTETS)? False, too: one is broken, there is none. */
bool tls_subjects_fit(struct span pem);

/* SHA-256 of the SubjectPublicKeyInfo of a certificate: DER, or the first one of a PEM text. False: there is none. */
bool tls_certificate_key_hash(struct span certificate, uint8_t ret[32]);

#endif
