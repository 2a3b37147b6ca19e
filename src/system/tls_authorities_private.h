/* tls_authorities_private: shared by tls_authorities.c (certificates) and tls_revocations.c (what was taken back). */
#ifndef SYSTEM_TLS_AUTHORITIES_PRIVATE_H
#define SYSTEM_TLS_AUTHORITIES_PRIVATE_H

#include "system/tls_authorities.h"
#include <openssl/x509.h>

struct tls_authorities {
    X509_STORE *store; /* nothing but the certificates and lists of two files: no defaults, no lookups */
    bool lists;        /* each authority of a chain must have a list that counts */
};

#endif
