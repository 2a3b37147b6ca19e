/* tls_client_private: the insides of a client context, for its warm-up. */
#ifndef SYSTEM_TLS_CLIENT_PRIVATE_H
#define SYSTEM_TLS_CLIENT_PRIVATE_H

#include "system/tls_client.h"
#include "system/tls_private.h"

struct tls_client_context {
    SSL_CTX *anybody,
        *known; /* rules for peers whose certificate does not matter, or does; one store of authorities */
    size_t authorities;
};

#endif
