/* The questions of an edge and the answers of the keyring: what is read is what would be written, and nothing beyond the
 * sizes that TLS has. */
#include <stdlib.h>

#include "system/tls_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buf *b, struct span s)
{
    if (b->over || !span_eq(buf_span(b), s)) abort();
}

static void inside(struct span part, struct span whole)
{
    if (part.n > 0 && (part.p < whole.p || part.p + part.n > whole.p + whole.n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size);
    uint8_t octets[SIGN_ANSWER_OCTETS_MAX];
    struct sign_question q;
    struct sign_answer a;
    struct key_answer k;
    struct tls_key_id id;
    struct buf b = buf_on(octets, sizeof octets);
    if (sign_question_read(s, &q)) {
        inside(q.digest, s);
        if (q.digest.n != sign_digest_octets(q.scheme) || q.digest.n < 20 || size > SIGN_QUESTION_OCTETS_MAX)
            abort();
        sign_question_put(&b, &q);
        same(&b, s);
    }
    b = buf_on(octets, sizeof octets);
    if (sign_answer_read(s, &a)) {
        inside(a.signature, s);
        if ((a.status == SIGN_OK) != (a.signature.n > 0) || size > SIGN_ANSWER_OCTETS_MAX) abort();
        sign_answer_put(&b, &a);
        same(&b, s);
    }
    b = buf_on(octets, sizeof octets);
    if (key_question_read(s, &id)) {
        key_question_put(&b, id);
        same(&b, s);
    }
    b = buf_on(octets, sizeof octets);
    if (key_answer_read(s, &k)) {
        key_answer_put(&b, &k);
        same(&b, s);
    }
    return 0;
}
