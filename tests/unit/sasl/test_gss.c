#include "sasl/gss_layer.h"
#include "sasl/gss_token.h"
#include "sasl/kerberos_name.h"

#include "../span_check.h"

#define KERBEROS "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define SPNEGO   "\x06\x06\x2b\x06\x01\x05\x05\x02"

static void first_tokens(void **state)
{
    (void)state;
    static const struct {
        struct span token;
        enum gss_token is;
    } t[] = {
        {{(const uint8_t *)"\x60\x0d" KERBEROS "\1\0", 15}, GSS_TOKEN_KERBEROS},
        {{(const uint8_t *)"\x60\x0b" KERBEROS, 13}, GSS_TOKEN_KERBEROS},
        {{(const uint8_t *)"\x60\x0a" SPNEGO "\xa0\0", 12}, GSS_TOKEN_SPNEGO},
        /* NTLM as a mechanism, IAKERB, Kerberos as Windows 2000 wrote it: none is for the library to see here */
        {{(const uint8_t *)"\x60\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", 14}, GSS_TOKEN_OTHER},
        {{(const uint8_t *)"\x60\x08\x06\x06\x2b\x06\x01\x05\x02\x05", 10}, GSS_TOKEN_OTHER},
        {{(const uint8_t *)"\x60\x0b\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", 13}, GSS_TOKEN_OTHER},
        {{(const uint8_t *)"\x60\x0c\x06\x0a\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\1", 14}, GSS_TOKEN_OTHER},
        {{(const uint8_t *)"NTLMSSP\0\1\0\0\0", 12}, GSS_TOKEN_NTLM},
        {{(const uint8_t *)"NTLMSSP\0", 8}, GSS_TOKEN_NTLM},
        {{(const uint8_t *)"NTLMSSP", 7}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"", 0}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60", 1}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\0", 2}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x61\x0b" KERBEROS, 13}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\x0a" KERBEROS, 13}, GSS_TOKEN_MALFORMED}, /* octets behind it */
        {{(const uint8_t *)"\x60\x0c" KERBEROS, 13}, GSS_TOKEN_MALFORMED}, /* too few */
        {{(const uint8_t *)"\x60\x81\x0b" KERBEROS, 14},
         GSS_TOKEN_MALFORMED}, /* a longer length than needed */
        {{(const uint8_t *)"\x60\x82\x00\x0b" KERBEROS, 15}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\x83\x00\x00\x0b" KERBEROS, 16}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\x80" KERBEROS "\0\0", 15}, GSS_TOKEN_MALFORMED}, /* indefinite */
        {{(const uint8_t *)"\x60\x82", 2}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\x02\x06\x00", 4}, GSS_TOKEN_MALFORMED}, /* an OID of no octets */
        {{(const uint8_t *)"\x60\x01\x06", 3}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\x02\x06\x01", 4}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x60\x03\x04\x01\x2a", 5}, GSS_TOKEN_MALFORMED},
        {{(const uint8_t *)"\x6e\x03\x30\x01\x00", 5}, GSS_TOKEN_MALFORMED}, /* AP-REQ without a frame */
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_int_equal(gss_token_of(t[i].token), t[i].is);
}

static void long_tokens(void **state)
{
    (void)state;
    static uint8_t token[LIMIT_SASL_RESPONSE_OCTETS + 1] = "\x60\x82\0\0" KERBEROS;
    static const size_t lengths[] = {4 + 256, 4 + 300, LIMIT_SASL_RESPONSE_OCTETS,
                                     LIMIT_SASL_RESPONSE_OCTETS + 1};
    for (size_t i = 0; i < 4; i++) {
        token[2] = (uint8_t)((lengths[i] - 4) >> 8);
        token[3] = (uint8_t)(lengths[i] - 4);
        assert_int_equal(gss_token_of(span_of(token, lengths[i])),
                         i < 3 ? GSS_TOKEN_KERBEROS : GSS_TOKEN_MALFORMED);
    }
    token[2] = 0; /* 255 octets are said in one */
    token[3] = 0xff;
    assert_int_equal(gss_token_of(span_of(token, 4 + 255)), GSS_TOKEN_MALFORMED);
}

static void layers(void **state)
{
    (void)state;
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    struct span authzid = SPAN("x");
    gss_layer_put(&b);
    assert_int_equal(b.n, 4);
    assert_memory_equal(b.p, "\1\0\0\0", 4);
    assert_true(gss_layer_read(SPAN("\1\0\0\0"), &authzid));
    assert_int_equal(authzid.n, 0);
    assert_true(gss_layer_read(SPAN("\1\0\0\0alice@example.org"), &authzid));
    assert_span(authzid, "alice@example.org");
    assert_true(gss_layer_read(SPAN("\1\1\0\0"), &authzid)); /* a size of a layer that is not chosen */
    static const struct span wrong[] = {{(const uint8_t *)"", 0},
                                        {(const uint8_t *)"\1\0\0", 3},
                                        {(const uint8_t *)"\0\0\0\0", 4},
                                        {(const uint8_t *)"\2\0\x10\0", 4},
                                        {(const uint8_t *)"\4\0\x10\0", 4},
                                        {(const uint8_t *)"\3\0\0\0", 4},
                                        {(const uint8_t *)"\1\0\0\0a\0", 6},
                                        {(const uint8_t *)"\1\0\0\0\xff", 5},
                                        {(const uint8_t *)"\1\0\0\0a\nb", 7}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(gss_layer_read(wrong[i], &authzid));
}

static void principals(void **state)
{
    (void)state;
    struct kerberos_name n;
    assert_int_equal(kerberos_name_read(SPAN("alice@CORP.EXAMPLE"), &n), KERBEROS_NAME_USER);
    assert_span(n.local, "alice");
    assert_span(n.realm, "CORP.EXAMPLE");
    assert_int_equal(kerberos_name_read(SPAN("J\xc3\xb6rg.M@R"), &n), KERBEROS_NAME_USER);
    static const struct {
        const char *name;
        enum kerberos_name_kind is;
    } t[] = {
        {"WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", KERBEROS_NAME_ANONYMOUS},
        {"WELLKNOWN/ANONYMOUS@CORP.EXAMPLE", KERBEROS_NAME_ANONYMOUS},
        {"alice@WELLKNOWN:ANONYMOUS", KERBEROS_NAME_ANONYMOUS},
        {"WELLKNOWN/FEDERATED@CORP.EXAMPLE", KERBEROS_NAME_SERVICE},
        {"alice/admin@CORP.EXAMPLE", KERBEROS_NAME_SERVICE},
        {"host/mail.example.org@CORP.EXAMPLE", KERBEROS_NAME_SERVICE},
        {"/@CORP.EXAMPLE", KERBEROS_NAME_SERVICE},
        {"PC17$@CORP.EXAMPLE", KERBEROS_NAME_SERVICE},
        {"alice", KERBEROS_NAME_ODD},
        {"", KERBEROS_NAME_ODD},
        {"@CORP.EXAMPLE", KERBEROS_NAME_ODD},
        {"alice@", KERBEROS_NAME_ODD},
        {"alice\\@example.org@CORP.EXAMPLE", KERBEROS_NAME_ODD}, /* an enterprise name: RFC 6806 5 */
        {"alice\\/x@CORP.EXAMPLE", KERBEROS_NAME_ODD},
        {"alice@evil@CORP.EXAMPLE", KERBEROS_NAME_ODD},
        {"alice@CORP\\@EXAMPLE", KERBEROS_NAME_ODD},
        {"alice@CORP/EXAMPLE", KERBEROS_NAME_ODD},
        {"ali\nce@CORP.EXAMPLE", KERBEROS_NAME_ODD},
        {"\"alice\"@CORP.EXAMPLE",
         KERBEROS_NAME_ODD}, /* an address would lose the quotation marks, and be alice's */
        {"ali\xff@CORP.EXAMPLE", KERBEROS_NAME_ODD},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_int_equal(kerberos_name_read(span_str(t[i].name), &n), t[i].is);
        assert_int_equal(n.local.n + n.realm.n, 0);
    }
    static uint8_t name[LIMIT_PRINCIPAL_NAME_OCTETS + 1];
    memset(name, 'a', sizeof name);
    name[5] = '@';
    assert_int_equal(kerberos_name_read(span_of(name, sizeof name - 1), &n), KERBEROS_NAME_USER);
    assert_int_equal(kerberos_name_read(span_of(name, sizeof name), &n), KERBEROS_NAME_ODD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_tokens), cmocka_unit_test(long_tokens),
                                       cmocka_unit_test(layers), cmocka_unit_test(principals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
