/* The keytab's verdict, and what was used before. The library and its tickets: tests/scenario/test_kerberos.py. */
#include "service/kerberos.h"
#include "service/kerberos_seen.h"

#include "../span_check.h"

static struct span services[] = {{(const uint8_t *)"smtp", 4}, {(const uint8_t *)"smtpsvc", 7}};
static struct config_realm realms[] = {{.name = {(const uint8_t *)"R", 1}}};
static const struct config_kerberos config = {
    .realms = realms, .n_realms = 1, .services = services, .n_services = 2};

#define KEY16 "0123456789abcdef"
#define KEY(service, realm, encryption)                                                                      \
    "\0\0\0\x2e\0\2\0\1" realm "\0\4" service "\0\4mail\0\0\0\3\0\0\0\7\3\0" encryption "\0\x10" KEY16

static void keytab(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        const char *wrong;
    } t[] = {
#define ROW(text, wrong) {{(const uint8_t *)(text), sizeof(text) - 1}, wrong}
        ROW("\5\2" KEY("smtp", "R", "\x11"), NULL),
        ROW("\5\2" KEY("SMTP", "R", "\x11"), NULL), /* as Windows may write it */
        ROW("\5\2" KEY("smtp", "R", "\x17") KEY("smtp", "R", "\x11"), NULL),
        ROW("", "it is no keytab"),
        ROW("# comment\n", "it is no keytab"),
        ROW("\5\2", "it is empty"),
        ROW("\5\2" KEY("smtp", "R", "\x11") "\0", "it is damaged"),
        ROW("\5\2" KEY("host", "R", "\x11"), "it has no key of this service, like smtp/mail.example.org"),
        ROW("\5\2" KEY("smtp", "r", "\x11"),
            "its keys of this service are of realms that are not named here"),
        ROW("\5\2" KEY("smtp", "R", "\x17"),
            "its keys of this service are all of old kinds (RC4, DES): AES is needed"),
        ROW("\5\2" KEY("smtp", "Q", "\x11") KEY("smtp", "R", "\x17"),
            "its keys of this service are all of old kinds (RC4, DES): AES is needed"),
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *wrong = kerberos_keytab_wrong(t[i].text, &config);
        if (t[i].wrong)
            assert_string_equal(wrong, t[i].wrong);
        else
            assert_null(wrong);
    }
}

static void seen(void **state)
{
    (void)state;
    /* the library takes it up to the last second, and looks at it later than the time that was told */
    enum { SAME_ROW = 8, LATER = 2 * LIMIT_KERBEROS_CLOCK_SECONDS + LIMIT_DIRECTORY_SECONDS + 1 };
    uint8_t hash[KERBEROS_SEEN_OCTETS] = {7};
    struct kerberos_seen *s = kerberos_seen_create();
    assert_non_null(s);
    assert_true(kerberos_seen_add(s, hash, 1000));
    assert_false(kerberos_seen_add(s, hash, 1000));
    assert_false(kerberos_seen_add(s, hash, 1000 + LATER - 1));
    assert_true(kerberos_seen_add(s, hash, 1000 + LATER)); /* the library does not take it any more */
    for (uint8_t i = 1; i <= SAME_ROW; i++) {              /* the last one drives out the oldest */
        hash[15] = i;
        assert_true(kerberos_seen_add(s, hash, 2000 + i));
    }
    for (uint8_t i = 1; i <= SAME_ROW; i++) {
        hash[15] = i;
        assert_false(kerberos_seen_add(s, hash, 2010));
    }
    hash[15] = 0;
    assert_true(kerberos_seen_add(s, hash, 2010));
    hash[15] = 1;
    assert_true(kerberos_seen_add(s, hash, 2010));
    kerberos_seen_free(&s);
    assert_null(s);
    kerberos_seen_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keytab), cmocka_unit_test(seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
