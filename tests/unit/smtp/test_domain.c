#include "../span_check.h"

#include "smtp/address.h"
#include "smtp/domain.h"

static void names(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        bool plain, utf8, underscore;
    } t[] = {
        {SPAN("example.org"), true, true, true},
        {SPAN("localhost"), true, true, true},
        {SPAN("a"), true, true, true},
        {SPAN("1.2.3.4"), true, true, true}, /* the grammar has no other word for it */
        {SPAN("a--b.xn--bcher-kva.example"), true, true, true},
        {SPAN("my_host.example"), false, false, true},
        {SPAN("_dmarc.example"), false, false, true},
        {SPAN("b\xc3\xbc"
              "cher.example"),
         false, true, false},
        {SPAN("\xc3\xbc"), false, true, false},
        {SPAN(""), false, false, false},
        {SPAN("."), false, false, false},
        {SPAN("a."), false, false, false},
        {SPAN(".a"), false, false, false},
        {SPAN("a..b"), false, false, false},
        {SPAN("-a"), false, false, false},
        {SPAN("a-"), false, false, false},
        {SPAN("-"), false, false, false},
        {SPAN("a b"), false, false, false},
        {SPAN("a\0b"), false, false, false},
        {SPAN("a\nb"), false, false, false},
        {SPAN("a,b"), false, false, false},
        {SPAN("a@b"), false, false, false},
        {SPAN("[1.2.3.4]"), false, false, false},
        {SPAN("*.example"), false, false, false},
        {SPAN("\xff.example"), false, false, false},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        assert_int_equal(domain_valid(t[i].in, false, false), t[i].plain);
        assert_int_equal(domain_valid(t[i].in, true, false), t[i].utf8);
        assert_int_equal(domain_valid(t[i].in, false, true), t[i].underscore);
    }
}

static void lengths(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'd', sizeof name);
    assert_true(domain_valid(span_of(name, 63), false, false));
    assert_false(domain_valid(span_of(name, 64), false, false));
    for (size_t i = 50; i < sizeof name; i += 51)
        name[i] = '.';
    assert_true(domain_valid(span_of(name, 255), false, false) == (name[254] != '.'));
    assert_true(domain_valid(span_of(name, 253), false, false));
    assert_false(domain_valid(span_of(name, 256), false, false));
    char label[2 * 60]; /* a U-label of 60 characters cannot be an A-label of 63 octets */
    for (size_t i = 0; i < sizeof label; i += 2)
        memcpy(label + i, "\xc3\xbc", 2);
    assert_true(domain_valid(span_of(label, 2 * 59), true, false));
    assert_false(domain_valid(span_of(label, 2 * 60), true, false));
}

static const char *const good[] = {
    "[192.0.2.1]",
    "[0.0.0.0]",
    "[255.255.255.255]",
    "[IPv6:::]",
    "[IPv6:::1]",
    "[ipv6:2001:DB8::1]",
    "[IPv6:1:2:3:4:5:6:7:8]",
    "[IPv6:1::8]",
    "[IPv6:1:2:3:4:5:6::]",
    "[IPv6:::3:4:5:6:7:8]",
    "[IPv6:::ffff:192.0.2.1]",
    "[IPv6:1:2:3:4:5:6:192.0.2.1]",
    "[IPv6:1:2:3:4::192.0.2.1]",
    "[IPv6:::1.2.3.4]",
    "[IPv6:0db8:0:0:0:0:0:0:ffff]",
};
static const char *const bad[] = {
    "",
    "[",
    "]",
    "[]",
    "[1.2.3.4",
    "1.2.3.4]",
    "1.2.3.4",
    "[1.2.3]",
    "[1.2.3.4.5]",
    "[01.2.3.4]",
    "[1.2.3.04]",
    "[00.0.0.0]",
    "[256.1.1.1]",
    "[1.2.3.1000]",
    "[1..2.3]",
    "[.1.2.3]",
    "[1.2.3.]",
    "[-1.2.3.4]",
    "[+1.2.3.4]",
    "[ 1.2.3.4]",
    "[1.2.3.4 ]",
    "[0x7f.0.0.1]",
    "[2130706433]",
    "[1.2.3.4]]",
    "[[1.2.3.4]",
    "[2001:db8::1]",
    "[::1]",
    "[IPv6:]",
    "[IPv6]",
    "[IPv6::]",
    "[IPv6:1]",
    "[IPv6::1]",
    "[IPv6:1:2:3:4:5:6:7]",
    "[IPv6:1:2:3:4:5:6:7:8:9]",
    "[IPv6:1:2:3:4:5:6:7::]",
    "[IPv6:::2:3:4:5:6:7:8]",
    "[IPv6:1::2::3]",
    "[IPv6::::]",
    "[IPv6:12345::]",
    "[IPv6:g::]",
    "[IPv6:1:2:3:4:5:6:7:1.2.3.4]",
    "[IPv6:1:2:3:4:5:1.2.3.4]",
    "[IPv6:1:2:3:4:5::1.2.3.4]",
    "[IPv6:1.2.3.4]",
    "[IPv6:::1.2.3]",
    "[IPv6:::1.2.3.4:5]",
    "[IPv6:1:2:3:4:5:6:7:]",
    "[IPv6:fe80::1%eth0]",
    "[IPv6: ::1]",
    "[IPv6:::ffff:1.2.3.400]",
    "[IPv4:1.2.3.4]",
    "[tag:content]",
    "[IPv6:1:]",
    "[IPv6:::1:]",
};

static void literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(address_literal_valid(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(address_literal_valid(span_str(bad[i])));
    assert_false(address_literal_valid(SPAN("[1.2.3.4\0]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(lengths),
        cmocka_unit_test(literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
