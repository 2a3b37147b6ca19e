#include "directory/scram_client.h"

#include "base/base64.h"

#define CB_NAME "tls-exporter" /* RFC 9266 */

static size_t octets_of(enum sasl_hash hash)
{
    return hash == SASL_SHA_1 ? 20 : 32;
}

static bool refuse(struct buf *why, const char *text)
{
    buf_str(why, text);
    return false;
}

/* --- what we say */

static void put_gs2_header(const struct scram_client *s, struct buf *b)
{
    buf_str(b, s->binding == SCRAM_BOUND         ? "p=" CB_NAME ",,"
               : s->binding == SCRAM_NOT_OFFERED ? "y,,"
                                                 : "n,,");
}

void scram_client_begin(struct scram_client *s, enum sasl_hash hash, enum scram_binding binding,
                        struct span user, struct span nonce)
{
    s->hash = hash;
    s->binding = binding;
    s->nonce_octets = nonce.n;
    s->auth = buf_on(s->memory, sizeof s->memory);
    buf_put(&s->auth, SPAN("n="));
    for (size_t i = 0; i < user.n; i++) { /* saslname: RFC 5802 5.1 */
        if (user.p[i] == ',')
            buf_put(&s->auth, SPAN("=2C"));
        else if (user.p[i] == '=')
            buf_put(&s->auth, SPAN("=3D"));
        else
            buf_byte(&s->auth, user.p[i]);
    }
    buf_put(&s->auth, SPAN(",r="));
    buf_put(&s->auth, nonce);
}

void scram_client_first(const struct scram_client *s, struct buf *ret)
{
    put_gs2_header(s, ret);
    buf_put(ret, buf_span(&s->auth));
}

/* client-final-message-without-proof */
static void put_final(const struct scram_client *s, struct span exporter, struct span nonce, struct buf *ret)
{
    uint8_t memory[32 + LIMIT_EXPORTER_OCTETS];
    struct buf input = buf_on(memory, sizeof memory);
    put_gs2_header(s, &input);
    if (s->binding == SCRAM_BOUND) buf_put(&input, exporter);
    buf_put(ret, SPAN("c="));
    base64_encode(buf_span(&input), ret);
    buf_put(ret, SPAN(",r="));
    buf_put(ret, nonce);
}

/* --- what the server says */

struct server_first {
    struct span nonce;
    struct buf salt; /* on memory */
    uint32_t iterations;
    uint8_t memory[SCRAM_SALT_OCTETS];
};

/* "x=" value, up to a comma or the end. */
static bool take(struct span *rest, char name, struct span *value)
{
    if (rest->n < 2 || rest->p[0] != (uint8_t)name || rest->p[1] != '=') return false;
    struct span text = span_skip(*rest, 2);
    size_t end = span_find(text, ',');
    *value = span_head(text, end);
    *rest = end == SPAN_NPOS ? span_skip(text, text.n) : span_skip(text, end + 1);
    return true;
}

static bool iterations_fit(struct span digits, uint32_t *ret, struct buf *why)
{
    uint64_t n;
    if (!span_u64(digits, &n) || digits.p[0] == '0')
        return refuse(why, "the server's count of iterations is none");
    *ret = (uint32_t)n;
    if (n >= LIMIT_SCRAM_ITERATIONS_MIN && n <= LIMIT_SCRAM_ITERATIONS_ASKED) return true;
    buf_str(why, "the server wants ");
    buf_u64(why, n);
    buf_str(why, n < LIMIT_SCRAM_ITERATIONS_MIN
                     ? " iterations: too few to hide the password (RFC 7677 4: at least "
                     : " iterations: too many (at most ");
    buf_u64(why, n < LIMIT_SCRAM_ITERATIONS_MIN ? LIMIT_SCRAM_ITERATIONS_MIN : LIMIT_SCRAM_ITERATIONS_ASKED);
    buf_byte(why, ')');
    return false;
}

/* Ours, and more behind it: else an answer of another exchange would do (RFC 5802 5.1). */
static bool nonce_fits(const struct scram_client *s, struct span nonce)
{
    struct span ours = span_skip(buf_span(&s->auth), s->auth.n - s->nonce_octets);
    return nonce.n > ours.n && span_eq(span_head(nonce, ours.n), ours);
}

static bool read_first(const struct scram_client *s, struct span message, struct server_first *ret,
                       struct buf *why)
{
    struct span rest = message, salt, iterations;
    ret->salt = buf_on(ret->memory, sizeof ret->memory);
    if (message.n > SCRAM_MESSAGE_OCTETS || !span_printable(message))
        return refuse(why, "the server's first message is too long, or is no text");
    if (span_starts_nocase(message, SPAN("m=")))
        return refuse(why, "the server wants an extension that is unknown here");
    if (!take(&rest, 'r', &ret->nonce) || !take(&rest, 's', &salt) || !take(&rest, 'i', &iterations))
        return refuse(why, "the server's first message is malformed");
    if (!nonce_fits(s, ret->nonce)) return refuse(why, "the server's nonce does not begin with ours");
    if (salt.n == 0 || !base64_decode(salt, &ret->salt) || ret->salt.over)
        return refuse(why, "the server's salt is malformed");
    return iterations_fit(iterations, &ret->iterations, why);
}

/* ClientProof and ServerSignature: RFC 5802 3. */
static bool prove(struct scram_client *s, const struct sasl_crypto *c, const struct scram_keys *k,
                  uint8_t proof[SASL_HASH_OCTETS_MAX])
{
    uint8_t stored[SASL_HASH_OCTETS_MAX];
    size_t n = octets_of(s->hash);
    bool good = c->digest(s->hash, span_of(k->client, n), stored) &&
                c->hmac(s->hash, span_of(stored, n), buf_span(&s->auth), proof) &&
                c->hmac(s->hash, span_of(k->server, n), buf_span(&s->auth), s->server_signature);
    for (size_t i = 0; good && i < n; i++)
        proof[i] ^= k->client[i];
    explicit_bzero(stored, sizeof stored);
    return good;
}

bool scram_client_final(struct scram_client *s, const struct sasl_crypto *crypto, struct span password,
                        struct span exporter, struct span server_first, struct buf *ret, struct buf *why)
{
    struct server_first first;
    struct scram_keys keys;
    uint8_t proof[SASL_HASH_OCTETS_MAX];
    if (!read_first(s, server_first, &first, why)) return false;
    buf_byte(&s->auth, ',');
    buf_put(&s->auth, server_first);
    buf_byte(&s->auth, ',');
    size_t at = s->auth.n;
    put_final(s, exporter, first.nonce, &s->auth);
    bool good =
        !s->auth.over &&
        crypto->keys(crypto->context, s->hash, password, buf_span(&first.salt), first.iterations, &keys) &&
        prove(s, crypto, &keys, proof);
    if (good) {
        buf_put(ret, span_skip(buf_span(&s->auth), at));
        buf_put(ret, SPAN(",p="));
        base64_encode(span_of(proof, octets_of(s->hash)), ret);
    }
    explicit_bzero(&keys, sizeof keys);
    explicit_bzero(proof, sizeof proof);
    return good || refuse(why, "the proof cannot be computed");
}

bool scram_client_verify(const struct scram_client *s, struct span server_final, struct buf *why)
{
    uint8_t memory[SASL_HASH_OCTETS_MAX], differ = 0;
    struct buf signature = buf_on(memory, sizeof memory);
    struct span rest = server_final, value;
    if (take(&rest, 'e', &value)) {
        buf_str(why, "the server says ");
        buf_escaped(why, value, 100);
        return false;
    }
    if (!take(&rest, 'v', &value) || !base64_decode(value, &signature) || signature.over ||
        signature.n != octets_of(s->hash))
        return refuse(why, "the server's last message is malformed");
    for (size_t i = 0; i < signature.n; i++)
        differ |= (uint8_t)(memory[i] ^ s->server_signature[i]);
    return differ == 0 || refuse(why, "the server does not know the password that it asks for");
}
