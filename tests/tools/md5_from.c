#define OPENSSL_SUPPRESS_DEPRECATED /* nothing else takes a state */
#include "md5_from.h"

#include <openssl/md5.h>

bool md5_from(void *context, const uint8_t state[16], struct span rest, uint8_t ret[16])
{
    MD5_CTX c;
    uint32_t words[4];
    (void)context;
    memcpy(words, state, sizeof words);
    if (!MD5_Init(&c)) return false;
    c.A = words[0];
    c.B = words[1];
    c.C = words[2];
    c.D = words[3];
    c.Nl = 64 * 8;
    return MD5_Update(&c, rest.p, rest.n) && MD5_Final(ret, &c);
}

void md5_from_password(struct span password, uint8_t contexts[32])
{
    static const uint8_t pads[] = {0x36, 0x5c}; /* RFC 2104 2 */
    for (unsigned i = 0; i < 2; i++) {
        MD5_CTX c;
        uint8_t block[64] = {0};
        memcpy(block, password.p, password.n);
        for (unsigned j = 0; j < sizeof block; j++)
            block[j] ^= pads[i];
        MD5_Init(&c);
        MD5_Update(&c, block, sizeof block);
        uint32_t words[4] = {c.A, c.B, c.C, c.D};
        memcpy(contexts + 16 * i, words, sizeof words);
    }
}
