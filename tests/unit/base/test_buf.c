#include "../span_check.h"

#include <stdio.h>

static uint8_t memory[256];

static void over_is_for_good(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, 4);
    buf_put(&b, SPAN("abc"));
    buf_put(&b, SPAN("de"));
    assert_true(b.over);
    assert_span(buf_span(&b), "abc"); /* nothing of a write that does not fit */
    buf_byte(&b, 'x');
    buf_put(&b, SPAN(""));
    assert_span(buf_span(&b), "abc");
}

static void exactly_full_is_not_over(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, 4);
    buf_put(&b, SPAN("abcd"));
    assert_false(b.over);
    assert_int_equal(buf_room(&b), 0);
    buf_put(&b, SPAN(""));
    assert_false(b.over);
    buf_byte(&b, 'e');
    assert_true(b.over);
}

static void numbers(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 12345, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char want[64];
        struct buf b = buf_on(memory, sizeof memory);
        buf_u64(&b, values[i]);
        (void)snprintf(want, sizeof want, "%llu", (unsigned long long)values[i]);
        assert_span(buf_span(&b), want);
        b = buf_on(memory, sizeof memory);
        buf_hex64(&b, values[i]);
        (void)snprintf(want, sizeof want, "%016llx", (unsigned long long)values[i]);
        assert_span(buf_span(&b), want);
        for (unsigned width = 0; width <= 20; width++) {
            b = buf_on(memory, sizeof memory);
            buf_u64_pad(&b, values[i], width);
            (void)snprintf(want, sizeof want, "%0*llu", (int)width, (unsigned long long)values[i]);
            assert_span(buf_span(&b), want);
        }
        b = buf_on(memory, sizeof memory);
        buf_u64_pad(&b, values[i], 1000);
        assert_int_equal(b.n, 20);
    }
}

static void escaped(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        size_t max;
        const char *want;
    } t[] = {
        {SPAN("plain <a@b>"), 64, "plain <a@b>"},
        {SPAN("a\r\nb"), 64, "a\\x0d\\x0ab"},
        {SPAN("\0\x1b[2J\x7f"), 64, "\\x00\\x1b[2J\\x7f"},
        {SPAN("\\x0a"), 64, "\\x5cx0a"},               /* what looks like an escape is one */
        {SPAN("\xc3\xbc"), 64, "\xc3\xbc"},            /* well-formed UTF-8 */
        {SPAN("\xc3"), 64, "\\xc3"},                   /* cut short */
        {SPAN("\xc0\xaf"), 64, "\\xc0\\xaf"},          /* overlong */
        {SPAN("\xed\xa0\x80"), 64, "\\xed\\xa0\\x80"}, /* surrogate */
        {SPAN("\xc2\x9b"), 64, "\\xc2\\x9b"},          /* C1: CSI */
        {SPAN("\xe2\x80\xae"
              "x"),
         64, "\\xe2\\x80\\xaex"}, /* right-to-left override */
        {SPAN("a\xe2\x80\x8b"
              "b"),
         64, "a\\xe2\\x80\\x8bb"}, /* a space without width */
        {SPAN("\xef\xbb\xbf\xf3\xa0\x81\x81"), 64, "\\xef\\xbb\\xbf\\xf3\\xa0\\x81\\x81"},
        {SPAN("abcdef"), 3, "abc..."},
        {SPAN("abc"), 3, "abc"},
        {SPAN("ab\xc3\xbc"), 3, "ab\\xc3..."}, /* a character is not completed beyond the limit */
        {SPAN(""), 0, ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_escaped(&b, t[i].in, t[i].max);
        assert_false(b.over);
        assert_span(buf_span(&b), t[i].want);
        b = buf_on(memory, sizeof memory);
        buf_shown(&b, t[i].in, t[i].max); /* differs in the backslash alone */
        if (memchr(t[i].in.p, '\\', t[i].in.n))
            assert_true(span_eq(buf_span(&b), t[i].in));
        else
            assert_span(buf_span(&b), t[i].want);
    }
}

static void json(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        size_t max;
        const char *want;
    } t[] = {
        {SPAN("a\"b\\c/"), 64, "a\\\"b\\\\c/"},
        {SPAN("\0\n\x1f"), 64, "\\u0000\\u000a\\u001f"},
        {SPAN("\x7f\xc2\x85"), 64, "\\u007f\\u0085"},
        {SPAN("\xe2\x80\xa8"), 64, "\\u2028"},
        {SPAN("\xff\xfe"), 64, "\\ufffd\\ufffd"},
        {SPAN("\xf0\x9f\x93\xa7"), 64, "\xf0\x9f\x93\xa7"},
        {SPAN("\xf4\x90\x80\x80"), 64, "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* above U+10FFFF */
        {SPAN("\xe2\x80\x8d\xf3\xa0\x81\x81"), 64,
         "\\u200d\\udb40\\udc41"}, /* a joiner, a tag beyond U+FFFF */
        {SPAN("abcd"), 2, "ab..."},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_json(&b, t[i].in, t[i].max);
        assert_span(buf_span(&b), t[i].want);
    }
}

/* Whatever comes in, what is shown is printable ASCII or well above the controls, and a buffer too small says so. */
static void every_octet_is_tamed(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t in[1] = {(uint8_t)c};
        for (size_t max = 0; max < 8; max++) {
            struct buf b = buf_on(memory, max), j = buf_on(memory + 128, max);
            buf_escaped(&b, span_of(in, 1), 64);
            buf_json(&j, span_of(in, 1), 64);
            for (size_t i = 0; i < b.n; i++)
                assert_in_range(b.p[i], ' ', '~');
            for (size_t i = 0; i < j.n; i++)
                assert_in_range(j.p[i], ' ', '~');
            assert_true(b.over || b.n >= 1);
            assert_true(j.over || j.n >= 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_is_for_good),
        cmocka_unit_test(exactly_full_is_not_over),
        cmocka_unit_test(numbers),
        cmocka_unit_test(escaped),
        cmocka_unit_test(json),
        cmocka_unit_test(every_octet_is_tamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
