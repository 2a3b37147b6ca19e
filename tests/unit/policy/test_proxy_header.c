#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/proxy_header.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

static enum proxy_status parse(struct span s, struct proxy_header *h, size_t *n)
{
    *n = 0;
    return proxy_header_parse(s, h, n);
}

static void assert_source(const struct proxy_header *h, const char *text, uint16_t port)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    address_put(&b, &h->source);
    assert_true(span_eq(buf_span(&b), span_str(text)));
    assert_int_equal(h->port, port);
    assert_false(h->local);
}

static void test_version_1(void **state)
{
    (void)state;
    struct proxy_header h;
    size_t n;
    assert_int_equal(parse(SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\nEHLO x\r\n"), &h, &n),
                     PROXY_OK);
    assert_int_equal(n, 44);
    assert_source(&h, "192.0.2.7", 56324);
    assert_int_equal(parse(SPAN("PROXY TCP6 2001:db8::7 2001:db8::1 1 25\r\n"), &h, &n), PROXY_OK);
    assert_source(&h, "2001:db8::7", 1);
    assert_int_equal(parse(SPAN("PROXY UNKNOWN\r\n"), &h, &n), PROXY_OK);
    assert_true(h.local);
    assert_int_equal(parse(SPAN("PROXY UNKNOWN whatever it says\r\n"), &h, &n), PROXY_OK);
    assert_true(h.local);
}

static void test_version_1_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        SPAN("EHLO client.example\r\n"),
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\n"),
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n"),
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25 x\r\n"),
        SPAN("PROXY TCP4 192.0.2.7  198.51.100.1 56324 25\r\n"),
        SPAN("PROXY TCP4 2001:db8::7 2001:db8::1 1 25\r\n"),
        SPAN("PROXY TCP4 192.0.2.256 198.51.100.1 1 25\r\n"),
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n"),
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 -1 25\r\n"),
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 01 25\r\n"),
        SPAN("PROXY UNIX a b 1 2\r\n"),
        SPAN("proxy TCP4 192.0.2.7 198.51.100.1 1 25\r\n"),
        SPAN("\n"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct proxy_header h;
        size_t n;
        assert_int_equal(parse(bad[i], &h, &n), PROXY_BAD);
    }
    uint8_t longest[200];
    memset(longest, ' ', sizeof longest);
    memcpy(longest, "PROXY UNKNOWN", 13);
    struct proxy_header h;
    size_t n;
    assert_int_equal(parse(span_of(longest, 106), &h, &n), PROXY_MORE);
    assert_int_equal(parse(span_of(longest, 107), &h, &n), PROXY_BAD);
}

static void test_version_2(void **state)
{
    (void)state;
    struct proxy_header h;
    size_t n;
    assert_int_equal(parse(SPAN(SIG "\x21\x11\x00\x0c"
                                    "\xc0\x00\x02\x07"
                                    "\xc6\x33\x64\x01"
                                    "\x12\x34\x00\x19"
                                    "EHLO"),
                           &h, &n),
                     PROXY_OK);
    assert_int_equal(n, 28);
    assert_source(&h, "192.0.2.7", 0x1234);
    /* TLVs behind the addresses are skipped */
    assert_int_equal(parse(SPAN(SIG "\x21\x11\x00\x10"
                                    "\xc0\x00\x02\x07"
                                    "\xc6\x33\x64\x01"
                                    "\x12\x34\x00\x19"
                                    "\x04\x00\x01x"),
                           &h, &n),
                     PROXY_OK);
    assert_int_equal(n, 32);
    assert_int_equal(parse(SPAN(SIG "\x20\x00\x00\x00"), &h, &n), PROXY_OK); /* LOCAL */
    assert_true(h.local);
    static const struct span bad[] = {
        SPAN(SIG "\x11\x11\x00\x0c"
                 "\xc0\x00\x02\x07"
                 "\xc6\x33\x64\x01"
                 "\x12\x34\x00\x19"), /* version 1 */
        SPAN(SIG "\x22\x11\x00\x0c"
                 "\xc0\x00\x02\x07"
                 "\xc6\x33\x64\x01"
                 "\x12\x34\x00\x19"), /* command 2 */
        SPAN(SIG "\x21\x11\x00\x0b"
                 "\xc0\x00\x02\x07"
                 "\xc6\x33\x64\x01"
                 "\x12\x34\x00\x19"), /* too short for IPv4 */
        SPAN(SIG "\x21\x12\x00\x0c"
                 "\xc0\x00\x02\x07"
                 "\xc6\x33\x64\x01"
                 "\x12\x34\x00\x19"), /* UDP */
        SPAN(SIG "\x21\x11\xff\xff"), /* 65535 octets */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(bad[i], &h, &n), PROXY_BAD);
}

/* Every proper prefix of a header asks for more and never says anything else. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const struct span whole[] = {
        SPAN("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n"),
        SPAN(SIG "\x21\x11\x00\x0c"
                 "\xc0\x00\x02\x07"
                 "\xc6\x33\x64\x01"
                 "\x12\x34\x00\x19"),
    };
    for (size_t i = 0; i < 2; i++)
        for (size_t cut = 0; cut < whole[i].n; cut++) {
            struct proxy_header h;
            size_t n;
            assert_int_equal(parse(span_head(whole[i], cut), &h, &n), PROXY_MORE);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_version_1_refused),
        cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
