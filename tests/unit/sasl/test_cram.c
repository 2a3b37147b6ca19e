#include "sasl/cram.h"

#include "../span_check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static const char rfc_challenge[] = "<1896.697170952@postoffice.reston.mci.net>"; /* RFC 2195 2 */

/* The store's contexts are its own matter (tests/unit/identity): here a password of at most 32 octets stands in for them. */
static void digest(const uint8_t contexts[32], struct span challenge, uint8_t ret[16])
{
    assert_non_null(HMAC(EVP_md5(), contexts, 32, challenge.p, challenge.n, ret, NULL));
}

static void example(void **state)
{
    (void)state;
    struct cram_response r;
    uint8_t contexts[32] = "tanstaaftanstaaf";
    struct span sent = span_str(rfc_challenge);
    assert_true(cram_read(SPAN("tim b913a602c7eda7a495b4e6e7334d3890"), &r));
    assert_span(r.name, "tim");
    assert_true(cram_verify(&r, sent, contexts, digest));
    assert_false(cram_verify(&r, sent, NULL, digest));
    assert_false(cram_verify(&r, SPAN("<1896.697170953@postoffice.reston.mci.net>"), contexts, digest));
    contexts[0] ^= 1;
    assert_false(cram_verify(&r, sent, contexts, digest));
    contexts[0] ^= 1;
    for (unsigned bit = 0; bit < 128; bit++) {
        r.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(cram_verify(&r, sent, contexts, digest));
        r.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* For who is not there zeros are worked with; who answers by them is not let in either. */
static void nobody(void **state)
{
    (void)state;
    static const uint8_t zero[32];
    struct cram_response r = {SPAN("tim"), {0}};
    digest(zero, SPAN("<1.2@h>"), r.digest);
    assert_true(cram_verify(&r, SPAN("<1.2@h>"), zero, digest));
    assert_false(cram_verify(&r, SPAN("<1.2@h>"), NULL, digest));
}

static void responses(void **state)
{
    (void)state;
    struct cram_response r = {SPAN("untouched"), {0}};
    assert_true(cram_read(SPAN("two words b913a602c7eda7a495b4e6e7334d3890"), &r));
    assert_span(r.name, "two words");
    assert_true(cram_read(SPAN("tim B913A602C7EDA7A495B4E6E7334D3890"), &r));
    assert_int_equal(r.digest[0], 0xb9);
    assert_int_equal(r.digest[15], 0x90);
    r.name = SPAN("untouched");
    static const char *const wrong[] = {
        "",
        " ",
        "tim",
        "tim ",
        " b913a602c7eda7a495b4e6e7334d3890",
        "timb913a602c7eda7a495b4e6e7334d3890",
        "tim b913a602c7eda7a495b4e6e7334d389",
        "tim b913a602c7eda7a495b4e6e7334d38900",
        "tim b913a602c7eda7a495b4e6e7334d389g",
        "tim b913a602c7eda7a495b4e6e7334d3890 ",
        "tim b913a602c7eda7a495b4e6e7334d3890\r\n",
        "t\tim b913a602c7eda7a495b4e6e7334d3890",
        "t\xff b913a602c7eda7a495b4e6e7334d3890",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(cram_read(span_str(wrong[i]), &r));
    assert_false(cram_read(SPAN("t\0im b913a602c7eda7a495b4e6e7334d3890"), &r));
    assert_span(r.name, "untouched");
}

static void challenge(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    cram_put_challenge(&b, 1896, 697170952, SPAN("postoffice.reston.mci.net"));
    assert_span(buf_span(&b), rfc_challenge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example), cmocka_unit_test(nobody),
                                       cmocka_unit_test(responses), cmocka_unit_test(challenge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
