#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/reach.h"

static const char *refused(const char *text, enum reach_scope scope)
{
    struct address a;
    assert_true(address_parse(span_str(text), &a));
    return reach_refused(&a, scope);
}

/* Each network by its first, its last and the addresses beside it. */
static void test_v4(void **state)
{
    (void)state;
    static const char *const never[] = {"0.0.0.0",         "0.255.255.255",  "127.0.0.1",
                                        "127.255.255.255", "169.254.0.0",    "169.254.169.254",
                                        "192.0.0.8",       "224.0.0.1",      "239.255.255.255",
                                        "240.0.0.1",       "255.255.255.255"};
    static const char *const site[] = {"10.0.0.0",   "10.255.255.255", "100.64.0.0",  "100.127.255.255",
                                       "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
                                       "198.18.0.0", "198.19.255.255"};
    static const char *const world[] = {"1.0.0.0",     "9.255.255.255",   "11.0.0.0",    "100.63.255.255",
                                        "100.128.0.0", "126.255.255.255", "128.0.0.0",   "169.253.255.255",
                                        "169.255.0.0", "172.15.255.255",  "172.32.0.0",  "192.0.1.0",
                                        "192.0.2.1",   "192.167.255.255", "192.169.0.0", "198.17.255.255",
                                        "198.20.0.0",  "198.51.100.1",    "203.0.113.1", "223.255.255.255"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        assert_non_null(refused(never[i], REACH_WORLD));
        assert_non_null(refused(never[i], REACH_SITE));
    }
    for (size_t i = 0; i < sizeof site / sizeof site[0]; i++) {
        assert_non_null(refused(site[i], REACH_WORLD));
        assert_null(refused(site[i], REACH_SITE));
    }
    for (size_t i = 0; i < sizeof world / sizeof world[0]; i++)
        assert_null(refused(world[i], REACH_WORLD));
}

static void test_v6(void **state)
{
    (void)state;
    static const char *const never[] = {"::",      "::1",     "::7f00:1", "fe80::1",     "febf::1",
                                        "fec0::1", "ff02::1", "100::1",   "64:ff9b:1::1"};
    static const char *const site[] = {"fc00::1", "fd00::1", "fdff:ffff::1"};
    static const char *const world[] = {"2001:db8::1", "2a00::1", "fbff::1", "fe7f::1", "64:ff9b:2::1"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        assert_non_null(refused(never[i], REACH_SITE));
    for (size_t i = 0; i < sizeof site / sizeof site[0]; i++) {
        assert_non_null(refused(site[i], REACH_WORLD));
        assert_null(refused(site[i], REACH_SITE));
    }
    for (size_t i = 0; i < sizeof world / sizeof world[0]; i++)
        assert_null(refused(world[i], REACH_WORLD));
}

/* A wrapped address is what it wraps. */
static void test_wrapped(void **state)
{
    (void)state;
    static const char *const loopback[] = {"::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1",
                                           "2001:0:c000:201::80ff:fffe", "2001:0:7f00:1::3fff:fdfe"};
    static const char *const private[] = {"::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1",
                                          "2001:0:c000:201::f5ff:fffe"};
    static const char *const world[] = {"::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1",
                                        "2001:0:c000:201::3fff:fdfe"};
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        assert_string_equal(refused(loopback[i], REACH_SITE), "loopback");
    for (size_t i = 0; i < sizeof private / sizeof private[0]; i++) {
        assert_string_equal(refused(private[i], REACH_WORLD), "private network");
        assert_null(refused(private[i], REACH_SITE));
    }
    for (size_t i = 0; i < sizeof world / sizeof world[0]; i++)
        assert_null(refused(world[i], REACH_WORLD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_v4), cmocka_unit_test(test_v6),
                                       cmocka_unit_test(test_wrapped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
