#include "../span_check.h"

#include "base/utf8.h"

static size_t put(uint8_t d[4], uint32_t c)
{
    if (c < 0x80) return (size_t)(d[0] = (uint8_t)c, 1);
    if (c < 0x800) return (size_t)(d[0] = (uint8_t)(0xC0 | c >> 6), d[1] = (uint8_t)(0x80 | (c & 63)), 2);
    if (c < 0x10000)
        return (size_t)(d[0] = (uint8_t)(0xE0 | c >> 12), d[1] = (uint8_t)(0x80 | (c >> 6 & 63)),
                        d[2] = (uint8_t)(0x80 | (c & 63)), 3);
    return (size_t)(d[0] = (uint8_t)(0xF0 | c >> 18), d[1] = (uint8_t)(0x80 | (c >> 12 & 63)),
                    d[2] = (uint8_t)(0x80 | (c >> 6 & 63)), d[3] = (uint8_t)(0x80 | (c & 63)), 4);
}

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        uint8_t d[4];
        uint32_t code = 0;
        size_t n = put(d, c), got = utf8_next(span_of(d, n), &code);
        bool legal = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        assert_int_equal(got, legal ? n : 0);
        if (legal) assert_int_equal(code, c);
        if (n > 1) assert_int_equal(utf8_next(span_of(d, n - 1), &code), 0); /* cut short */
    }
}

/* All sequences of two and of three octets: well-formed exactly when they are what `put` makes. */
static void every_short_sequence(void **state)
{
    (void)state;
    size_t two = 0, three = 0;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        uint8_t d[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        uint32_t code;
        size_t n = utf8_next(span_of(d, 3), &code);
        two += n == 2;
        three += n == 3;
    }
    assert_int_equal(two, 1920 * 256); /* U+0080 to U+07FF with any octet behind */
    assert_int_equal(three, 0x10000 - 0x800 - 2048);
}

static void broken(void **state)
{
    (void)state;
    static const struct span t[] = {
        SPAN("\x80"),
        SPAN("a\xbf"),
        SPAN("\xc0\x80"),
        SPAN("\xc1\xbf"),
        SPAN("\xe0\x80\xaf"),
        SPAN("\xe0\x9f\xbf"),
        SPAN("\xf0\x80\x80\xaf"),
        SPAN("\xf0\x8f\xbf\xbf"),
        SPAN("\xf5\x80\x80\x80"),
        SPAN("\xff"),
        SPAN("\xfe"),
        SPAN("\xc3\xc3"),
        SPAN("\xe2\x82"),
        SPAN("\xf8\x88\x80\x80\x80"),
        SPAN("ok\xc3"),
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        assert_false(utf8_valid(t[i]));
    assert_true(utf8_valid(SPAN("")));
    assert_true(utf8_valid(SPAN("p\xc3\xa4ge\0\xe2\x82\xac\xf0\x9f\x93\xa7")));
}

static void controls(void **state)
{
    (void)state;
    static const uint32_t yes[] = {0,      0x1b,   0x7f,   0x80,   0x9b,   0x9f, 0x200e,
                                   0x2028, 0x202e, 0x2066, 0x2069, 0xfeff, 0x61c};
    static const uint32_t no[] = {' ', '~', 0xa0, 0xfc, 0x20ac, 0x1f4e7, 0x2027, 0x202f, 0x206a};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(utf8_is_control(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(utf8_is_control(no[i]));
}

static void hidden(void **state)
{
    (void)state;
    static const uint32_t yes[] = {0,      0x1b,   0x9f,   0x202e,  0xad,    0x34f,   0x1160, 0x180e,
                                   0x200b, 0x200c, 0x200d, 0x200f,  0x2060,  0x206f,  0x3164, 0xfe0f,
                                   0xfeff, 0xffa0, 0xfff8, 0x1d173, 0xe0000, 0xe007f, 0xe0fff};
    static const uint32_t no[] = {' ',    '~',    0xa0,   0xac,   0xae,    0xfc,    0x200a,  0x2010,
                                  0x2070, 0x20ac, 0xfe10, 0xfffd, 0x1f4e7, 0xe1000, 0x10ffff};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!utf8_is_hidden(yes[i])) fail_msg("U+%04x", (unsigned)yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (utf8_is_hidden(no[i])) fail_msg("U+%04x", (unsigned)no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point), cmocka_unit_test(every_short_sequence),
        cmocka_unit_test(broken),           cmocka_unit_test(controls),
        cmocka_unit_test(hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
