/* ntlm_client: a client of NTLMv2 that does as it is told, right or wrong, and the cryptography that the acceptor borrows. */
#ifndef TESTS_NTLM_CLIENT_H
#define TESTS_NTLM_CLIENT_H

#include "sasl/ntlm.h"

extern const struct ntlm_crypto ntlm_client_crypto; /* OpenSSL */

/* "Password" (MS-NLMP 4.2.2.1.2) */
extern const uint8_t ntlm_client_hash[16];

struct ntlm_client {
    uint32_t flags;
    const char *user, *domain, *workstation; /* ASCII */
    const uint8_t *hash;
    size_t header;                /* 64, 72 or 88 */
    uint64_t filetime;            /* of the blob */
    const uint64_t *av_timestamp; /* null: none */
    bool nil_domain;              /* proves without it */
    bool mic;                     /* flagged, and made when the header has room */
    const uint8_t *bindings;      /* 16 octets; null: none */
    bool exchange;                /* sends a session key, encrypted */
    struct span lm, nt;           /* nt.p not null: this response instead of a right one */
};
/* AUTHENTICATE in answer to n. */
void ntlm_client_authenticate(const struct ntlm_client *c, const struct ntlm *n, struct buf *ret);
/* As a client of today, with all there is. */
struct ntlm_client ntlm_client_of(const struct ntlm *n, const char *user);
/* NEGOTIATE of n octets (16 to 40) with those flags. */
void ntlm_client_negotiate(struct buf *ret, uint32_t flags, size_t n);

#define NTLM_CLIENT_FLAGS                                                                                    \
    (NTLM_FLAG_UNICODE | NTLM_FLAG_REQUEST_TARGET | NTLM_FLAG_NTLM | NTLM_FLAG_ALWAYS_SIGN |                 \
     NTLM_FLAG_EXTENDED_SECURITY)

#endif
