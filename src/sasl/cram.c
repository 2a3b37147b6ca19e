#include "sasl/cram.h"

#include "base/hex.h"
#include "sasl/secret.h"

void cram_put_challenge(struct buf *b, uint64_t random, uint64_t unix_seconds, struct span host)
{
    buf_byte(b, '<');
    buf_u64(b, random);
    buf_byte(b, '.');
    buf_u64(b, unix_seconds);
    buf_byte(b, '@');
    buf_put(b, host);
    buf_byte(b, '>');
}

bool cram_read(struct span message, struct cram_response *ret)
{
    struct cram_response r;
    struct buf digest = buf_on(r.digest, sizeof r.digest);
    size_t blank = span_rfind(message, ' '); /* a name may have blanks */
    if (blank == SPAN_NPOS) return false;
    r.name = span_head(message, blank);
    struct span hex = span_skip(message, blank + 1);
    if (hex.n != 2 * sizeof r.digest || !hex_decode(hex, &digest) || !authzid_is_name(r.name)) return false;
    *ret = r;
    return true;
}

bool cram_verify(const struct cram_response *r, struct span challenge, const uint8_t *contexts,
                 cram_digest_fn *digest)
{
    static const uint8_t nobody[32];
    uint8_t right[16];
    digest(contexts ? contexts : nobody, challenge, right);
    bool equal = secret_equal(span_of(r->digest, sizeof r->digest), span_of(right, sizeof right));
    explicit_bzero(right, sizeof right);
    return equal && contexts;
}
