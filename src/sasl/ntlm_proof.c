#include "sasl/ntlm_proof.h"

bool ntlm_proof_response_key(const struct ntlm_crypto *c, const uint8_t nt_hash[16], struct span user,
                             struct span domain, uint8_t ret[16])
{
    struct span parts[] = {user, domain};
    return c->hmac_md5(c->context, nt_hash, parts, 2, ret);
}

bool ntlm_proof_compute(const struct ntlm_crypto *c, const uint8_t response_key[16],
                        const uint8_t server_challenge[8], struct span blob, uint8_t ret[16])
{
    struct span parts[] = {span_of(server_challenge, 8), blob};
    return c->hmac_md5(c->context, response_key, parts, 2, ret);
}

bool ntlm_proof_session_key(const struct ntlm_crypto *c, const uint8_t response_key[16],
                            const uint8_t proof[16], uint8_t ret[16])
{
    struct span part = span_of(proof, 16);
    return c->hmac_md5(c->context, response_key, &part, 1, ret);
}

static void swap(uint8_t *a, uint8_t *b)
{
    uint8_t t = *a;
    *a = *b;
    *b = t;
}

void ntlm_proof_rc4(const uint8_t key[16], const uint8_t in[16], uint8_t ret[16])
{
    uint8_t s[256], j = 0;
    for (unsigned i = 0; i < 256; i++)
        s[i] = (uint8_t)i;
    for (unsigned i = 0; i < 256; i++) {
        j = (uint8_t)(j + s[i] + key[i % 16]);
        swap(&s[i], &s[j]);
    }
    j = 0;
    for (unsigned i = 1; i <= 16; i++) {
        j = (uint8_t)(j + s[i]);
        swap(&s[i], &s[j]);
        ret[i - 1] = in[i - 1] ^ s[(uint8_t)(s[i] + s[j])];
    }
    explicit_bzero(s, sizeof s);
}

bool ntlm_proof_mic(const struct ntlm_crypto *c, const uint8_t exported_key[16], struct span negotiate,
                    struct span challenge, struct span authenticate, size_t mic_at, uint8_t ret[16])
{
    static const uint8_t zero[16];
    struct span parts[] = {negotiate, challenge, span_head(authenticate, mic_at), span_of(zero, sizeof zero),
                           span_skip(authenticate, mic_at + sizeof zero)};
    return c->hmac_md5(c->context, exported_key, parts, sizeof parts / sizeof parts[0], ret);
}

bool ntlm_proof_channel_bindings(const struct ntlm_crypto *c, struct span end_point, uint8_t ret[16])
{
    static const uint8_t no_addresses[16];              /* types and lengths of initiator and acceptor */
    struct span prefix = SPAN("tls-server-end-point:"); /* RFC 5929 4 */
    size_t n = prefix.n + end_point.n;
    uint8_t length[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    struct span parts[] = {span_of(no_addresses, sizeof no_addresses), span_of(length, sizeof length), prefix,
                           end_point};
    return c->md5(c->context, parts, sizeof parts / sizeof parts[0], ret);
}
