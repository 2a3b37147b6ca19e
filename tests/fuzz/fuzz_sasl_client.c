/* Whatever a server offers and asks: a mechanism that it offered, one line of base64, and never more than the protocol takes. First octet:
 * the step; then the offer, LF, the challenge. */
#include "base/base64.h"
#include "directory/sasl_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct credential joe = {{(const uint8_t *)"joe", 3}, {(const uint8_t *)"secret", 6}};
    uint8_t memory[LIMIT_AUTH_LINE_OCTETS], decoded[LIMIT_AUTH_LINE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory), d = buf_on(decoded, sizeof decoded);
    if (size == 0) return 0;
    struct span rest = span_of(data + 1, size - 1);
    size_t end = span_find(rest, '\n');
    struct sasl_client_step s = {span_head(rest, end), data[0] % CREDENTIAL_STEPS_MAX,
                                 end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1)};
    const char *mechanism = NULL;
    enum credential_status status = sasl_client_respond(&joe, &s, &mechanism, &b);
    must(!b.over);
    if (status != CREDENTIAL_RESPONSE) {
        must(b.n == 0);
        return 0;
    }
    must(mechanism && s.mechanisms.n >= strlen(mechanism));
    if (b.n > 0) must(base64_decode(buf_span(&b), &d) && d.n >= 3);
    return 0;
}
