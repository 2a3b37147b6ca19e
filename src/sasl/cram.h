/* cram: CRAM-MD5 (RFC 2195), for old devices: only the two MD5 contexts of HMAC (RFC 2104 4) are kept of a password. */
#ifndef SASL_CRAM_H
#define SASL_CRAM_H

#include "sasl/authzid.h"

#include "base/buf.h"

/* "<random.seconds@host>", printable; RFC 2195 2: "a presumptively arbitrary string of random digits, a timestamp, and the fully-qualified
 * primary host name". random: that nobody can foresee. */
void cram_put_challenge(struct buf *b, uint64_t random, uint64_t unix_seconds, struct span host);

struct cram_response {
    struct span name; /* points into the message */
    uint8_t digest[16];
};
/* "name SP 32 hexadecimal digits". False: no such message. */
MUST_USE bool cram_read(struct span message, struct cram_response *ret);

/* MD5 (RFC 1321) of 64 octets and what follows them, going on from the state that the 64 left: A, B, C, D, each little-endian. False: the
 * library failed. Lent by the caller. */
typedef bool cram_md5_fn(void *context, const uint8_t state[16], struct span rest, uint8_t ret[16]);

enum cram_verdict { CRAM_PROVEN, CRAM_WRONG, CRAM_FAILED };

/* contexts: the state after the key xor ipad, then that after the key xor opad; null: there is no such account, and the answer is never
 * PROVEN, with the same work as for a wrong password. */
enum cram_verdict cram_verify(const struct cram_response *r, struct span challenge,
                              const uint8_t contexts[32], cram_md5_fn *md5, void *md5_context);

#endif
