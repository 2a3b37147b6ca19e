#include "sasl/oauth.h"

#include "../span_check.h"

static struct oauth_message m;

static void bearer(void **state)
{
    (void)state;
    /* RFC 7628 4.1 */
    assert_true(
        oauth_bearer_read(SPAN("n,a=user@example.com,\1host=server.example.com\1port=587\1auth=Bearer "
                               "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"),
                          &m));
    assert_span(m.authzid, "user@example.com");
    assert_span(m.host, "server.example.com");
    assert_int_equal(m.port, 587);
    assert_span(m.token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    assert_true(oauth_bearer_read(SPAN("n,,\1auth=Bearer a.b-c_d~e+f/9\1\1"), &m));
    assert_int_equal(m.authzid.n + m.host.n + m.port, 0);
    assert_span(m.token, "a.b-c_d~e+f/9");
    assert_true(oauth_bearer_read(SPAN("y,,\1auth=bEARER  t=\1other=\t x\r\n\1path=/?a=b\1\1"), &m));
    assert_span(m.token, "t=");
    assert_true(oauth_bearer_read(SPAN("n,a=a=2Cb=3Dc,\1auth=\1\1"), &m)); /* 4.3: who has no token asks so */
    assert_span(m.authzid, "a,b=c");
    assert_int_equal(m.token.n, 0);
}

static void bearer_hostile(void **state)
{
    (void)state;
    static const char whole[] =
        "n,a=user@example.com,\1host=server.example.com\1port=587\1auth=Bearer abc\1\1";
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_false(oauth_bearer_read(span_of(whole, n), &m));
    assert_true(oauth_bearer_read(span_of(whole, sizeof whole - 1), &m));
    static const char *const wrong[] = {
        "\1",
        "n,,",
        "n,,\1\1",
        "n,,\1host=h\1\1", /* no auth */
        "n,,\1auth=Bearer t\1\1\1",
        "n,,\1auth=Bearer t\1\1more",
        "n,,x\1auth=Bearer t\1\1",
        "n,,\1auth=Bearer t\1auth=Bearer t\1\1",
        "n,,\1host=a\1host=b\1auth=Bearer t\1\1",
        "n,,\1port=1\1port=1\1auth=Bearer t\1\1",
        "n,,\1port=0\1auth=Bearer t\1\1",
        "n,,\1port=\1auth=Bearer t\1\1",
        "n,,\1port=65536\1auth=Bearer t\1\1",
        "n,,\1port=-1\1auth=Bearer t\1\1",
        "n,,\1host=a\nb\1auth=Bearer t\1\1",
        "n,,\1auth=Basic dDp0\1\1",
        "n,,\1auth=Bearer\1\1",
        "n,,\1auth=Bearer \1\1",
        "n,,\1auth=Bearer =\1\1",
        "n,,\1auth=Bearer a b\1\1",
        "n,,\1auth=Bearer a=b\1\1",
        "n,,\1auth=Bearer \xc3\xa4\1\1",
        "n,,\1auth=Bearer a,\1\1",
        "n,,\1auth=Bearer t\1x\1\1",
        "n,,\1auth=Bearer t\1=x\1\1",
        "n,,\1auth=Bearer t\1k1=x\1\1",
        "n,,\1auth=Bearer t\1k=\x7f\1\1",
        "n,,\1auth=Bearer t\1k=\xff\1\1",
        "p=tls-exporter,,\1auth=Bearer t\1\1",
        "p,,\1auth=Bearer t\1\1",
        "F,n,,\1auth=Bearer t\1\1",
        "N,,\1auth=Bearer t\1\1",
        ",,\1auth=Bearer t\1\1",
        "n,user,\1auth=Bearer t\1\1",
        "n,a=,\1auth=Bearer t\1\1",
        "n,a=x=2c,\1auth=Bearer t\1\1",
        "n,a=x=,\1auth=Bearer t\1\1",
        "n,a=x=3,\1auth=Bearer t\1\1",
        "n,a=x=41,\1auth=Bearer t\1\1",
        "n,a=x\ny,\1auth=Bearer t\1\1",
        "n,a=\xff,\1auth=Bearer t\1\1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(oauth_bearer_read(span_str(wrong[i]), &m));
    assert_false(oauth_bearer_read(SPAN("n,,\1auth=Bearer a\0b\1\1"), &m));
    assert_false(oauth_bearer_read(SPAN("n,,\1auth=Bearer a\1k=\0\1\1"), &m));
    assert_false(oauth_bearer_read(SPAN("n,a=x\0,\1auth=Bearer a\1\1"), &m));
}

static void lengths(void **state)
{
    (void)state;
    static uint8_t memory[2048];
    for (unsigned longer = 0; longer < 2; longer++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_str(&b, "n,a=");
        for (unsigned i = 0; i < LIMIT_PRINCIPAL_NAME_OCTETS - 1 + longer; i++)
            buf_byte(&b, 'u');
        buf_str(&b, "=2C,\1auth=Bearer t\1\1");
        assert_int_equal(oauth_bearer_read(buf_span(&b), &m), !longer);
        b.n = 0;
        buf_str(&b, "n,,\1auth=Bearer t\1host=");
        for (unsigned i = 0; i < LIMIT_DOMAIN_OCTETS + longer; i++)
            buf_byte(&b, 'h');
        buf_str(&b, "\1\1");
        assert_int_equal(oauth_bearer_read(buf_span(&b), &m), !longer);
    }
}

static void x2(void **state)
{
    (void)state;
    assert_true(oauth_x2_read(
        SPAN("user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"),
        &m));
    assert_span(m.authzid, "someuser@example.com");
    assert_span(m.token, "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
    assert_true(oauth_x2_read(SPAN("user=a=b\1auth=\1\1"), &m));
    assert_span(m.authzid, "a=b");
    assert_int_equal(m.token.n, 0);
    static const char whole[] = "user=u\1auth=Bearer t\1\1";
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_false(oauth_x2_read(span_of(whole, n), &m));
    static const char *const wrong[] = {
        "user=\1auth=Bearer t\1\1",       "auth=Bearer t\1user=u\1\1",   "user=u\1auth=Bearer t\1\1\1",
        "user=u\1x=y\1auth=Bearer t\1\1", "user=u\1auth=Basic t\1\1",    "User=u\1auth=Bearer t\1\1",
        "user=u\1auth=Bearer t\1x",       "user=u\n\1auth=Bearer t\1\1", "user=\xff\1auth=Bearer t\1\1",
        "n,a=u,\1auth=Bearer t\1\1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(oauth_x2_read(span_str(wrong[i]), &m));
    assert_false(oauth_x2_read(SPAN("user=u\0\1auth=Bearer t\1\1"), &m));
    assert_false(oauth_x2_read(SPAN("user=u\1auth=Bearer a\0b\1\1"), &m));
}

static void error(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    oauth_put_error(&b, "invalid_token", SPAN("mail \"all\""),
                    SPAN("https://example.com/.well-known/openid-configuration"));
    assert_span(buf_span(&b),
                "{\"status\":\"invalid_token\",\"schemes\":\"bearer\",\"scope\":\"mail \\\"all\\\"\","
                "\"openid-configuration\":\"https://example.com/.well-known/openid-configuration\"}");
    b = buf_on(memory, sizeof memory);
    oauth_put_error(&b, "401", SPAN(""), SPAN(""));
    assert_span(buf_span(&b), "{\"status\":\"401\",\"schemes\":\"bearer\"}");
    assert_true(oauth_is_acknowledgement(SPAN("\1")));
    assert_true(oauth_is_acknowledgement(SPAN("")));
    assert_false(oauth_is_acknowledgement(SPAN("\1\1")));
    assert_false(oauth_is_acknowledgement(SPAN("n,,\1auth=Bearer t\1\1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bearer), cmocka_unit_test(bearer_hostile),
                                       cmocka_unit_test(lengths), cmocka_unit_test(x2),
                                       cmocka_unit_test(error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
