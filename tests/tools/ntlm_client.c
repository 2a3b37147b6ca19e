#include "ntlm_client.h"

#include "sasl/upper_case.h"
#include "sasl/utf16.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

const uint8_t ntlm_client_hash[16] = {0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca,
                                      0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f, 0xd8, 0x52};

static void join(struct buf *b, const struct span *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++)
        buf_put(b, parts[i]);
    if (b->over) abort();
}

enum { ROOM = 3 * LIMIT_SASL_RESPONSE_OCTETS };

static bool hmac_md5(void *context, const uint8_t key[16], const struct span *parts, size_t n_parts,
                     uint8_t ret[16])
{
    static uint8_t memory[ROOM];
    struct buf b = buf_on(memory, sizeof memory);
    (void)context;
    join(&b, parts, n_parts);
    return HMAC(EVP_md5(), key, 16, b.p, b.n, ret, NULL) != NULL;
}

static bool md5(void *context, const struct span *parts, size_t n_parts, uint8_t ret[16])
{
    static uint8_t memory[ROOM];
    struct buf b = buf_on(memory, sizeof memory);
    (void)context;
    join(&b, parts, n_parts);
    return EVP_Digest(b.p, b.n, ret, NULL, EVP_md5(), NULL) == 1;
}

const struct ntlm_crypto ntlm_client_crypto = {NULL, hmac_md5, md5};

static void put_text(struct buf *b, const char *text, bool unicode)
{
    if (unicode)
        utf16_put_ascii(b, span_str(text));
    else
        buf_str(b, text);
}

static void put_blob(struct buf *b, const struct ntlm_client *c)
{
    wire_put_u16(b, 0x0101);
    buf_put(b, SPAN("\0\0\0\0\0\0"));
    wire_put_u64(b, c->filetime);
    buf_put(b, SPAN("\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\0\0\0\0"));
    ntlm_av_put_name(b, NTLM_AV_NETBIOS_DOMAIN, SPAN("Domain"));
    ntlm_av_put_name(b, NTLM_AV_NETBIOS_COMPUTER, SPAN("Server"));
    if (c->av_timestamp) ntlm_av_put_timestamp(b, *c->av_timestamp);
    if (c->mic) buf_put(b, SPAN("\6\0\4\0\2\0\0\0"));
    if (c->bindings) {
        buf_put(b, SPAN("\12\0\20\0"));
        buf_put(b, span_of(c->bindings, 16));
    }
    ntlm_av_put_end(b);
    wire_put_u32(b, 0);
}

/* The response, and the session key that it makes. */
static void put_response(struct buf *b, const struct ntlm_client *c, const struct ntlm *n,
                         uint8_t session_key[16])
{
    uint8_t memory[2][1024], key[16], proof[16];
    struct buf user = buf_on(memory[0], sizeof memory[0]), domain = buf_on(memory[1], sizeof memory[1]);
    utf16_put_ascii(&user, span_str(c->user));
    for (size_t i = 0; i < user.n / 2; i++)
        user.p[2 * i] = (uint8_t)upper_case(utf16_unit(buf_span(&user), i));
    if (!c->nil_domain) utf16_put_ascii(&domain, span_str(c->domain));
    uint8_t blob_memory[2048];
    struct buf blob = buf_on(blob_memory, sizeof blob_memory);
    put_blob(&blob, c);
    if (!ntlm_proof_response_key(&ntlm_client_crypto, c->hash, buf_span(&user), buf_span(&domain), key) ||
        !ntlm_proof_compute(&ntlm_client_crypto, key, n->server_challenge, buf_span(&blob), proof) ||
        !ntlm_proof_session_key(&ntlm_client_crypto, key, proof, session_key))
        abort();
    buf_put(b, span_of(proof, sizeof proof));
    buf_put(b, buf_span(&blob));
}

static void put_field(struct buf *b, size_t offset, size_t n)
{
    wire_put_u16(b, (uint16_t)n);
    wire_put_u16(b, (uint16_t)n);
    wire_put_u32(b, (uint32_t)offset);
}

void ntlm_client_authenticate(const struct ntlm_client *c, const struct ntlm *n, struct buf *ret)
{
    static const uint8_t exported[16] = "0123456789abcdef";
    uint8_t memory[4096], session_key[16], encrypted[16];
    struct buf p = buf_on(memory, sizeof memory); /* the payload */
    bool unicode = c->flags & NTLM_FLAG_UNICODE;
    size_t at[7] = {0};
    put_text(&p, c->domain, unicode);
    at[1] = p.n;
    put_text(&p, c->user, unicode);
    at[2] = p.n;
    put_text(&p, c->workstation, unicode);
    at[3] = p.n;
    buf_put(&p, c->lm);
    at[4] = p.n;
    memset(session_key, 0, sizeof session_key);
    if (c->nt.p)
        buf_put(&p, c->nt);
    else
        put_response(&p, c, n, session_key);
    at[5] = p.n;
    ntlm_proof_rc4(session_key, exported, encrypted);
    if (c->exchange) buf_put(&p, span_of(encrypted, sizeof encrypted));
    at[6] = p.n;

    static const uint8_t order[] = {3, 4, 0, 1, 2, 5}; /* of the fields in the header */
    size_t begin = ret->n;
    buf_put(ret, SPAN("NTLMSSP\0\3\0\0\0"));
    for (size_t i = 0; i < sizeof order; i++)
        put_field(ret, c->header + at[order[i]], at[order[i] + 1] - at[order[i]]);
    wire_put_u32(ret, c->flags | (c->exchange ? NTLM_FLAG_KEY_EXCHANGE | NTLM_FLAG_SIGN : 0));
    while (ret->n < begin + c->header && !ret->over)
        buf_byte(ret, 0);
    buf_put(ret, buf_span(&p));
    if (ret->over || p.over) abort();
    if (c->mic && c->header >= 88 &&
        !ntlm_proof_mic(&ntlm_client_crypto, c->exchange ? exported : session_key,
                        span_of(n->negotiate, n->n_negotiate), span_of(n->challenge, n->n_challenge),
                        span_of(ret->p + begin, ret->n - begin), NTLM_MIC_AT, ret->p + begin + NTLM_MIC_AT))
        abort();
}

struct ntlm_client ntlm_client_of(const struct ntlm *n, const char *user)
{
    return (struct ntlm_client){.flags = NTLM_CLIENT_FLAGS,
                                .user = user,
                                .domain = "Domain",
                                .workstation = "COMPUTER",
                                .hash = ntlm_client_hash,
                                .header = 88,
                                .filetime = n->filetime,
                                .av_timestamp = &n->filetime,
                                .mic = true,
                                .exchange = true};
}

void ntlm_client_negotiate(struct buf *ret, uint32_t flags, size_t n)
{
    size_t begin = ret->n;
    buf_put(ret, SPAN("NTLMSSP\0\1\0\0\0"));
    wire_put_u32(ret, flags);
    while (ret->n < begin + n && !ret->over)
        buf_byte(ret, 0);
    if (ret->over) abort();
}
