/* signer: one private key that signs digests and does nothing else: what the keyring holds. */
#ifndef SYSTEM_SIGNER_H
#define SYSTEM_SIGNER_H

#include "system/tls_sign.h"

struct signer;

/* Once, before the first key is loaded: private numbers are kept in locked memory that is in no core dump, if the system allows it
 * (RLIMIT_MEMLOCK). False: it does not; keys are in ordinary memory then. */
bool signer_lock_memory(void);

/* From a PEM private key (the caller wipes that text). Tries each scheme once, so that what OpenSSL loads late is loaded.
 * Null: a text with the file name is appended to *problem. */
struct signer *signer_load(struct span pem, const char *file, struct buf *problem);
/* It signs by the old schemes, too, from now on: for a server that old devices speak to. False: the library cannot. */
MUST_USE bool signer_permit_old(struct signer *s);
/* Accepts null; the key's numbers are wiped. */
void signer_free(struct signer **s);

/* SIGN_OK: *n octets in signature. The digest must be as long as the scheme says and the scheme must fit the key. */
enum sign_status signer_sign(struct signer *s, enum sign_scheme scheme, struct span digest,
                             uint8_t signature[SIGN_SIGNATURE_OCTETS_MAX], size_t *n);
const uint8_t *
signer_fingerprint(const struct signer *s); /* SIGN_FINGERPRINT_OCTETS: SHA-256 of the SubjectPublicKeyInfo */

#endif
