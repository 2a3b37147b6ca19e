#include "md5_from.h"

#include "../span_check.h"

static const char rfc_challenge[] = "<1896.697170952@postoffice.reston.mci.net>"; /* RFC 2195 2 */

static void example(void **state)
{
    (void)state;
    struct cram_response r;
    uint8_t contexts[32];
    struct span challenge = span_str(rfc_challenge);
    md5_from_password(SPAN("tanstaaftanstaaf"), contexts);
    assert_true(cram_read(SPAN("tim b913a602c7eda7a495b4e6e7334d3890"), &r));
    assert_span(r.name, "tim");
    assert_int_equal(cram_verify(&r, challenge, contexts, md5_from, NULL), CRAM_PROVEN);
    assert_int_equal(cram_verify(&r, challenge, NULL, md5_from, NULL), CRAM_WRONG);
    assert_int_equal(
        cram_verify(&r, SPAN("<1896.697170953@postoffice.reston.mci.net>"), contexts, md5_from, NULL),
        CRAM_WRONG);
    for (unsigned bit = 0; bit < 256; bit++) {
        contexts[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cram_verify(&r, challenge, contexts, md5_from, NULL), CRAM_WRONG);
        contexts[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        r.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cram_verify(&r, challenge, contexts, md5_from, NULL), CRAM_WRONG);
        r.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Who is not there has all-zero contexts as far as work goes; who answers by them is not let in either. */
static void nobody(void **state)
{
    (void)state;
    static const uint8_t zero[32];
    struct cram_response r = {SPAN("tim"), {0}};
    uint8_t inner[16];
    assert_true(md5_from(NULL, zero, SPAN("<1.2@h>"), inner) &&
                md5_from(NULL, zero, span_of(inner, 16), r.digest));
    assert_int_equal(cram_verify(&r, SPAN("<1.2@h>"), zero, md5_from, NULL), CRAM_PROVEN);
    assert_int_equal(cram_verify(&r, SPAN("<1.2@h>"), NULL, md5_from, NULL), CRAM_WRONG);
}

static bool fails(void *context, const uint8_t state[16], struct span rest, uint8_t ret[16])
{
    int *calls = context;
    return (*calls)-- > 0 && md5_from(NULL, state, rest, ret);
}

static void library(void **state)
{
    (void)state;
    struct cram_response r;
    uint8_t contexts[32];
    md5_from_password(SPAN("tanstaaftanstaaf"), contexts);
    assert_true(cram_read(SPAN("tim b913a602c7eda7a495b4e6e7334d3890"), &r));
    for (int works = 0; works < 3; works++) {
        int calls = works;
        assert_int_equal(cram_verify(&r, span_str(rfc_challenge), contexts, fails, &calls),
                         works < 2 ? CRAM_FAILED : CRAM_PROVEN);
    }
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
                                       cmocka_unit_test(library), cmocka_unit_test(responses),
                                       cmocka_unit_test(challenge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
