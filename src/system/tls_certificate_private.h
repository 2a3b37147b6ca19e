/* tls_certificate_private: loading of PEM chains and keys, shared by the context, the signer and the check. */
#ifndef SYSTEM_TLS_CERTIFICATE_PRIVATE_H
#define SYSTEM_TLS_CERTIFICATE_PRIVATE_H

#include "system/tls_certificate.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

enum key_kind { KEY_KIND_OTHER, KEY_KIND_EC, KEY_KIND_RSA, KEY_KIND_COUNT };

struct tls_chain {
    X509 *leaf;
    STACK_OF(X509) * rest; /* intermediates, in the order of the file; never null */
    EVP_PKEY *public;      /* of the leaf; borrowed from it */
    enum key_kind kind;
    char **names; /* DNS names of the leaf, lower case; the common name when there is no subjectAltName */
    size_t n_names;
};

/* Appends "FILE: TEXT", or "; FILE: TEXT" when something stands there already. detail: OpenSSL's reason, may be null. */
void tls_problem(struct buf *problem, const char *file, const char *text, const char *detail);
/* The reason of OpenSSL's oldest queued error, or null; empties the queue. */
const char *tls_error_text(void);

/* RSA of 2048..4096 bits, EC on P-256 or P-384; else KEY_KIND_OTHER. */
enum key_kind tls_key_kind(const EVP_PKEY *key);
bool tls_key_fingerprint(const EVP_PKEY *key, uint8_t ret[32]); /* SHA-256 of the SubjectPublicKeyInfo */

/* Why OpenSSL has read no more of a PEM: there is no more of that kind (its queue of errors is empty then), and not that one is broken. */
bool tls_pem_ended(void);
/* Appends all certificates that are still in pem. False: one is broken, or no memory (see OpenSSL's queue of errors). */
MUST_USE bool tls_certificates_read(BIO *pem, STACK_OF(X509) * to);
/* Their subjects, as the caller's. Null: one is broken, there is none, they are more than LIMIT_AUTHORITY_NAMES_OCTETS, or no memory. */
STACK_OF(X509_NAME) * tls_subjects(struct span pem);
/* Never asks for a passphrase. */
MUST_USE bool tls_chain_load(struct tls_chain *ret, struct span pem, const char *file, struct buf *problem);
void tls_chain_free(struct tls_chain *c);
EVP_PKEY *tls_key_load(struct span pem, const char *file, struct buf *problem); /* null: see problem */

/* 2: one of the names is exactly this one; 1: a wildcard covers it (leftmost label only, RFC 6125 6.4.3); 0: none. */
unsigned tls_chain_covers(const struct tls_chain *c, struct span name);

#endif
