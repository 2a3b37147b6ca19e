/* Whatever a server offers and asks: a mechanism that it offered, one line of base64, and never more than the protocol takes; SCRAM never ends
 * well without the signature. First octet: what is known (1: a token, 2: a channel binding, 4: mechanisms are named); then the offer and the
 * challenges, one a line: base64 as it came, or behind "!" in clear. The hashes here are all zeros. */
#include "base/base64.h"
#include "directory/sasl_client.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static bool prepare(struct span typed, struct buf *ret)
{
    buf_put(ret, typed);
    return !ret->over;
}

static bool keys(void *context, enum sasl_hash hash, struct span prepared, struct span salt,
                 uint32_t iterations, struct scram_keys *ret)
{
    (void)context, (void)hash;
    must(prepared.n > 0 && salt.n > 0 && salt.n <= SCRAM_SALT_OCTETS);
    must(iterations >= LIMIT_SCRAM_ITERATIONS_MIN && iterations <= LIMIT_SCRAM_ITERATIONS_ASKED);
    memset(ret, 0, sizeof *ret);
    return true;
}

static bool hmac(enum sasl_hash hash, struct span key, struct span text, uint8_t ret[SASL_HASH_OCTETS_MAX])
{
    (void)hash, (void)key;
    must(text.n > 0 && text.n <= SCRAM_AUTH_OCTETS);
    memset(ret, 0, SASL_HASH_OCTETS_MAX);
    return true;
}

static bool digest(enum sasl_hash hash, struct span octets, uint8_t ret[SASL_HASH_OCTETS_MAX])
{
    return hmac(hash, octets, octets, ret);
}

static struct span line_take(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = span_head(*rest, end);
    *rest = end == SPAN_NPOS ? span_skip(*rest, rest->n) : span_skip(*rest, end + 1);
    return line;
}

static bool zeros(struct span challenge) /* "v=" and what hmac gives */
{
    uint8_t memory[LIMIT_AUTH_LINE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    return base64_decode(challenge, &b) && !b.over && b.n > 28 && memory[0] == 'v' && memory[1] == '=' &&
           memory[2] == 'A';
}

static void one_step(struct sasl_client *x, unsigned n, struct span all, struct span challenge, bool *over)
{
    static uint8_t memory[LIMIT_AUTH_LINE_OCTETS], decoded[LIMIT_AUTH_LINE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory), d = buf_on(decoded, sizeof decoded);
    struct sasl_client_step s = {all, n, challenge};
    enum credential_status status = sasl_client_respond(x, &s, &b);
    must(!b.over && x->why.n <= sizeof x->text);
    *over = status != CREDENTIAL_RESPONSE;
    if (*over) {
        must(b.n == 0 && x->why.n > 0);
        return;
    }
    must(x->mechanism != NULL);
    must(b.n == 0 || (base64_decode(buf_span(&b), &d) && !d.over));
    if (n == 0) must(b.n + strlen("AUTH \r\n ") + strlen(x->mechanism) <= LIMIT_SENT_LINE_OCTETS);
    if (x->last && strncmp(x->mechanism, "SCRAM", 5) == 0) must(b.n == 0 && zeros(challenge));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sasl_crypto crypto = {
        .prepare = prepare, .keys = keys, .hmac = hmac, .digest = digest};
    static const uint8_t chance[SASL_CLIENT_CHANCE];
    static uint8_t encoded[2 * LIMIT_AUTH_LINE_OCTETS];
    static struct sasl_client x;
    bool over = false;
    if (size == 0) return 0;
    struct credential c = {.user = SPAN("jo,e")};
    *(data[0] & 1 ? &c.token : &c.password) = SPAN("secret");
    if (data[0] & 4) c.mechanisms = SPAN("SCRAM-SHA-256 PLAIN XOAUTH2");
    sasl_client_begin(&x, &c, &crypto, data[0] & 2 ? SPAN("0123456789abcdef0123456789abcdef") : SPAN(""),
                      chance);
    struct span rest = span_of(data + 1, size - 1), all = line_take(&rest);
    for (unsigned n = 0; n < CREDENTIAL_STEPS_MAX && !over; n++) {
        struct buf b = buf_on(encoded, sizeof encoded);
        struct span challenge = n ? line_take(&rest) : SPAN("");
        if (challenge.n > 0 && challenge.p[0] == '!') {
            base64_encode(span_head(span_skip(challenge, 1), LIMIT_AUTH_LINE_OCTETS), &b);
            challenge = buf_span(&b);
        }
        one_step(&x, n, all, challenge, &over);
    }
    return 0;
}
