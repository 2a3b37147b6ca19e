#include "sasl/scram.h"

#include "../span_check.h"

static struct gs2_header h;

static void examples(void **state)
{
    (void)state;
    /* RFC 5802 5, RFC 7677 3, and with what may be there beside it */
    assert_true(scram_first_read(SPAN("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), &h));
    assert_int_equal(h.flag, 'n');
    assert_int_equal(h.authzid.n, 0);
    assert_true(scram_first_read(SPAN("p=tls-exporter,a=a=2Cb=3Dc,n==2C=3D,r=r=,x=y=,Z=\xc3\xa4"), &h));
    assert_int_equal(h.flag, 'p');
    assert_span(h.binding, "tls-exporter");
    assert_span(h.authzid, "a,b=c");
    assert_true(scram_first_read(SPAN("y,,n=\xc3\xa4,r=!~"), &h));
    assert_int_equal(h.flag, 'y');
    assert_true(scram_final_is_valid(
        SPAN("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")));
    assert_true(scram_final_is_valid(SPAN("c=biws,r=a,x=y,p=AAAA")));
}

static void hostile_first(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "n,,",
        "n,n=u,r=a",
        "n=u,r=a",
        "N,,n=u,r=a",
        "f,,n=u,r=a",
        "nn,,n=u,r=a",
        "n ,,n=u,r=a",
        "p,,n=u,r=a",
        "p=,,n=u,r=a",
        "p=tls_exporter,,n=u,r=a",
        "n,a=,n=u,r=a", /* saslname has a character */
        "n,b=x,n=u,r=a",
        "n,a=x=2c,n=u,r=a",
        "n,a=x\x01,n=u,r=a",
        "n,,m=x,n=u,r=a", /* 5.1: must be understood */
        "n,,n=u,r=a,m=x",
        "n,,m=x",
        "n,,r=a,n=u",
        "n,,n=u",
        "n,,n=,r=a",
        "n,,n=u,r=",
        "n,,n=u,r=a,",
        "n,,n=u,r=a,b", /* a comma ends a nonce */
        "n,,n=u,r=a b",
        "n,,n=u,r=a\x01",
        "n,,n=u,r=a\x7f",
        "n,,n=u,r=\xc3\xa4",
        "n,,n=u,r=a,r=b",
        "n,,n=u,n=v,r=a",
        "n,,n=u,r=a,n=v",
        "n,,n=u,r=a,1=x",
        "n,,n=u,r=a,x=",
        "n,,n=u,r=a,xy=z",
        "n,,n=u,r=a,x=\xff",
        "n,,n=a=b,r=a",
        "n,,n=a=2c,r=a",
        "n,,n=a=41,r=a",
        "n,,n=a\x01,r=a",
        "n,,n=\xff,r=a",
        "n,,N=u,r=a",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (scram_first_read(span_str(wrong[i]), &h)) fail_msg("taken: %s", wrong[i]);
    assert_false(scram_first_read(SPAN("n,,n=u\0,r=a"), &h));
    assert_false(scram_first_read(SPAN("n,,n=u,r=a\0"), &h));
    assert_false(scram_first_read(SPAN("n,,n=u,r=a,x=y\0"), &h));
}

static void hostile_final(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "c=biws",
        "c=biws,r=a",
        "c=biws,p=AAAA",
        "c=,r=a,p=AAAA",
        "c=biw,r=a,p=AAAA",
        "c=biws,r=,p=AAAA",
        "c=biws,r=a,p=",
        "c=biws,r=a,p=AAA",
        "c=biws,r=a,p=AA A",
        "c=biws,r=a,p=AAAA,",
        "c=biws,r=a,p=AAAA,x=y", /* the proof is the end */
        "c=biws,r=a,p=AAAA,p=AAAA",
        "p=AAAA,c=biws,r=a",
        "r=a,c=biws,p=AAAA",
        "c=biws,r=a,m=x,p=AAAA",
        "c=biws,r=a,r=b,p=AAAA",
        "c=biws,c=biws,r=a,p=AAAA",
        "c=biws,r=a,,p=AAAA",
        "c=biws,r=a b,p=AAAA",
        "c=biws,r=a,p=AAAA\n",
        "c=biws,m=x,r=a,p=AAAA",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (scram_final_is_valid(span_str(wrong[i]))) fail_msg("taken: %s", wrong[i]);
    assert_false(scram_final_is_valid(SPAN("c=biws,r=a,p=AAAA\0")));
}

static void lengths(void **state)
{
    (void)state;
    static uint8_t memory[2 * LIMIT_PRINCIPAL_NAME_OCTETS];
    for (unsigned longer = 0; longer < 2; longer++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_str(&b, "n,,n=");
        for (unsigned i = 0; i < LIMIT_PRINCIPAL_NAME_OCTETS - 1 + longer; i++)
            buf_byte(&b, 'u');
        buf_str(&b, "=2C,r=a");
        assert_int_equal(scram_first_read(buf_span(&b), &h), !longer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(hostile_first),
        cmocka_unit_test(hostile_final),
        cmocka_unit_test(lengths),
    };
    return cmocka_run_group_tests_name("scram", tests, NULL, NULL);
}
