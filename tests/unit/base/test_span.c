#include "../span_check.h"

#include "base/wire.h"

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } t[] = {
        {"0", true, 0},
        {"00000000000000000012", true, 12},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"000000000000000000000", false, 0}, /* 21 digits */
        {"", false, 0},
        {"-1", false, 0}, /* MS03-046 */
        {"+5", false, 0},
        {" 5", false, 0},
        {"5 ", false, 0},
        {"0x10", false, 0},
        {"5abc", false, 0},
        {"1e3", false, 0},
        {"1,000", false, 0},
        {"\xd9\xa3", false, 0}, /* an Arabic digit */
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint64_t v = 77;
        assert_int_equal(span_u64(span_str(t[i].text), &v), t[i].ok);
        assert_int_equal(v, t[i].ok ? t[i].value : 77);
    }
}

static void comparing(void **state)
{
    (void)state;
    assert_true(span_eq_nocase(SPAN("POSTmaster"), SPAN("postMASTER")));
    assert_false(span_eq_nocase(SPAN("postmaste"), SPAN("postmaster")));
    assert_false(span_eq_nocase(SPAN("["), SPAN("{"))); /* 0x20 apart and no letters */
    assert_false(span_eq_nocase(SPAN("\xc3\x84"), SPAN("\xc3\xa4")));
    assert_true(span_eq((struct span){NULL, 0}, SPAN("")));
    assert_true(span_starts_nocase(SPAN("IPv6:x"), SPAN("ipV6:")));
    assert_false(span_starts_nocase(SPAN("IPv"), SPAN("IPv6:")));
}

static void cutting(void **state)
{
    (void)state;
    assert_span(span_skip(SPAN("abc"), 5), "");
    assert_span(span_head(SPAN("abc"), 5), "abc");
    assert_span(span_skip((struct span){NULL, 0}, 1), "");
    assert_int_equal(span_find(SPAN("a.b.c"), '.'), 1);
    assert_int_equal(span_rfind(SPAN("a.b.c"), '.'), 3);
    assert_int_equal(span_find((struct span){NULL, 0}, '.'), SPAN_NPOS);
}

static void wire_is_sticky(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    wire_put_u8(&b, 7);
    wire_put_u64(&b, UINT64_MAX - 1);
    wire_put_span(&b, SPAN("hello"));
    struct wire w = wire_on(buf_span(&b));
    assert_int_equal(wire_u8(&w), 7);
    assert_int_equal(wire_u64(&w), UINT64_MAX - 1);
    assert_span(wire_span(&w, 5), "hello");
    assert_true(wire_done(&w));

    for (size_t cut = 0; cut < b.n; cut++) { /* any cut is noticed */
        w = wire_on(span_head(buf_span(&b), cut));
        (void)wire_u8(&w);
        (void)wire_u64(&w);
        (void)wire_span(&w, 5);
        assert_false(wire_done(&w));
        assert_int_equal(wire_u32(&w), 0);
    }
    w = wire_on(buf_span(&b)); /* longer than the reader allows */
    (void)wire_raw(&w, 9);
    assert_int_equal(wire_span(&w, 4).n, 0);
    assert_false(wire_done(&w));
    w = wire_on(buf_span(&b)); /* octets left over */
    (void)wire_u8(&w);
    assert_false(wire_done(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(comparing),
        cmocka_unit_test(cutting),
        cmocka_unit_test(wire_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
