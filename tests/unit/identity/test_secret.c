#include "identity/secret.h"

#include "../span_check.h"

#include "base/base64.h"
#include "base/hex.h"
#include "identity/md4.h"

static void hexed(struct span octets, const char *want)
{
    char memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    hex_encode(octets, &b);
    assert_span(buf_span(&b), want);
}

static void base64ed(struct span octets, const char *want)
{
    char memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    base64_encode(octets, &b);
    assert_span(buf_span(&b), want);
}

/* RFC 1320 A.5 */
static void md4_of_the_rfc(void **state)
{
    static const char *const rows[][2] = {
        {"", "31d6cfe0d16ae931b73c59d7e0c089c0"},
        {"abc", "a448017aaf21d8525fc10ae87aa6729d"},
        {"message digest", "d9130a8164549fe818874806e1c7014b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "043f8582f241db351ce627e153e7f0e4"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "e33b4ddc9c38f2199c3e7b164fcc0536"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t digest[16];
        md4(span_str(rows[i][0]), digest);
        hexed(span_of(digest, sizeof digest), rows[i][1]);
    }
}

/* [MS-NLMP] 4.2.2.1.2 */
static void the_nt_hash_of_the_specification(void **state)
{
    uint8_t hash[16];
    (void)state;
    assert_true(secret_nt(SPAN("Password"), hash));
    hexed(span_of(hash, 16), "a4f49c406510bdcab6824ee7c30fd852");
    assert_true(
        secret_nt(SPAN("\xc3\xa4\xf0\x9f\x94\x91"), hash)); /* two units beyond U+FFFF: e4 00 3d d8 11 dd */
    uint8_t same[16];
    md4(SPAN("\xe4\x00\x3d\xd8\x11\xdd"), same);
    assert_memory_equal(hash, same, 16);
    assert_false(secret_nt(SPAN("\xc3"), hash));
}

/* RFC 7677 3: user "user", password "pencil" */
static void the_scram_keys_of_rfc_7677(void **state)
{
    struct secret_scram k = {.iterations = 4096};
    struct buf salt = buf_on(k.salt, sizeof k.salt);
    (void)state;
    assert_true(base64_decode(SPAN("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt));
    k.salt_octets = (uint8_t)salt.n;
    assert_true(secret_scram_keys(SPAN("pencil"), SECRET_SHA_256, &k));
    base64ed(span_of(k.stored_key, k.key_octets), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
    base64ed(span_of(k.server_key, k.key_octets), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

/* RFC 5802 5: salt QSXCR+Q6sek8bf92 */
static void the_scram_keys_of_rfc_5802(void **state)
{
    struct secret_scram k = {.iterations = 4096};
    struct buf salt = buf_on(k.salt, sizeof k.salt);
    (void)state;
    assert_true(base64_decode(SPAN("QSXCR+Q6sek8bf92"), &salt));
    k.salt_octets = (uint8_t)salt.n;
    assert_true(secret_scram_keys(SPAN("pencil"), SECRET_SHA_1, &k));
    assert_int_equal(k.key_octets, 20);
    base64ed(span_of(k.stored_key, 20), "6dlGYMOdZcOPutkcNY8U2g7vK9Y=");
    base64ed(span_of(k.server_key, 20), "D+CSWLOshSulAsxiupA+qs2/fTE=");
}

static void fresh_keys_are_salted(void **state)
{
    struct secret_scram a, b;
    (void)state;
    assert_true(secret_scram(SPAN("pencil"), SECRET_SHA_256, &a));
    assert_true(secret_scram(SPAN("pencil"), SECRET_SHA_256, &b));
    assert_int_equal(a.iterations, LIMIT_SCRAM_ITERATIONS);
    assert_true(a.iterations >= 4096); /* RFC 7677 4 */
    assert_memory_not_equal(a.salt, b.salt, a.salt_octets);
    assert_memory_not_equal(a.stored_key, b.stored_key, 32);
}

/* RFC 2195 2: tim, tanstaaftanstaaf */
static void the_cram_digest_of_rfc_2195(void **state)
{
    uint8_t contexts[32], digest[16];
    (void)state;
    assert_true(secret_cram(SPAN("tanstaaftanstaaf"), contexts));
    secret_cram_digest(contexts, SPAN("<1896.697170952@postoffice.reston.mci.net>"), digest);
    hexed(span_of(digest, 16), "b913a602c7eda7a495b4e6e7334d3890");
    /* RFC 2202 2, case 6: a key longer than a block */
    uint8_t key[80];
    memset(key, 0xaa, sizeof key);
    assert_true(secret_cram(span_of(key, sizeof key), contexts));
    secret_cram_digest(contexts, SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
    hexed(span_of(digest, 16), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

/* RFC 4013 3 */
static void passwords_are_prepared(void **state)
{
    static const struct {
        const char *typed, *prepared; /* null: refused */
    } rows[] = {
        {"correct horse \"<>\\", "correct horse \"<>\\"},
        {"I\xc2\xadX", "IX"},                             /* soft hyphen */
        {"\xc2\xaa", "a"},                                /* NFKC */
        {"\xe2\x85\xa8", "IX"},                           /* NFKC */
        {"a\xcc\x88", "\xc3\xa4"},                        /* composed */
        {"a\xc2\xa0 b", "a  b"},                          /* a blank that is none in ASCII */
        {"\xf0\x9f\x94\x91 key", "\xf0\x9f\x94\x91 key"}, /* not known to Unicode 3.2 */
        {"", NULL},
        {"\a", NULL},
        {"a\x7f", NULL},
        {"\xd8\xa7"
         "1",
         NULL}, /* bidirectional */
        {"\xc3", NULL},
        {"\xc2\xad", NULL}, /* nothing is left of it */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char memory[SECRET_PREPARED_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        assert_int_equal(secret_prepare(span_str(rows[i].typed), &b), rows[i].prepared != NULL);
        if (rows[i].prepared) assert_span(buf_span(&b), rows[i].prepared);
    }
}

static void a_verifier_fits_its_password_alone(void **state)
{
    char verifier[SECRET_VERIFIER_OCTETS];
    (void)state;
    assert_true(secret_verifier(SPAN("\xc3\xa4"), verifier));
    assert_memory_equal(verifier, "$y$", 3);
    assert_true(secret_fits(SPAN("a\xcc\x88"), span_str(verifier))); /* typed on another keyboard */
    assert_false(secret_fits(SPAN("a"), span_str(verifier)));
}

static void foreign_verifiers(void **state)
{
    /* openssl passwd -5 -salt abcdefgh */
    const struct span sha256 = SPAN("$5$abcdefgh$uLdRmCo/hSrCzIIpTzyFoDaJi5ViRlCrEpGUgMbz4x5");
    (void)state;
    assert_false(secret_fits(SPAN(""), SPAN("")));
    assert_false(secret_fits(SPAN("x"), SPAN("")));
    assert_false(secret_fits(SPAN("!"), SPAN(SECRET_NO_PASSWORD)));
    assert_false(secret_fits(SPAN("x"), SPAN("$nosuch$x$y")));
    assert_false(secret_fits(SPAN("x"), SPAN("x")));
    assert_true(secret_verifier_known(sha256));
    assert_false(secret_verifier_known(SPAN("!")));
    assert_false(secret_verifier_known(SPAN("$apr1$abcdefgh$abcdefghijklmnopqrstu/")));
    assert_false(secret_verifier_known(SPAN("abcdefghijklm"))); /* DES */
}

static void an_app_password_is_its_digest(void **state)
{
    uint8_t digest[SECRET_DIGEST_OCTETS];
    char memory[SECRET_DIGEST_VERIFIER_OCTETS + 8];
    struct buf b = buf_on(memory, SECRET_DIGEST_VERIFIER_OCTETS);
    (void)state;
    assert_true(secret_digest(SPAN("abc"), digest));
    hexed(span_of(digest, sizeof digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    secret_put_digest(&b, span_of(digest, sizeof digest));
    assert_false(b.over);
    assert_true(secret_fits(SPAN("abc"), buf_span(&b)));
    assert_false(secret_fits(SPAN("abd"), buf_span(&b)));
    assert_false(secret_fits(SPAN("abc"), span_head(buf_span(&b), b.n - 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md4_of_the_rfc),
        cmocka_unit_test(the_nt_hash_of_the_specification),
        cmocka_unit_test(the_scram_keys_of_rfc_7677),
        cmocka_unit_test(the_scram_keys_of_rfc_5802),
        cmocka_unit_test(fresh_keys_are_salted),
        cmocka_unit_test(the_cram_digest_of_rfc_2195),
        cmocka_unit_test(passwords_are_prepared),
        cmocka_unit_test(a_verifier_fits_its_password_alone),
        cmocka_unit_test(foreign_verifiers),
        cmocka_unit_test(an_app_password_is_its_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
