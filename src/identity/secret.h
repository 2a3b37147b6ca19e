/* secret: what is made of a password, so that no password is kept: a verifier of crypt(5), the keys of SCRAM (RFC 5802 3), and, only
 * where somebody asked for them, an NT hash and the two contexts of CRAM-MD5, which are as good as the password to whoever has them.
 *
 * Passwords are prepared by SASLprep (RFC 4013, as RFC 4616 2 and RFC 5802 2.2 ask; unassigned code points pass): ASCII stays as it
 * is. The NT hash is of the password as it was typed, as Windows makes it. */
#ifndef IDENTITY_SECRET_H
#define IDENTITY_SECRET_H

#include "base/buf.h"
#include "base/limits.h"

#define SECRET_VERIFIER_OCTETS        384 /* of crypt(5), its NUL included: CRYPT_OUTPUT_SIZE */
#define SECRET_DIGEST_OCTETS          32
#define SECRET_DIGEST_VERIFIER_OCTETS 76
#define SECRET_PREPARED_OCTETS        (3 * LIMIT_PASSWORD_OCTETS + 1) /* SASLprep may lengthen it */
#define SECRET_NO_PASSWORD            "!"                             /* a verifier that no password fits */

enum secret_hash { SECRET_SHA_1 = 1, SECRET_SHA_256 = 256 };

struct secret_scram {
    uint32_t iterations;
    uint8_t salt_octets, key_octets;
    uint8_t salt[64], stored_key[32], server_key[32];
};

/* Appends the prepared password. False: no UTF-8, an octet that a password may not have (a control character), empty, too long. */
MUST_USE bool secret_prepare(struct span typed, struct buf *ret);

/* yescrypt with a fresh salt, NUL behind it. Slow on purpose: tens of milliseconds. prepared: at most SECRET_PREPARED_OCTETS - 1. */
MUST_USE bool secret_verifier(struct span prepared, char ret[SECRET_VERIFIER_OCTETS]);
/* A verifier that crypt(5) here can check (of an import): not empty, not locked, a method that it knows. */
bool secret_verifier_known(struct span verifier);
/* Does the password, as it was typed, fit the verifier (crypt(5), or what secret_put_digest wrote)? As slow as the verifier says;
 * an imported one may be of the octets as they were typed. */
bool secret_fits(struct span typed, struct span verifier);

/* A fresh salt, LIMIT_SCRAM_ITERATIONS. */
MUST_USE bool secret_scram(struct span prepared, enum secret_hash hash, struct secret_scram *ret);
/* The same with the salt and the iterations in *ret. */
MUST_USE bool secret_scram_keys(struct span prepared, enum secret_hash hash, struct secret_scram *ret);

/* Those of the client, of a salt and iterations that a server chose: ClientKey and ServerKey. */
MUST_USE bool secret_scram_client(struct span prepared, enum secret_hash hash, struct span salt,
                                  uint32_t iterations, uint8_t client[32], uint8_t server[32]);

/* MD4 of its UTF-16LE ([MS-NLMP] 3.3.1 NTOWFv1). False: no UTF-8, or too long. */
MUST_USE bool secret_nt(struct span typed, uint8_t ret[16]);
/* The contexts of HMAC-MD5 (RFC 2104 4): inner, then outer, each the four words of MD5 after one block, little-endian. */
MUST_USE bool secret_cram(struct span prepared, uint8_t ret[32]);
/* HMAC-MD5 of a challenge by such contexts. */
void secret_cram_digest(const uint8_t contexts[32], struct span challenge, uint8_t ret[16]);

/* Of an app password: random, so that no slow hash is needed. */
MUST_USE bool secret_digest(struct span typed, uint8_t ret[SECRET_DIGEST_OCTETS]);
void secret_put_digest(struct buf *b, struct span digest); /* as a verifier for secret_fits */

/* Before a cage is closed: libcrypto and libcrypt load what they need. */
MUST_USE bool secret_warm_up(void);

#endif
