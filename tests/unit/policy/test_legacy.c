#include "policy/legacy.h"

#include "../span_check.h"

static uint32_t needs(const char *version, const char *cipher, const char *mechanism, bool shows,
                      uint32_t messages)
{
    struct legacy_facts f = {.tls_tried = *version,
                             .tls = *version && *version != '!',
                             .version = span_str(version),
                             .cipher = span_str(cipher),
                             .mechanism = span_str(mechanism),
                             .shows_password = shows,
                             .messages = messages};
    return legacy_needs(&f);
}

static void what_is_lacking(void **state)
{
    (void)state;
    assert_int_equal(needs("TLSv1.3", "TLS_AES_128_GCM_SHA256", "LOGIN", true, 3), 0);
    assert_int_equal(needs("TLSv1.2", "ECDHE-RSA-CHACHA20-POLY1305", "SCRAM-SHA-256", false, 1), 0);
    assert_int_equal(needs("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", "", false, 0), 0); /* it sent nothing */
    assert_int_equal(needs("TLSv1.2", "ECDHE-RSA-AES128-SHA256", "PLAIN", true, 1), LEGACY_OLD_CIPHER);
    assert_int_equal(needs("TLSv1", "DHE-RSA-AES128-SHA", "CRAM-MD5", false, 1),
                     LEGACY_TLS_1_0 | LEGACY_CRAM_MD5);
    assert_int_equal(needs("TLSv1.1", "DHE-RSA-AES128-SHA", "NTLM", false, 1), LEGACY_TLS_1_1 | LEGACY_NTLM);
    assert_int_equal(needs("", "", "LOGIN", true, 1), LEGACY_CLEAR_TEXT | LEGACY_CLEAR_PASSWORD);
    assert_int_equal(needs("", "", "CRAM-MD5", false, 1), LEGACY_CLEAR_TEXT | LEGACY_CRAM_MD5);
    assert_int_equal(needs("", "", "", false, 2), LEGACY_CLEAR_TEXT | LEGACY_NO_LOGIN);
    assert_int_equal(needs("!", "", "", false, 0), LEGACY_TLS_FAILED);
}

/* Each has a name and a bit of its own, and says what to do. */
static void names(void **state)
{
    uint32_t all = 0;
    (void)state;
    for (unsigned i = 0; i < LEGACY_NEEDS; i++) {
        const struct legacy_row *row = &legacy_table[i];
        assert_int_equal(legacy_need_find(span_str(row->name)), row->need);
        assert_false(all & row->need);
        all |= row->need;
        assert_true(strlen(row->advice) > 20);
    }
    assert_int_equal(all, (1u << LEGACY_NEEDS) - 1);
    assert_int_equal(legacy_need_find(SPAN("")), 0);
    assert_int_equal(legacy_need_find(SPAN("clear-tex")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_lacking), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
