#include "policy/network.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *text_of(const struct address *a, bool literal)
{
    static char memory[64];
    struct buf b = buf_on(memory, sizeof memory - 1);
    if (literal)
        address_put_literal(&b, a);
    else
        address_put(&b, a);
    assert_false(b.over);
    memory[b.n] = 0;
    return memory;
}

static void canonical_text(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        /* RFC 5952 4 and 5 */
        {"2001:0db8::0001", "2001:db8::1"},
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:DB8::A", "2001:db8::a"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:201", "192.0.2.1"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct address a;
        assert_true(address_parse(span_str(t[i][0]), &a));
        assert_string_equal(text_of(&a, false), t[i][1]);
    }
    struct address a;
    assert_true(address_parse(SPAN("192.0.2.1"), &a));
    assert_string_equal(text_of(&a, true), "[192.0.2.1]");
    assert_true(address_parse(SPAN("2001:db8::1"), &a));
    assert_string_equal(text_of(&a, true), "[IPv6:2001:db8::1]");
}

static void hostile_text(void **state)
{
    (void)state;
    static const char *const t[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.",
        ".1.2.3.4",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.-4",
        "1.2.3.+4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "01.2.3.4",
        "1.2.3.04",
        "1..3.4",
        "0x1.2.3.4",
        "1.2.3.4444444444",
        ":",
        ":::",
        "1:2",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "fe80::1%eth0",
        "[::1]",
        "::1.2.3",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::ffff:1.2.3.4.5",
        ":1",
        "1:",
        "1:2:3:4:5:6:7:",
        ":1::",
        "::1:",
        "1:::2",
        "127.0.0.1\n",
        "::ffff:127.0.0.1\r",
        "1.2.3.4/8",
        "aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa",
    };
    struct address a;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (address_parse(span_str(t[i]), &a)) fail_msg("taken: '%s'", t[i]);
    assert_false(address_parse(span_of("1.2.3.4\0", 8), &a));
}

/* Random texts over the alphabet of addresses: whatever we take the C library takes with the same octets, and the reverse
 * (it is as strict as we are: no leading zeros with inet_pton). */
static void agrees_with_inet_pton(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789abcdefF::::....";
    unsigned taken = 0;
    srandom(1);
    for (unsigned i = 0; i < 400000; i++) {
        char z[48];
        size_t n = (size_t)random() % 14;
        for (size_t k = 0; k < n; k++)
            z[k] = alphabet[(size_t)random() % (sizeof alphabet - 1)];
        z[n] = 0;
        struct address a;
        uint8_t v6[16], v4[4];
        bool ours = address_parse(span_of(z, n), &a);
        if (inet_pton(AF_INET, z, v4) == 1) {
            assert_true(ours && address_is_v4(&a) && memcmp(a.octets + 12, v4, 4) == 0);
        } else if (inet_pton(AF_INET6, z, v6) == 1) {
            assert_true(ours && memcmp(a.octets, v6, 16) == 0);
        } else if (ours) {
            fail_msg("taken: '%s'", z);
        }
        taken += ours;
    }
    assert_true(taken > 100);
}

/* What is written reads back as the same address, and is what inet_ntop writes (but for mapped and compatible forms). */
static void round_trip(void **state)
{
    (void)state;
    srandom(2);
    for (unsigned i = 0; i < 100000; i++) {
        struct address a, back;
        for (unsigned k = 0; k < 16; k++)
            a.octets[k] = random() % 3 ? 0 : (uint8_t)random();
        a.octets[0] = 0x20;
        const char *z = text_of(&a, false);
        char libc[64];
        assert_true(address_parse(span_str(z), &back));
        assert_memory_equal(&a, &back, sizeof a);
        assert_non_null(inet_ntop(AF_INET6, a.octets, libc, sizeof libc));
        assert_string_equal(z, libc);
    }
}

static struct network net(const char *z)
{
    struct network n;
    if (!network_parse(span_str(z), &n)) fail_msg("refused: %s", z);
    return n;
}

static bool holds(const char *network, const char *address)
{
    struct network n = net(network);
    struct address a;
    assert_true(address_parse(span_str(address), &a));
    return network_holds(&n, &a);
}

static void networks(void **state)
{
    (void)state;
    assert_true(holds("192.0.2.0/24", "192.0.2.255"));
    assert_false(holds("192.0.2.0/24", "192.0.3.0"));
    assert_true(holds("192.0.2.1", "192.0.2.1"));
    assert_false(holds("192.0.2.1", "192.0.2.2"));
    assert_true(holds("192.0.2.1", "::ffff:192.0.2.1"));
    assert_true(holds("10.0.0.0/9", "10.127.255.255"));
    assert_false(holds("10.0.0.0/9", "10.128.0.0"));
    assert_true(holds("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(holds("2001:db8::/32", "2001:db9::1"));
    assert_true(holds("::/0", "2001:db9::1"));
    assert_false(holds("::/0", "192.0.2.1")); /* all of IPv6 is not IPv4 */
    assert_false(holds("0.0.0.0/0", "2001:db9::1"));
    assert_true(holds("0.0.0.0/0", "192.0.2.1"));
    assert_true(holds("::ffff:0:0/96", "192.0.2.1"));
    assert_true(holds("::1", "::1"));
    assert_false(holds("::1", "::"));
    static const char *const bad[] = {"192.0.2.1/24",
                                      "192.0.2.0/33",
                                      "192.0.2.0/",
                                      "192.0.2.0/-1",
                                      "192.0.2.0/024",
                                      "192.0.2.0/24/",
                                      "/24",
                                      "2001:db8::1/64",
                                      "2001:db8::/129",
                                      "2001:db8::/1000",
                                      "192.0.2/24",
                                      "*",
                                      "any",
                                      "192.0.2.0/255.255.255.0",
                                      "192.0.2.0 /24",
                                      "[::1]/128"};
    struct network n;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (network_parse(span_str(bad[i]), &n)) fail_msg("taken: %s", bad[i]);
    n = net("192.0.2.0/24");
    n.bits = 200; /* not made by network_parse */
    assert_false(network_holds(&n, &n.base));
}

static bool too_wide(const char *const *z)
{
    struct network n[16];
    size_t count = 0;
    for (; z[count]; count++)
        n[count] = net(z[count]);
    return network_union_too_wide(n, count);
}
#define WIDE(...) too_wide((const char *const[]){__VA_ARGS__, NULL})

static void i1_union_of_relay_networks(void **state)
{
    (void)state;
    assert_false(network_union_too_wide(NULL, 0));
    assert_false(WIDE("10.0.0.0/8"));
    assert_true(WIDE("10.0.0.0/7"));
    assert_true(WIDE("0.0.0.0/0"));
    assert_true(WIDE("0.0.0.0/1", "128.0.0.0/1"));
    assert_false(WIDE("10.0.0.0/9", "10.128.0.0/9"));
    assert_true(WIDE("10.0.0.0/9", "10.128.0.0/9", "192.0.2.1"));
    assert_false(
        WIDE("10.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3")); /* doubles and nested count once */
    assert_false(WIDE("10.1.2.3", "10.1.0.0/16", "10.0.0.0/8"));
    assert_true(WIDE("::/0"));
    assert_true(WIDE("::/31"));
    assert_false(WIDE("2001:db8::/32"));
    assert_true(WIDE("2001:db8::/32", "2001:db9::/128"));
    assert_true(WIDE("2001:db8::/33", "2001:db8:8000::/33", "::1"));
    assert_false(WIDE("2001:db8::/33", "2001:db8:8000::/33"));
    assert_true(WIDE("2001:db8::/33", "2001:db9::/33", "2001:dba::/120"));
    assert_false(WIDE("2001:db8::/33", "2001:db9::/34", "2001:dba::/120"));
    /* the families have a budget each, and neither hides the other */
    assert_false(WIDE("10.0.0.0/8", "2001:db8::/32"));
    assert_true(WIDE("::/64", "0.0.0.0/0"));
    assert_true(WIDE("0.0.0.0/0", "::/64"));
    assert_true(WIDE("::ffff:0:0/96"));
    /* behind a translator IPv4 hosts are 64:ff9b::a.b.c.d */
    assert_true(WIDE("64:ff9b::/96"));
    assert_true(WIDE("64:ff9b::/64"));
    assert_true(WIDE("64:ff9b:1::/48"));
    assert_true(WIDE("64:ff9b:1:2::/96"));
    assert_false(WIDE("64:ff9b::a00:0/104"));
    assert_true(WIDE("64:ff9b::a00:0/104", "192.0.2.1"));
    assert_false(WIDE("64:ff9b::c000:201", "64:ff9b:2::/48"));
}

static void one_in_another(void **state)
{
    static const struct {
        const char *a, *b;
        bool encloses;
    } cases[] = {{"10.0.0.0/8", "10.1.0.0/16", true},
                 {"10.0.0.0/8", "10.0.0.0/8", true},
                 {"10.0.0.0/16", "10.0.0.0/8", false},
                 {"10.0.0.0/8", "11.0.0.1", false},
                 {"2001:db8::/32", "2001:db8::/48", true},
                 {"2001:db8::/48", "2001:db8::/32", false},
                 {"::/0", "10.0.0.0/8", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network a, b;
        assert_true(network_parse(span_str(cases[i].a), &a) && network_parse(span_str(cases[i].b), &b));
        assert_int_equal(network_encloses(&a, &b), cases[i].encloses);
    }
}

static void source_keys(void **state)
{
    (void)state;
    struct address a, b;
    uint8_t ka[16], kb[16];
    assert_true(address_parse(SPAN("127.66.1.1"), &a));
    assert_true(address_parse(SPAN("127.66.1.2"), &b));
    address_source_key(&a, ka);
    address_source_key(&b, kb);
    assert_memory_not_equal(ka, kb, 16);
    assert_true(address_parse(SPAN("2001:db8:1:2:3:4:5:6"), &a));
    assert_true(address_parse(SPAN("2001:db8:1:2:ffff::"), &b));
    address_source_key(&a, ka);
    address_source_key(&b, kb);
    assert_memory_equal(ka, kb, 16);
    assert_true(address_parse(SPAN("2001:db8:1:3::"), &b));
    address_source_key(&b, kb);
    assert_memory_not_equal(ka, kb, 16);
}

/* What was meant by a network with host bits. */
static void network_around(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"192.0.2.7/24", "192.0.2.0/24"},    {"192.0.2.0/24", "192.0.2.0/24"},
                                       {"192.0.2.7", "192.0.2.7/32"},       {"10.9.8.7/4", "0.0.0.0/4"},
                                       {"2001:db8::7/48", "2001:db8::/48"}, {"2001:db8::7/0", "::/0"}};
    static const char *const bad[] = {"192.0.2.7/33",    "192.0.2.7/", "192.0.2/24",
                                      "2001:db8::7/129", "x/8",        ""};
    struct network n;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char memory[64];
        struct buf b = buf_on(memory, sizeof memory);
        assert_true(network_parse_around(span_str(t[i][0]), &n));
        network_put(&b, &n);
        if (!span_eq(buf_span(&b), span_str(t[i][1]))) fail_msg("%s", t[i][0]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (network_parse_around(span_str(bad[i]), &n)) fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network_around),
        cmocka_unit_test(canonical_text),
        cmocka_unit_test(hostile_text),
        cmocka_unit_test(agrees_with_inet_pton),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(networks),
        cmocka_unit_test(i1_union_of_relay_networks),
        cmocka_unit_test(one_in_another),
        cmocka_unit_test(source_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
