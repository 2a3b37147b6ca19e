#include "identity/secret.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <stringprep.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "identity/md4.h"

#define DIGEST_PREFIX "$app-sha256$"

_Static_assert(SECRET_VERIFIER_OCTETS >= CRYPT_OUTPUT_SIZE, "crypt_r writes that much");
_Static_assert(SECRET_DIGEST_VERIFIER_OCTETS < SECRET_VERIFIER_OCTETS, "");

enum { SALT_OCTETS = 16, UTF16_OCTETS = 2 * LIMIT_PASSWORD_OCTETS };

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > 126) return false;
    return true;
}

bool secret_prepare(struct span typed, struct buf *ret)
{
    char text[LIMIT_PASSWORD_OCTETS + 1], *prepared = NULL;

    if (typed.n == 0 || typed.n > LIMIT_PASSWORD_OCTETS || !utf8_valid(typed) || !span_no_controls(typed))
        return false;
    if (is_ascii(typed)) {
        buf_put(ret, typed);
        return !ret->over;
    }
    memcpy(text, typed.p, typed.n);
    text[typed.n] = 0;
    bool good = stringprep_profile(text, &prepared, "SASLprep", 0) == STRINGPREP_OK && prepared[0];
    if (good) buf_str(ret, prepared);
    if (prepared) {
        explicit_bzero(prepared, strlen(prepared));
        free(prepared);
    }
    explicit_bzero(text, sizeof text);
    return good && !ret->over;
}

/* --- crypt(5) */

static bool hash(const char *text, const char *setting, char ret[SECRET_VERIFIER_OCTETS])
{
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 KiB */
    if (!data) return false;
    const char *made = crypt_r(text, setting, data);
    size_t n = made ? strlen(made) : 0;
    bool good = n > 1 && made[0] != '*' && n < SECRET_VERIFIER_OCTETS;
    if (good) memcpy(ret, made, n + 1);
    explicit_bzero(data, sizeof *data);
    free(data);
    return good;
}

/* False: too long, or a NUL in it. */
static bool terminate(struct span s, char *ret, size_t octets)
{
    if (s.n >= octets || span_find(s, 0) != SPAN_NPOS) return false;
    if (s.n) memcpy(ret, s.p, s.n);
    ret[s.n] = 0;
    return true;
}

bool secret_verifier(struct span prepared, char ret[SECRET_VERIFIER_OCTETS])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], text[SECRET_PREPARED_OCTETS];
    bool good = terminate(prepared, text, sizeof text) &&
                crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting) != NULL &&
                hash(text, setting, ret);
    explicit_bzero(text, sizeof text);
    return good;
}

bool secret_verifier_known(struct span verifier)
{
    char text[SECRET_VERIFIER_OCTETS];
    if (verifier.n < 13 || verifier.p[0] != '$' || !span_printable(verifier) ||
        !terminate(verifier, text, sizeof text))
        return false;
    int answer = crypt_checksalt(text);
    return answer == CRYPT_SALT_OK || answer == CRYPT_SALT_METHOD_LEGACY || answer == CRYPT_SALT_TOO_CHEAP;
}

static bool fits_text(struct span password, const char *verifier)
{
    char text[SECRET_PREPARED_OCTETS], made[SECRET_VERIFIER_OCTETS];
    size_t n = strlen(verifier);
    bool good = terminate(password, text, sizeof text) && hash(text, verifier, made) && strlen(made) == n &&
                CRYPTO_memcmp(made, verifier, n) == 0;
    explicit_bzero(text, sizeof text);
    explicit_bzero(made, sizeof made);
    return good;
}

static bool fits_digest(struct span typed, struct span hexadecimal)
{
    uint8_t wanted[SECRET_DIGEST_OCTETS], digest[SECRET_DIGEST_OCTETS];
    struct buf b = buf_on(wanted, sizeof wanted);
    return hex_decode(hexadecimal, &b) && b.n == sizeof wanted && secret_digest(typed, digest) &&
           CRYPTO_memcmp(wanted, digest, sizeof digest) == 0;
}

bool secret_fits(struct span typed, struct span verifier)
{
    uint8_t memory[SECRET_PREPARED_OCTETS];
    char text[SECRET_VERIFIER_OCTETS];
    struct buf prepared = buf_on(memory, sizeof memory);
    const struct span prefix = SPAN(DIGEST_PREFIX);

    if (span_eq(span_head(verifier, prefix.n), prefix))
        return fits_digest(typed, span_skip(verifier, prefix.n));
    if (verifier.n == 0 || verifier.p[0] != '$' || typed.n > LIMIT_PASSWORD_OCTETS ||
        !terminate(verifier, text, sizeof text))
        return false;
    bool good = secret_prepare(typed, &prepared) && fits_text(buf_span(&prepared), text);
    if (!good && typed.n && !span_eq(typed, buf_span(&prepared))) good = fits_text(typed, text);
    explicit_bzero(memory, sizeof memory);
    return good;
}

/* --- SCRAM: RFC 5802 3 */

static bool mac(const EVP_MD *md, struct span key, const char *text, uint8_t *ret)
{
    return HMAC(md, key.p, (int)key.n, (const uint8_t *)text, strlen(text), ret, NULL) != NULL;
}

bool secret_scram_client(struct span prepared, enum secret_hash hash_of, struct span salt,
                         uint32_t iterations, uint8_t client[32], uint8_t server[32])
{
    const EVP_MD *md = hash_of == SECRET_SHA_1 ? EVP_sha1() : EVP_sha256();
    uint8_t salted[32];
    size_t n = (size_t)EVP_MD_get_size(md);

    bool good = iterations > 0 && iterations <= LIMIT_SCRAM_ITERATIONS_MAX &&
                PKCS5_PBKDF2_HMAC((const char *)prepared.p, (int)prepared.n, salt.p, (int)salt.n,
                                  (int)iterations, md, (int)n, salted) == 1 &&
                mac(md, span_of(salted, n), "Client Key", client) &&
                mac(md, span_of(salted, n), "Server Key", server);
    explicit_bzero(salted, sizeof salted);
    return good;
}

bool secret_scram_keys(struct span prepared, enum secret_hash hash_of, struct secret_scram *ret)
{
    const EVP_MD *md = hash_of == SECRET_SHA_1 ? EVP_sha1() : EVP_sha256();
    uint8_t client[32];

    ret->key_octets = (uint8_t)EVP_MD_get_size(md);
    bool good = ret->salt_octets <= sizeof ret->salt &&
                secret_scram_client(prepared, hash_of, span_of(ret->salt, ret->salt_octets), ret->iterations,
                                    client, ret->server_key) &&
                EVP_Digest(client, ret->key_octets, ret->stored_key, NULL, md, NULL) == 1;
    explicit_bzero(client, sizeof client);
    return good;
}

bool secret_scram(struct span prepared, enum secret_hash hash_of, struct secret_scram *ret)
{
    *ret = (struct secret_scram){.iterations = LIMIT_SCRAM_ITERATIONS, .salt_octets = SALT_OCTETS};
    return RAND_bytes(ret->salt, SALT_OCTETS) == 1 && secret_scram_keys(prepared, hash_of, ret);
}

/* --- for old devices */

bool secret_nt(struct span typed, uint8_t ret[16])
{
    uint8_t memory[UTF16_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    uint32_t code;

    while (typed.n) {
        size_t n = utf8_next(typed, &code);
        if (n == 0) break;
        typed = span_skip(typed, n);
        uint32_t units[2] = {code, 0};
        if (code > 0xffff) {
            units[0] = 0xd800 + ((code - 0x10000) >> 10);
            units[1] = 0xdc00 + ((code - 0x10000) & 0x3ff);
        }
        for (unsigned k = 0; k < (code > 0xffff ? 2 : 1); k++) {
            buf_byte(&b, (uint8_t)units[k]);
            buf_byte(&b, (uint8_t)(units[k] >> 8));
        }
    }
    bool good = typed.n == 0 && !b.over;
    if (good) md4(buf_span(&b), ret);
    explicit_bzero(memory, sizeof memory);
    return good;
}

/* --- app passwords */

bool secret_digest(struct span typed, uint8_t ret[SECRET_DIGEST_OCTETS])
{
    return EVP_Digest(typed.p, typed.n, ret, NULL, EVP_sha256(), NULL) == 1;
}

void secret_put_digest(struct buf *b, struct span digest)
{
    if (digest.n != SECRET_DIGEST_OCTETS) b->over = true;
    buf_str(b, DIGEST_PREFIX);
    hex_encode(digest, b);
}

bool secret_warm_up(void)
{
    struct secret_scram scram = {.iterations = 1, .salt_octets = SALT_OCTETS};
    uint8_t digest[SECRET_DIGEST_OCTETS];
    char verifier[SECRET_VERIFIER_OCTETS];
    uint8_t contexts[32];
    return secret_digest(SPAN("x"), digest) && secret_scram_keys(SPAN("x"), SECRET_SHA_256, &scram) &&
           secret_scram_keys(SPAN("x"), SECRET_SHA_1, &scram) && secret_cram(SPAN("x"), contexts) &&
           hash("x", "$5$rounds=1000$salt", verifier);
}
