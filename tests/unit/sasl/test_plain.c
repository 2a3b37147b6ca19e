#include "sasl/external.h"
#include "sasl/plain.h"

#include "../span_check.h"

static void good(struct span message, const char *authzid, const char *authcid, const char *password)
{
    struct plain_message m;
    assert_true(plain_read(message, &m));
    assert_span(m.authzid, authzid);
    assert_span(m.authcid, authcid);
    assert_span(m.password, password);
}

static void bad(struct span message)
{
    struct plain_message m = {SPAN("untouched"), SPAN(""), SPAN("")};
    assert_false(plain_read(message, &m));
    assert_span(m.authzid, "untouched");
}

static void messages(void **state)
{
    (void)state;
    good(SPAN("\0tim\0tanstaaftanstaaf"), "", "tim", "tanstaaftanstaaf"); /* RFC 4616 4 */
    good(SPAN("Ursel\0Kurt\0xipj3plmq"), "Ursel", "Kurt", "xipj3plmq");
    good(SPAN("\0j\xc3\xb6@example.org\0p\xc3\xa4ss w\tord"), "", "j\xc3\xb6@example.org",
         "p\xc3\xa4ss w\tord");
    bad(SPAN(""));
    bad(SPAN("\0"));
    bad(SPAN("tim"));
    bad(SPAN("tim\0tanstaaftanstaaf")); /* one NUL */
    bad(SPAN("\0\0"));
    bad(SPAN("\0\0password"));
    bad(SPAN("\0tim\0"));
    bad(SPAN("\0tim\0pass\0"));
    bad(SPAN("\0tim\0pass\0word"));
    bad(SPAN("\0\0tim\0pass"));
    bad(SPAN("\0t\nim\0pass"));
    bad(SPAN("a\rb\0tim\0pass"));
    bad(SPAN("\0tim\xff\0pass"));
    bad(SPAN("\xc3\0tim\0pass"));
    bad(SPAN("\0tim\0pass\xc0\x80")); /* an overlong NUL */
    bad(SPAN("\0t\xe2\x80\xae"
             "im\0pass")); /* right-to-left override */
}

static void lengths(void **state)
{
    (void)state;
    static uint8_t memory[2 * LIMIT_PRINCIPAL_NAME_OCTETS + LIMIT_PASSWORD_OCTETS + 8];
    static const size_t most[3] = {LIMIT_PRINCIPAL_NAME_OCTETS, LIMIT_PRINCIPAL_NAME_OCTETS,
                                   LIMIT_PASSWORD_OCTETS};
    for (unsigned longer = 0; longer < 4; longer++) {
        struct buf b = buf_on(memory, sizeof memory);
        struct plain_message m;
        for (unsigned part = 0; part < 3; part++) {
            if (part) buf_byte(&b, 0);
            for (size_t i = 0; i < most[part] + (part == longer); i++)
                buf_byte(&b, 'x');
        }
        assert_false(b.over);
        assert_int_equal(plain_read(buf_span(&b), &m), longer == 3);
    }
}

static void login(void **state)
{
    (void)state;
    assert_true(authzid_is_name(SPAN("joe@example.org")));
    assert_false(authzid_is_name(SPAN("")));
    assert_false(authzid_is_name(SPAN("joe\0")));
    assert_true(plain_is_password(SPAN("secret")));
    assert_false(plain_is_password(SPAN("")));
    assert_false(plain_is_password(SPAN("sec\0ret")));
    assert_false(plain_is_password(SPAN("secret\xc3")));
}

static void certificate(void **state)
{
    (void)state;
    struct span authzid = SPAN("untouched");
    assert_false(external_read(SPAN("fred\0"), &authzid));
    assert_false(external_read(SPAN("\xff"), &authzid));
    assert_span(authzid, "untouched");
    assert_true(external_read(SPAN("fred@example.com"), &authzid)); /* RFC 4422 A.2 */
    assert_span(authzid, "fred@example.com");
    assert_true(external_read(SPAN(""), &authzid));
    assert_int_equal(authzid.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(messages), cmocka_unit_test(lengths),
                                       cmocka_unit_test(login), cmocka_unit_test(certificate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
