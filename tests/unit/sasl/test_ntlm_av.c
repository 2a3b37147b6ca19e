#include "sasl/ntlm_av.h"

#include "../span_check.h"

#define FLAGS "\6\0\4\0\2\0\0\0"
#define TIME  "\7\0\10\0\1\2\3\4\5\6\7\10"
#define BINDINGS                                                                                             \
    "\12\0\20\0"                                                                                             \
    "0123456789abcdef"
#define TARGET                                                                                               \
    "\11\0\4\0"                                                                                              \
    "S\0/\0"
#define COMPUTER                                                                                             \
    "\1\0\2\0"                                                                                               \
    "S\0"
#define LATER "\13\0\1\0x"
#define EOL   "\0\0\0\0"

static void good(void **state)
{
    (void)state;
    struct ntlm_av av;
    assert_true(ntlm_av_read(SPAN(EOL), &av));
    assert_int_equal(av.flags, 0);
    assert_false(av.has_timestamp);
    assert_int_equal(av.bindings.n, 0);
    assert_int_equal(av.target.n, 0);
    assert_true(ntlm_av_read(SPAN(COMPUTER FLAGS TIME LATER LATER BINDINGS TARGET EOL "rest"), &av));
    assert_int_equal(av.flags, NTLM_AV_FLAG_MIC);
    assert_true(av.has_timestamp);
    assert_true(av.timestamp == UINT64_C(0x0807060504030201));
    assert_span(av.bindings, "0123456789abcdef");
    assert_int_equal(av.target.n, 4);
    assert_true(ntlm_av_read(SPAN("\11\0\0\0" EOL), &av)); /* no target name is one of length 0 */
}

static void bad(void **state)
{
    (void)state;
    struct ntlm_av av = {.flags = 99};
    static const uint8_t whole[] = COMPUTER FLAGS TIME LATER BINDINGS TARGET EOL;
    for (size_t n = 0; n < sizeof whole - 1; n++)
        assert_false(ntlm_av_read(span_of(whole, n), &av));
    assert_true(ntlm_av_read(span_of(whole, sizeof whole - 1), &av));
    av.flags = 99;
    assert_false(ntlm_av_read(SPAN("\6\0\3\0\2\0\0" EOL), &av));
    assert_false(ntlm_av_read(SPAN("\6\0\0\0" EOL), &av));
    assert_false(ntlm_av_read(SPAN("\7\0\4\0\1\2\3\4" EOL), &av));
    assert_false(ntlm_av_read(SPAN("\12\0\0\0" EOL), &av));
    assert_false(ntlm_av_read(SPAN("\12\0\1\0x" EOL), &av));
    assert_false(ntlm_av_read(SPAN("\11\0\3\0S\0/" EOL), &av));
    assert_false(ntlm_av_read(SPAN(FLAGS FLAGS EOL), &av));
    assert_false(ntlm_av_read(SPAN(TIME TIME EOL), &av));
    assert_false(ntlm_av_read(SPAN(BINDINGS BINDINGS EOL), &av));
    assert_false(ntlm_av_read(SPAN(COMPUTER COMPUTER EOL), &av));
    assert_false(ntlm_av_read(SPAN("\0\0\1\0"), &av)); /* EOL with a length, which is not there */
    assert_false(ntlm_av_read(SPAN("\1\0\xff\xff"
                                   "S\0" EOL),
                              &av));
    assert_int_equal(av.flags, 99);
}

static void put(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    ntlm_av_put_name(&b, NTLM_AV_DNS_DOMAIN, SPAN(""));
    ntlm_av_put_name(&b, NTLM_AV_NETBIOS_COMPUTER, SPAN("S"));
    ntlm_av_put_timestamp(&b, UINT64_C(0x0807060504030201));
    ntlm_av_put_end(&b);
    struct span want = SPAN(COMPUTER TIME EOL);
    assert_true(span_eq(buf_span(&b), want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(bad), cmocka_unit_test(put)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
