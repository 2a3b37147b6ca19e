#include "sasl/utf16.h"

#include "../span_check.h"

static uint8_t memory[64];

static void good(struct span units, const char *text)
{
    struct buf b = buf_on(memory, sizeof memory);
    buf_byte(&b, '<');
    assert_true(utf16_to_utf8(units, &b));
    assert_span(span_skip(buf_span(&b), 1), text);
}

static void bad(struct span units)
{
    struct buf b = buf_on(memory, sizeof memory);
    buf_byte(&b, '<');
    assert_false(utf16_to_utf8(units, &b));
    assert_int_equal(b.n, 1);
}

static void decode(void **state)
{
    (void)state;
    good(SPAN(""), "");
    good(SPAN("a\0\\\0b\0"), "a\\b");
    good(SPAN("\xe4\0"), "\xc3\xa4");
    good(SPAN("\xff\x07"), "\xdf\xbf");
    good(SPAN("\0\x08"), "\xe0\xa0\x80");
    good(SPAN("\xac\x20"), "\xe2\x82\xac");
    good(SPAN("\xfd\xff"), "\xef\xbf\xbd");
    good(SPAN("\x3d\xd8\0\xde"), "\xf0\x9f\x98\x80");
    good(SPAN("\0\xd8\0\xdc"), "\xf0\x90\x80\x80");
    good(SPAN("\xff\xdb\xff\xdf"), "\xf4\x8f\xbf\xbf");
    bad(SPAN("a"));
    bad(SPAN("a\0b"));
    bad(SPAN("a\0\0\0"));     /* NUL */
    bad(SPAN("a\0\12\0"));    /* LF */
    bad(SPAN("a\0\x7f\0"));   /* DEL */
    bad(SPAN("\x2e\x20"));    /* right-to-left override */
    bad(SPAN("a\0\x3d\xd8")); /* half a pair at the end */
    bad(SPAN("\x3d\xd8"
             "a\0"));
    bad(SPAN("\x3d\xd8\x3d\xd8"));
    bad(SPAN("\0\xde\x3d\xd8")); /* the wrong half first */
}

static void room(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, 2);
    assert_true(utf16_to_utf8(SPAN("\xe4\0"), &b));
    assert_false(b.over);
    b = buf_on(memory, 2);
    assert_true(utf16_to_utf8(SPAN("\xac\x20"), &b));
    assert_true(b.over);
}

static void encode(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, sizeof memory);
    utf16_put_ascii(&b, SPAN("Ab"));
    utf16_put_unit(&b, 0x20AC);
    assert_int_equal(b.n, 6);
    assert_memory_equal(b.p, "A\0b\0\xac\x20", 6);
    assert_int_equal(utf16_unit(buf_span(&b), 2), 0x20AC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decode), cmocka_unit_test(room),
                                       cmocka_unit_test(encode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
