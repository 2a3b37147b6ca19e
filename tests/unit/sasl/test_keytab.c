#include "sasl/keytab.h"

#include "../span_check.h"

/* smtp/mail@R, version 3, AES-128, key of 16 octets; then a hole; then alice@R with the longer version number. */
#define KEY16 "0123456789abcdef"
#define FIRST "\0\0\0\x2e\0\2\0\1R\0\4smtp\0\4mail\0\0\0\3\0\0\0\7\3\0\x11\0\x10" KEY16
#define HOLE                                                                                                 \
    "\xff\xff\xff\xfd"                                                                                       \
    "abc"
#define SECOND "\0\0\0\x26\0\1\0\1R\0\5alice\0\0\0\1\0\0\0\0\1\0\x17\0\4abcd\0\0\1\2\0\0\0\0\0"

static void keys(void **state)
{
    (void)state;
    struct keytab k;
    struct keytab_key key;
    assert_true(keytab_begin(&k, SPAN("\5\2" FIRST HOLE SECOND)));
    assert_int_equal(keytab_next(&k, &key), KEYTAB_KEY);
    assert_span(key.realm, "R");
    assert_int_equal(key.n_components, 2);
    assert_span(key.components[0], "smtp");
    assert_span(key.components[1], "mail");
    assert_int_equal(key.name_type, 3);
    assert_int_equal(key.timestamp, 7);
    assert_int_equal(key.version, 3);
    assert_int_equal(key.encryption, 17);
    assert_span(key.key, KEY16);
    assert_true(keytab_key_is_strong(&key));
    assert_int_equal(keytab_next(&k, &key), KEYTAB_KEY);
    assert_int_equal(key.n_components, 1);
    assert_span(key.components[0], "alice");
    assert_int_equal(key.version, 258);
    assert_false(keytab_key_is_strong(&key));
    assert_int_equal(keytab_next(&k, &key), KEYTAB_END);
    assert_int_equal(keytab_next(&k, &key), KEYTAB_END);
}

static void hostile(void **state)
{
    (void)state;
    static const uint8_t whole[] = "\5\2" FIRST HOLE SECOND;
    static const size_t ends[] = {2, 2 + 50, 2 + 50 + 7, sizeof whole - 1};
    struct keytab k;
    struct keytab_key key;
    assert_false(keytab_begin(&k, SPAN("")));
    assert_false(keytab_begin(&k, SPAN("\5")));
    assert_false(keytab_begin(&k, SPAN("\5\1" FIRST)));
    assert_false(keytab_begin(&k, SPAN("-----BEGIN")));
    for (size_t n = 2; n < sizeof whole; n++) {
        enum keytab_found found;
        bool whole_keys = false;
        assert_true(keytab_begin(&k, span_of(whole, n)));
        while ((found = keytab_next(&k, &key)) == KEYTAB_KEY)
            continue;
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
            whole_keys |= n == ends[i];
        assert_int_equal(found, whole_keys ? KEYTAB_END : KEYTAB_BROKEN);
    }
    static const struct span broken[] = {
        {(const uint8_t *)"\5\2\x80\0\0\0", 6},         /* a hole of -2^31 */
        {(const uint8_t *)"\5\2\x7f\xff\xff\xff\0", 7}, /* longer than the file */
        {(const uint8_t *)"\5\2\0\0\0\1\0", 7},
        {(const uint8_t *)"\5\2\0\0\0\4\xff\xff\0\0", 10}, /* components that are not there */
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_true(keytab_begin(&k, broken[i]));
        assert_int_equal(keytab_next(&k, &key), KEYTAB_BROKEN);
    }
    assert_true(keytab_begin(&k, SPAN("\5\2\0\0\0\0rest")));
    assert_int_equal(keytab_next(&k, &key), KEYTAB_END);
}

static void strong(void **state)
{
    (void)state;
    static const uint8_t octets[33];
    static const struct {
        uint16_t encryption, n;
        bool strong;
    } t[] = {{17, 16, true},  {17, 15, false}, {17, 32, false}, {18, 32, true},
             {18, 16, false}, {19, 16, true},  {20, 32, true},  {25, 16, true},
             {26, 32, true},  {26, 33, false}, {23, 16, false}, {24, 16, false},
             {16, 24, false}, {3, 8, false},   {1, 8, false},   {0, 0, false}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct keytab_key k = {.encryption = t[i].encryption, .key = span_of(octets, t[i].n)};
        assert_int_equal(keytab_key_is_strong(&k), t[i].strong);
        bool listed = false;
        for (size_t j = 0; keytab_encryptions[j]; j++)
            listed |= keytab_encryptions[j] == t[i].encryption;
        if (t[i].strong) assert_true(listed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys), cmocka_unit_test(hostile),
                                       cmocka_unit_test(strong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
