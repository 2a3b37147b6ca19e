/* CRAM-MD5 without the password (RFC 2104 4): OpenSSL's EVP keeps the state of a digest to itself, so here, and only here, it is its
 * older interface. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/md5.h>

#include "identity/secret.h"

enum { BLOCK = 64, CONTEXT = 16 };

static void put_context(const MD5_CTX *c, uint8_t ret[CONTEXT])
{
    const uint32_t words[] = {c->A, c->B, c->C, c->D};
    for (unsigned i = 0; i < CONTEXT; i++)
        ret[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
}

static bool begin(const uint8_t key[BLOCK], uint8_t pad, uint8_t ret[CONTEXT])
{
    uint8_t block[BLOCK];
    MD5_CTX c;

    for (unsigned i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    bool good = MD5_Init(&c) == 1 && MD5_Update(&c, block, BLOCK) == 1;
    put_context(&c, ret);
    explicit_bzero(block, sizeof block);
    explicit_bzero(&c, sizeof c);
    return good;
}

bool secret_cram(struct span prepared, uint8_t ret[32])
{
    uint8_t key[BLOCK] = {0};
    bool good = true;

    if (prepared.n > BLOCK)
        good = EVP_Digest(prepared.p, prepared.n, key, NULL, EVP_md5(), NULL) == 1;
    else if (prepared.n)
        memcpy(key, prepared.p, prepared.n);
    good = good && begin(key, 0x36, ret) && begin(key, 0x5c, ret + CONTEXT);
    explicit_bzero(key, sizeof key);
    return good;
}

/* The digest of one block, whose state is context, and text behind it. */
static void go_on(const uint8_t context[CONTEXT], struct span text, uint8_t ret[16])
{
    uint32_t words[4] = {0};
    MD5_CTX c;

    for (unsigned i = 0; i < CONTEXT; i++)
        words[i / 4] |= (uint32_t)context[i] << (8 * (i % 4));
    MD5_Init(&c);
    c.A = words[0];
    c.B = words[1];
    c.C = words[2];
    c.D = words[3];
    c.Nl = BLOCK * 8; /* bits so far */
    MD5_Update(&c, text.p, text.n);
    MD5_Final(ret, &c);
    explicit_bzero(words, sizeof words);
    explicit_bzero(&c, sizeof c);
}

void secret_cram_digest(const uint8_t contexts[32], struct span challenge, uint8_t ret[16])
{
    uint8_t inner[16];
    go_on(contexts, challenge, inner);
    go_on(contexts + CONTEXT, span_of(inner, sizeof inner), ret);
    explicit_bzero(inner, sizeof inner);
}
