/* Tokens: vectors of the RFCs, ours, and those of an attacker. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "../span_check.h"
#include "base/base64.h"
#include "service/token_keys.h"

#define NOW 1300819300u /* before the end of the tokens in RFC 7515 */
#define RSA_N                                                                                                \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-" \
    "SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"        \
    "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"                   \
    "DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define EC_X    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED_X    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED_D    "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define JOE     "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RSA_JWK "{\"kty\":\"RSA\",\"kid\":\"rsa\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"
#define EC_JWK  "{\"kty\":\"EC\",\"kid\":\"ec\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"
#define ED_JWK  "{\"kty\":\"OKP\",\"kid\":\"ed\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"x\":\"" ED_X "\"}"
#define SET(k)  "{\"keys\":[" k "]}"

/* RFC 7515 A.2 and A.3, RFC 8037 A.4 */
#define RS256_TOKEN                                                                                          \
    "eyJhbGciOiJSUzI1NiJ9." JOE "."                                                                          \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"                         \
    "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQ"  \
    "BMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi"  \
    "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define ES256_TOKEN                                                                                          \
    "eyJhbGciOiJFUzI1NiJ9." JOE "."                                                                          \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EDDSA_TEXT "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define EDDSA_SIGNATURE                                                                                      \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

static const struct config_tokens expected = {.given = true,
                                              .issuer = {(const uint8_t *)"https://id.example", 18},
                                              .audience = {(const uint8_t *)"mail", 4},
                                              .scope = {(const uint8_t *)"smtp", 4}};

static struct token_keys *keys_of(const char *set)
{
    const char *why;
    struct token_keys *k = token_keys_read(span_str(set), &why);
    if (!k) print_message("%s\n", why);
    assert_non_null(k);
    return k;
}

static void put_url(struct buf *b, struct span s)
{
    size_t at = b->n;
    base64_encode(s, b);
    assert_false(b->over);
    while (b->p[b->n - 1] == '=')
        b->n--;
    for (; at < b->n; at++)
        b->p[at] = b->p[at] == '+' ? '-' : b->p[at] == '/' ? '_' : b->p[at];
}

static EVP_PKEY *ed_private(void)
{
    uint8_t d[32];
    struct buf b = buf_on(d, sizeof d);
    assert_true(base64_url_decode(SPAN(ED_D), &b));
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d, sizeof d);
}

/* A signed token in b; key: null: the one of RFC 8037. */
static void sign(struct buf *b, const char *header, const char *payload, EVP_PKEY *key)
{
    uint8_t signature[512];
    size_t n = sizeof signature;
    EVP_PKEY_CTX *options = NULL;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY *ed = ed_private();
    b->n = 0;
    put_url(b, span_str(header));
    buf_byte(b, '.');
    put_url(b, span_str(payload));
    assert_int_equal(EVP_DigestSignInit(c, &options, key ? EVP_sha256() : NULL, NULL, key ? key : ed), 1);
    if (key &&
        strstr(header, "PS256")) { /* "salt": none, though RFC 7518 3.5 wants one as long as the hash */
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, strstr(header, "salt") ? 0 : RSA_PSS_SALTLEN_DIGEST),
            1);
    }
    assert_int_equal(EVP_DigestSign(c, signature, &n, b->p, b->n), 1);
    buf_byte(b, '.');
    put_url(b, span_of(signature, n));
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(ed);
}

/* As service/login_oauth.c asks; the account is copied. */
static enum token_verdict ask(const struct token_keys *k, struct span text, const struct config_tokens *want,
                              uint64_t now, char account[400])
{
    struct arena *a = arena_create(65536);
    struct web_token t;
    struct span name = {NULL, 0};
    uint64_t ends = 0;
    account[0] = 0;
    enum token_verdict v = token_read(text, a, &t);
    if (v == TOKEN_GOOD) v = token_keys_verify(k, &t);
    if (v == TOKEN_GOOD) v = token_judge(&t, want, now, &name, &ends);
    if (v == TOKEN_GOOD) {
        snprintf(account, 400, "%.*s", (int)name.n, (const char *)name.p);
        assert_true(ends > now);
        assert_int_equal(token_judge(&t, want, ends - 1, &name, &ends), TOKEN_GOOD);
        assert_int_equal(token_judge(&t, want, ends, &name, &ends), TOKEN_EXPIRED);
    }
    token_free(&t);
    arena_destroy(&a);
    return v;
}

static void vectors(void **state)
{
    (void)state;
    struct token_keys *k = keys_of(SET(RSA_JWK "," EC_JWK "," ED_JWK));
    const struct config_tokens joe = {.issuer = SPAN("joe"), .audience = SPAN("x"), .scope = SPAN("x")};
    char account[400], copy[sizeof RS256_TOKEN];
    assert_int_equal(token_keys_count(k), 3);
    /* what is wrong with them comes after the signature: they have no audience */
    assert_int_equal(ask(k, SPAN(RS256_TOKEN), &joe, NOW, account), TOKEN_AUDIENCE);
    assert_int_equal(ask(k, SPAN(ES256_TOKEN), &joe, NOW, account), TOKEN_AUDIENCE);
    assert_int_equal(ask(k, SPAN(ES256_TOKEN), &expected, NOW, account), TOKEN_ISSUER);
    memcpy(copy, RS256_TOKEN, sizeof copy);
    copy[sizeof copy - 20] ^= 1;
    assert_int_equal(ask(k, span_str(copy), &joe, NOW, account), TOKEN_SIGNATURE);
    memcpy(copy, ES256_TOKEN, sizeof ES256_TOKEN);
    copy[sizeof ES256_TOKEN - 20] ^= 1;
    assert_int_equal(ask(k, span_str(copy), &joe, NOW, account), TOKEN_SIGNATURE);

    uint8_t memory[64];
    struct buf signature = buf_on(memory, sizeof memory);
    assert_true(base64_url_decode(SPAN(EDDSA_SIGNATURE), &signature));
    struct web_token t = {
        .algorithm = TOKEN_EDDSA, .signed_by = SPAN(EDDSA_TEXT), .signature = buf_span(&signature)};
    assert_int_equal(token_keys_verify(k, &t), TOKEN_GOOD);
    memory[5] ^= 1;
    assert_int_equal(token_keys_verify(k, &t), TOKEN_SIGNATURE);
    t.signature.n = 0;
    assert_int_equal(token_keys_verify(k, &t), TOKEN_SIGNATURE);
    token_keys_free(&k);
}

#define REST "\"iss\":\"https://id.example\",\"scope\":\"smtp\",\"email\":\"a@example.org\""
#define GOOD "{" REST ",\"aud\":\"mail\",\"exp\":1300819400}"

static void rsa(void **state)
{
    (void)state;
    static char set[2048], n[1024];
    uint8_t modulus[300], memory[2048];
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIGNUM *bn = NULL;
    char account[400];
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &bn), 1);
    struct buf text = buf_on(n, sizeof n - 1), b = buf_on(memory, sizeof memory);
    put_url(&text, span_of(modulus, (size_t)BN_bn2bin(bn, modulus)));
    n[text.n] = 0;
    BN_free(bn);
    static const struct {
        const char *alg, *header;
        enum token_verdict v;
    } rows[] = {
        {"", "{\"alg\":\"RS256\"}", TOKEN_GOOD},
        {"", "{\"alg\":\"PS256\"}", TOKEN_GOOD},
        {"", "{\"alg\":\"PS256\",\"salt\":0}", TOKEN_SIGNATURE},
        {",\"alg\":\"PS256\"", "{\"alg\":\"PS256\"}", TOKEN_GOOD},
        {",\"alg\":\"PS256\"", "{\"alg\":\"RS256\"}",
         TOKEN_KEY}, /* RFC 8725 3.1: a key is for one algorithm */
        {"", "{\"alg\":\"ES256\"}", TOKEN_KEY},
        {"", "{\"alg\":\"RS512\"}", TOKEN_ALGORITHM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(set, sizeof set, SET("{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"%s}"), n, rows[i].alg);
        struct token_keys *k = keys_of(set);
        sign(&b, rows[i].header, GOOD, key);
        assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), rows[i].v);
        if (rows[i].v == TOKEN_GOOD) assert_string_equal(account, "a@example.org");
        token_keys_free(&k);
    }
    EVP_PKEY_free(key);
}

/* RFC 8725 2.1: the public key as the secret of an HMAC */
static void confused(void **state)
{
    (void)state;
    struct token_keys *k = keys_of(SET(RSA_JWK));
    static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}",
                                          "{\"alg\":\"none\"}", "{\"alg\":\"nOnE\"}", "{\"alg\":\"\"}"};
    char account[400];
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        uint8_t memory[2048], mac[32];
        unsigned n = 0;
        struct buf b = buf_on(memory, sizeof memory);
        put_url(&b, span_str(headers[i]));
        buf_byte(&b, '.');
        put_url(&b, SPAN(GOOD));
        assert_non_null(HMAC(EVP_sha256(), RSA_N, sizeof RSA_N - 1, b.p, b.n, mac, &n));
        buf_byte(&b, '.');
        assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), TOKEN_ALGORITHM); /* no signature */
        put_url(&b, span_of(mac, n));
        assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), TOKEN_ALGORITHM);
    }
    token_keys_free(&k);
}

#define ED "{\"alg\":\"EdDSA\"}"
static const struct {
    const char *header, *payload;
    enum token_verdict v;
} signed_rows[] = {
    {ED, GOOD, TOKEN_GOOD},
    {"{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"typ\":\"at+JWT\"}", GOOD, TOKEN_GOOD},
    {"{\"alg\":\"EdDSA\",\"kid\":\"other\"}", GOOD, TOKEN_KEY},
    {"{\"alg\":\"EdDSA\",\"kid\":\"ec\"}", GOOD, TOKEN_KEY},
    {"{\"alg\":\"EdDSA\",\"kid\":\"\"}", GOOD, TOKEN_KEY},
    {"{\"alg\":\"EdDSA\",\"kid\":7}", GOOD, TOKEN_MALFORMED},
    {"{\"alg\":\"ES256\",\"kid\":\"ec\"}", GOOD, TOKEN_SIGNATURE}, /* 64 octets, of another algorithm */
    {"{\"alg\":\"EdDSA\",\"typ\":\"logout+jwt\"}", GOOD, TOKEN_MALFORMED},
    {"{\"alg\":\"EdDSA\",\"cty\":\"JWT\"}", GOOD, TOKEN_MALFORMED},
    {"{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}", GOOD, TOKEN_MALFORMED},
    {"{\"alg\":\"EdDSA\",\"jwk\":" ED_JWK "}", GOOD, TOKEN_GOOD}, /* and not by that key */
    {"{\"alg\":\"none\",\"alg\":\"EdDSA\"}", GOOD, TOKEN_MALFORMED},
    {"{}", GOOD, TOKEN_MALFORMED},
    {"{\"alg\":[\"EdDSA\"]}", GOOD, TOKEN_MALFORMED},
    {"[\"EdDSA\"]", GOOD, TOKEN_MALFORMED},
    /* times: a minute is forgiven */
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819240}", TOKEN_EXPIRED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819241}", TOKEN_GOOD},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400.5}", TOKEN_GOOD},
    {ED, "{" REST ",\"aud\":\"mail\"}", TOKEN_NO_EXPIRY},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":\"1300819400\"}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":-1}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1e300}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":99999999999999999999}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"nbf\":1300819361}", TOKEN_EARLY},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"nbf\":1300819360}", TOKEN_GOOD},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"iat\":1300819361}", TOKEN_EARLY},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"iat\":true}", TOKEN_MALFORMED},
    /* for whom */
    {ED, "{" REST ",\"exp\":1300819400}", TOKEN_AUDIENCE},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":[\"web\",\"mail\"]}", TOKEN_GOOD},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":[\"web\"]}", TOKEN_AUDIENCE},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":[]}", TOKEN_AUDIENCE},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":\"web mail\"}", TOKEN_AUDIENCE},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":[\"mail\",7]}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":[[\"mail\"]]}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":\"mail\\u0000\"}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":\"web\",\"aud\":\"mail\"}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"exp\":1300819400,\"aud\":\"web\",\"\\u0061ud\":\"mail\"}", TOKEN_MALFORMED},
    {ED, GOOD "x", TOKEN_MALFORMED},
    {ED, GOOD GOOD, TOKEN_MALFORMED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"x\":[[[[[[[]]]]]]]}", TOKEN_GOOD},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"x\":[[[[[[[[]]]]]]]]}", TOKEN_MALFORMED},
    {ED, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"x\":\"[[[[[[[[[\\\"[[\"}", TOKEN_GOOD},
};

static void signed_tokens(void **state)
{
    (void)state;
    struct token_keys *k = keys_of(SET(RSA_JWK "," EC_JWK "," ED_JWK));
    uint8_t memory[4096];
    char account[400];
    for (size_t i = 0; i < sizeof signed_rows / sizeof signed_rows[0]; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        sign(&b, signed_rows[i].header, signed_rows[i].payload, NULL);
        enum token_verdict v = ask(k, buf_span(&b), &expected, NOW, account);
        if (v != signed_rows[i].v)
            print_message("%s %s: %d\n", signed_rows[i].header, signed_rows[i].payload, v);
        assert_int_equal(v, signed_rows[i].v);
    }
    token_keys_free(&k);
}

#define BASE "{\"iss\":\"https://id.example\",\"aud\":\"mail\",\"exp\":1300819400,"
static void scopes_and_accounts(void **state)
{
    (void)state;
    static const struct {
        const char *claim, *payload, *account; /* null: refused */
        enum token_verdict v;
    } rows[] = {
        {"", BASE "\"scope\":\"openid smtp\",\"email\":\"a@b.c\"}", "a@b.c", TOKEN_GOOD},
        {"", BASE "\"scp\":[\"smtp\"],\"email\":\"a@b.c\"}", "a@b.c", TOKEN_GOOD},
        {"", BASE "\"scp\":\"imap smtp\",\"email\":\"a@b.c\"}", "a@b.c", TOKEN_GOOD},
        {"", BASE "\"scope\":\"smtpx xsmtp SMTP\",\"email\":\"a@b.c\"}", NULL, TOKEN_SCOPE},
        {"", BASE "\"scope\":\"imap\",\"scp\":\"smtp\",\"email\":\"a@b.c\"}", NULL, TOKEN_SCOPE},
        {"", BASE "\"scope\":\"\",\"email\":\"a@b.c\"}", NULL, TOKEN_SCOPE},
        {"", BASE "\"email\":\"a@b.c\"}", NULL, TOKEN_SCOPE},
        {"", BASE "\"scope\":null,\"email\":\"a@b.c\"}", NULL, TOKEN_MALFORMED},
        {"", BASE "\"scope\":\"smtp\",\"sub\":\"s@b.c\"}", "s@b.c", TOKEN_GOOD},
        {"", BASE "\"scope\":\"smtp\",\"sub\":\"248289761001\"}", NULL, TOKEN_ACCOUNT},
        {"", BASE "\"scope\":\"smtp\",\"sub\":\"s@b.c\",\"email\":\"a@b.c\"}", "a@b.c", TOKEN_GOOD},
        {"", BASE "\"scope\":\"smtp\",\"sub\":\"s@b.c\",\"email\":\"a\"}", NULL, TOKEN_ACCOUNT},
        {"", BASE "\"scope\":\"smtp\",\"sub\":\"s@b.c\",\"email\":7}", NULL, TOKEN_MALFORMED},
        {"", BASE "\"scope\":\"smtp\",\"email\":\"a@b.c\",\"email_verified\":true}", "a@b.c", TOKEN_GOOD},
        {"", BASE "\"scope\":\"smtp\",\"email\":\"a@b.c\",\"email_verified\":false}", NULL, TOKEN_ACCOUNT},
        {"", BASE "\"scope\":\"smtp\",\"email\":\"a@b.c\",\"email_verified\":\"false\"}", NULL,
         TOKEN_ACCOUNT},
        {"", BASE "\"scope\":\"smtp\",\"email\":\"a@b.c\\n\"}", NULL, TOKEN_ACCOUNT},
        {"", BASE "\"scope\":\"smtp\"}", NULL, TOKEN_ACCOUNT},
        {"upn", BASE "\"scope\":\"smtp\",\"upn\":\"u@b.c\",\"email\":\"a@b.c\"}", "u@b.c", TOKEN_GOOD},
        {"upn", BASE "\"scope\":\"smtp\",\"sub\":\"s@b.c\",\"email\":\"a@b.c\"}", NULL, TOKEN_ACCOUNT},
        {"email", BASE "\"scope\":\"smtp\",\"sub\":\"s@b.c\"}", NULL, TOKEN_ACCOUNT},
    };
    struct token_keys *k = keys_of(SET(ED_JWK));
    uint8_t memory[4096];
    char account[400];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config_tokens want = expected;
        struct buf b = buf_on(memory, sizeof memory);
        want.account = span_str(rows[i].claim);
        sign(&b, ED, rows[i].payload, NULL);
        enum token_verdict v = ask(k, buf_span(&b), &want, NOW, account);
        if (v != rows[i].v) print_message("%s: %d\n", rows[i].payload, v);
        assert_int_equal(v, rows[i].v);
        assert_string_equal(account, rows[i].account ? rows[i].account : "");
    }
    token_keys_free(&k);
}

/* What is no compact serialisation of three parts, in base64url without padding. */
static void forms(void **state)
{
    (void)state;
    static uint8_t memory[16384];
    struct token_keys *k = keys_of(SET(ED_JWK));
    char account[400];
    struct buf b = buf_on(memory, sizeof memory);
    sign(&b, ED, GOOD, NULL);
    assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), TOKEN_GOOD);
    for (size_t n = 0; n < b.n; n++) /* cut anywhere */
        assert_int_not_equal(ask(k, span_of(memory, n), &expected, NOW, account), TOKEN_GOOD);
    for (size_t i = 0; i < b.n; i++) { /* one character is another one */
        memory[i] ^= 3;
        assert_int_not_equal(ask(k, buf_span(&b), &expected, NOW, account), TOKEN_GOOD);
        memory[i] ^= 3;
    }
    static const char *const behind[] = {"=", "==", ".", ".AAAA", " ", "\n", "A", "AAAA", "+", "%3D"};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        struct buf longer = b;
        buf_str(&longer, behind[i]);
        assert_int_not_equal(ask(k, buf_span(&longer), &expected, NOW, account), TOKEN_GOOD);
    }
    assert_int_equal(ask(k, SPAN("...."), &expected, NOW, account), TOKEN_MALFORMED);
    assert_int_equal(ask(k, SPAN(""), &expected, NOW, account), TOKEN_MALFORMED);
    static char payload[LIMIT_TOKEN_OCTETS];
    for (unsigned pass = 0; pass < 2; pass++) { /* the longest, and a longer one */
        const int fill = pass ? 6100 : 5800;
        snprintf(payload, sizeof payload, "{" REST ",\"aud\":\"mail\",\"exp\":1300819400,\"x\":\"%0*d\"}",
                 fill, 0);
        sign(&b, ED, payload, NULL);
        assert_true((b.n > LIMIT_TOKEN_OCTETS) == (pass == 1));
        assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), pass ? TOKEN_MALFORMED : TOKEN_GOOD);
    }
    token_keys_free(&k);
}

static void key_sets(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        unsigned n; /* 0: refused */
    } rows[] = {
        {SET(RSA_JWK "," EC_JWK "," ED_JWK), 3},
        {SET("{\"kty\":\"oct\",\"k\":\"AAAA\"}," ED_JWK), 1},
        {SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"},{\"kty\":\"new\"}," ED_JWK), 1},
        {SET("{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}," ED_JWK), 1},
        {SET("{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}," ED_JWK), 1},
        {SET("{\"kty\":\"RSA\",\"alg\":\"HS256\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"), 0},
        {SET("{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"],\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}," ED_JWK), 1},
        {SET("{\"kty\":\"RSA\",\"key_ops\":[\"verify\"],\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}," ED_JWK), 2},
        {SET(""), 0},
        {"{}", 0},
        {"{\"keys\":{}}", 0},
        {"", 0},
        {SET("7"), 0},
        {SET(ED_JWK "," ED_JWK), 0}, /* two of one name */
        {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"" ED_D "\",\"x\":\"" ED_X "\"}"), 0},
        {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"), 0},
        {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":7}"), 0},
        {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X "\"}"),
         0}, /* not on the curve */
        {SET("{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAk\",\"e\":\"AQAB\"}"), 0}, /* short */
        {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}"), 0},
        {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}"), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = NULL;
        struct token_keys *k = token_keys_read(span_str(rows[i].set), &why);
        if ((k ? token_keys_count(k) : 0) != rows[i].n) print_message("%s: %s\n", rows[i].set, why);
        assert_int_equal(k ? token_keys_count(k) : 0, rows[i].n);
        assert_true(!k == (why != NULL));
        token_keys_free(&k);
    }
}

/* Without kid there must be one key that can be meant. */
static void two_keys_without_a_name(void **state)
{
    (void)state;
    struct token_keys *k = keys_of(SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}," ED_JWK));
    uint8_t memory[4096];
    char account[400];
    struct buf b = buf_on(memory, sizeof memory);
    sign(&b, ED, GOOD, NULL);
    assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), TOKEN_KEY);
    sign(&b, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", GOOD, NULL);
    assert_int_equal(ask(k, buf_span(&b), &expected, NOW, account), TOKEN_GOOD);
    token_keys_free(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(rsa),
        cmocka_unit_test(confused),
        cmocka_unit_test(signed_tokens),
        cmocka_unit_test(scopes_and_accounts),
        cmocka_unit_test(forms),
        cmocka_unit_test(key_sets),
        cmocka_unit_test(two_keys_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
