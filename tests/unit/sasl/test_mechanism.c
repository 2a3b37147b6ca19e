#include "sasl/mechanism.h"

#include "../span_check.h"

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < MECHANISM_COUNT; i++) {
        const struct mechanism_row *row = &mechanism_table[i];
        assert_int_equal(row->mechanism, i);
        size_t n = strlen(row->name);
        assert_true(n >= 1 && n <= 20); /* RFC 4422 3.1 */
        for (size_t j = 0; j < n; j++)
            assert_true(octet_is_digit((uint8_t)row->name[j]) || row->name[j] == '-' || row->name[j] == '_' ||
                        (row->name[j] >= 'A' && row->name[j] <= 'Z'));
        assert_ptr_equal(mechanism_find(span_str(row->name)), row);
    }
    assert_ptr_equal(mechanism_find(SPAN("ntlm")), &mechanism_table[MECHANISM_NTLM]);
    assert_null(mechanism_find(SPAN("NTL")));
    assert_null(mechanism_find(SPAN("NTLM ")));
    assert_null(mechanism_find(SPAN("")));
    assert_null(mechanism_find(SPAN("ANONYMOUS")));
}

static void names(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    mechanism_put_names(&b, 0);
    assert_int_equal(b.n, 0);
    mechanism_put_names(&b, MECHANISM_BIT(MECHANISM_LOGIN) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) |
                                MECHANISM_BIT(MECHANISM_PLAIN));
    assert_span(buf_span(&b), "SCRAM-SHA-256 PLAIN LOGIN");
}

/* What is offered is what nothing speaks against. */
static void offered(void **state)
{
    const uint32_t all = MECHANISM_BIT(MECHANISM_COUNT) - 1, external = MECHANISM_BIT(MECHANISM_EXTERNAL),
                   plus = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS) |
                          MECHANISM_BIT(MECHANISM_SCRAM_SHA_1_PLUS);
    const struct {
        struct mechanism_facts facts;
        uint32_t offered;
    } rows[] = {{{.tls = false}, 0},
                {{.certificate = true, .binding = true}, 0},
                {{.clear = true}, all & ~plus & ~external & ~(uint32_t)MECHANISM_KERBEROS},
                {{.tls = true}, all & ~plus & ~external},
                {{.tls = true, .binding = true}, all & ~external},
                {{.tls = true, .certificate = true}, all & ~plus},
                {{.tls = true, .binding = true, .certificate = true}, all}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(mechanism_offered(all, &rows[i].facts), rows[i].offered);
        assert_int_equal(mechanism_offered(0, &rows[i].facts), 0);
        for (unsigned m = 0; m < MECHANISM_COUNT; m++)
            assert_int_equal(mechanism_why_not(m, &rows[i].facts) == NULL, (rows[i].offered >> m) & 1);
    }
}

static void any(void **state)
{
    const uint32_t plain = MECHANISM_BIT(MECHANISM_PLAIN), plus = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS);
    (void)state;
    assert_false(mechanism_any(0, 0xff));
    assert_false(mechanism_any(plain, MECHANISM_BINDS));
    assert_true(mechanism_any(plus, MECHANISM_BINDS));
    assert_true(mechanism_any(plain | plus, MECHANISM_BINDS));
    assert_true(mechanism_any(plain | plus, MECHANISM_SECRET));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(names),
                                       cmocka_unit_test(offered), cmocka_unit_test(any)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
