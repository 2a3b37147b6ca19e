#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "system/tls_sign.h"

static const enum sign_scheme schemes[] = {
    SIGN_RSA_PKCS1_SHA256, SIGN_RSA_PKCS1_SHA384, SIGN_RSA_PKCS1_SHA512, SIGN_RSA_PSS_SHA256,
    SIGN_RSA_PSS_SHA384,   SIGN_RSA_PSS_SHA512,   SIGN_ECDSA_SHA256,     SIGN_ECDSA_SHA384,
    SIGN_ECDSA_SHA512,     SIGN_RSA_PKCS1_SHA1,   SIGN_ECDSA_SHA1,       SIGN_RSA_PKCS1_MD5_SHA1};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

static void test_question_round_trip(void **state)
{
    (void)state;
    uint8_t octets[SIGN_QUESTION_OCTETS_MAX], digest[64];
    for (unsigned i = 0; i < sizeof digest; i++)
        digest[i] = (uint8_t)(i + 1);
    for (unsigned i = 0; i < SCHEMES; i++) {
        size_t n = sign_digest_octets(schemes[i]);
        struct buf b = buf_on(octets, sizeof octets);
        struct sign_question q = {0x1122334455667788u, {7, 9}, schemes[i], span_of(digest, n)}, r;
        sign_question_put(&b, &q);
        assert_false(b.over);
        assert_true(sign_question_read(buf_span(&b), &r));
        assert_true(r.id == q.id && r.key.server == 7 && r.key.certificate == 9 && r.scheme == q.scheme);
        assert_true(span_eq(r.digest, q.digest));
        for (size_t cut = 0; cut < b.n; cut++)
            assert_false(sign_question_read(span_head(buf_span(&b), cut), &r));
    }
}

static void test_question_refuses(void **state)
{
    (void)state;
    uint8_t octets[256], digest[128] = {0};
    struct sign_question r;
    /* every scheme number that is none, and every digest length that is not the scheme's */
    for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
        struct buf b = buf_on(octets, sizeof octets);
        struct sign_question q = {1, {0, 0}, (enum sign_scheme)scheme, span_of(digest, 32)};
        sign_question_put(&b, &q);
        assert_int_equal(sign_question_read(buf_span(&b), &r), sign_digest_octets(scheme) == 32);
    }
    for (unsigned i = 0; i < SCHEMES; i++)
        for (size_t n = 0; n <= 100; n++) {
            struct buf b = buf_on(octets, sizeof octets);
            struct sign_question q = {1, {0, 0}, schemes[i], span_of(digest, n)};
            sign_question_put(&b, &q);
            assert_int_equal(sign_question_read(buf_span(&b), &r), n == sign_digest_octets(schemes[i]));
            buf_byte(&b, 0);
            assert_false(sign_question_read(buf_span(&b), &r)); /* one octet too many */
        }
}

static void test_answer(void **state)
{
    (void)state;
    uint8_t octets[SIGN_ANSWER_OCTETS_MAX + 8], signature[SIGN_SIGNATURE_OCTETS_MAX + 1] = {5};
    struct sign_answer r;
    for (unsigned status = 0; status < 256; status++)
        for (unsigned n = 0; n <= sizeof signature; n += n == 1 ? 511 : 1) {
            struct buf b = buf_on(octets, sizeof octets);
            struct sign_answer a = {99, (enum sign_status)status, span_of(signature, n)};
            sign_answer_put(&b, &a);
            assert_false(b.over);
            bool good = status < SIGN_STATUS_COUNT && n <= SIGN_SIGNATURE_OCTETS_MAX &&
                        (n > 0) == (status == SIGN_OK);
            assert_int_equal(sign_answer_read(buf_span(&b), &r), good);
            if (!good) continue;
            assert_true(r.id == 99 && r.status == status && r.signature.n == n);
            assert_false(sign_answer_read(span_head(buf_span(&b), b.n - 1), &r));
        }
}

static void test_key_question_and_answer(void **state)
{
    (void)state;
    uint8_t octets[KEY_ANSWER_OCTETS + 1];
    struct buf b = buf_on(octets, sizeof octets);
    struct tls_key_id id = {3, 65535}, got;
    key_question_put(&b, id);
    assert_int_equal(b.n, KEY_QUESTION_OCTETS);
    assert_true(key_question_read(buf_span(&b), &got));
    assert_true(got.server == 3 && got.certificate == 65535);
    assert_false(key_question_read(span_head(buf_span(&b), 3), &got));

    struct key_answer a = {.key = {1, 2}, .status = SIGN_OK}, r;
    for (unsigned i = 0; i < sizeof a.fingerprint; i++)
        a.fingerprint[i] = (uint8_t)(200 - i);
    b = buf_on(octets, sizeof octets);
    key_answer_put(&b, &a);
    assert_int_equal(b.n, KEY_ANSWER_OCTETS);
    assert_true(key_answer_read(buf_span(&b), &r));
    assert_memory_equal(r.fingerprint, a.fingerprint, sizeof r.fingerprint);
    buf_byte(&b, 0);
    assert_false(key_answer_read(buf_span(&b), &r));
    octets[4] = SIGN_STATUS_COUNT;
    assert_false(key_answer_read(span_of(octets, KEY_ANSWER_OCTETS), &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question_round_trip),
        cmocka_unit_test(test_question_refuses),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_key_question_and_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
