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

/* HMAC-MD5 of the challenge, from the contexts of a password; lent by the caller (identity/secret.h has one). */
typedef void cram_digest_fn(const uint8_t contexts[32], struct span challenge, uint8_t ret[16]);

/* challenge: as it was sent. contexts: the states of MD5 after the key xor ipad, and after the key xor opad; null: there is no such account,
 * and the answer is never true, with the same work as for a wrong password. */
bool cram_verify(const struct cram_response *r, struct span challenge, const uint8_t *contexts,
                 cram_digest_fn *digest);

#endif
