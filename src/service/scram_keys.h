/* scram_keys: the cryptography of SCRAM towards next hops (directory/scram_client.h), by OpenSSL. The keys of the last salt of each credential
 * are kept, so that PBKDF2 is computed once for many sessions. Not thread-safe: one thread has it. */
#ifndef SERVICE_SCRAM_KEYS_H
#define SERVICE_SCRAM_KEYS_H

#include "directory/scram_client.h"

struct scram_kept { /* of one password; zeroed at first; a secret */
    bool known;
    enum sasl_hash hash;
    uint32_t iterations;
    size_t salt_octets;
    uint8_t salt[SCRAM_SALT_OCTETS];
    struct scram_keys keys;
};

/* kept: of the password that will be used with it; borrowed. */
struct sasl_crypto scram_keys_crypto(struct scram_kept *kept);

#endif
