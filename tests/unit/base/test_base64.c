#include "../span_check.h"

#include "base/base64.h"
#include "base/hex.h"

static uint8_t memory[64];

static void vectors(void **state) /* RFC 4648 10 */
{
    (void)state;
    static const char *const t[][2] = {{"", ""},
                                       {"f", "Zg=="},
                                       {"fo", "Zm8="},
                                       {"foo", "Zm9v"},
                                       {"foob", "Zm9vYg=="},
                                       {"fooba", "Zm9vYmE="},
                                       {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        base64_encode(span_str(t[i][0]), &b);
        assert_span(buf_span(&b), t[i][1]);
        assert_int_equal(b.n, BASE64_OCTETS(strlen(t[i][0])));
        b = buf_on(memory, sizeof memory);
        assert_true(base64_decode(span_str(t[i][1]), &b));
        assert_span(buf_span(&b), t[i][0]);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct span t[] = {
        SPAN("Zg"),       SPAN("Zg="),     SPAN("Z"),        SPAN("Zg==="), SPAN("Zg== "),   SPAN(" Zg=="),
        SPAN("Zg==\r\n"), SPAN("Zm9v\n"),  SPAN("Zm 9v==="), SPAN("Zh=="),  SPAN("Zm9="),    SPAN("Zg==Zg=="),
        SPAN("===="),     SPAN("Z==="),    SPAN("=Zg="),     SPAN("Zm-v"),  SPAN("Zm_v"),    SPAN("Zm9v*AAA"),
        SPAN("Z\0\0v"),   SPAN("Zm9\xc3"), SPAN("*"),        SPAN("Zg=a"),  SPAN("Zm9vZg="),
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_put(&b, SPAN("kept"));
        assert_false(base64_decode(t[i], &b));
        assert_span(buf_span(&b), "kept");
        assert_false(b.over);
    }
}

static void of_urls(void **state) /* RFC 4648 5, RFC 7515 C */
{
    (void)state;
    static const struct {
        const char *text;
        struct span octets;
    } good[] = {
        {"", SPAN("")},        {"Zg", SPAN("f")},        {"Zm8", SPAN("fo")},
        {"Zm9v", SPAN("foo")}, {"Zm9vYg", SPAN("foob")}, {"A-z_4ME", SPAN("\x03\xec\xff\xe0\xc1")},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        assert_true(base64_url_decode(span_str(good[i].text), &b));
        assert_true(span_eq(buf_span(&b), good[i].octets));
    }
    static const struct span bad[] = {
        SPAN("Z"),   SPAN("Zm9vY"), SPAN("Zg=="),  SPAN("Zg="),    SPAN("Zm8="),  SPAN("Zh"),
        SPAN("Zm9"), SPAN("A+z/"),  SPAN("Zm 9v"), SPAN("Zm9v\n"), SPAN("Zm9v="), SPAN("Z\0"),
        SPAN("=g"),  SPAN("Zm=v"),  SPAN("Zg=v"),  SPAN("Zm="),    SPAN("Zm9vZ=")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_put(&b, SPAN("kept"));
        assert_false(base64_url_decode(bad[i], &b));
        assert_span(buf_span(&b), "kept");
    }
}

static void every_octet_goes_round(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned n = 1; n <= 3; n++) {
            uint8_t in[3] = {(uint8_t)a, (uint8_t)(a * 7), (uint8_t)~a}, back[4];
            struct buf e = buf_on(memory, sizeof memory), d = buf_on(back, sizeof back);
            base64_encode(span_of(in, n), &e);
            assert_true(base64_decode(buf_span(&e), &d));
            assert_int_equal(d.n, n);
            assert_memory_equal(back, in, n);
        }
}

static void too_small_is_said(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, 5);
    assert_true(base64_decode(SPAN("Zm9vYmFy"), &b));
    assert_true(b.over);
    b = buf_on(memory, 7);
    base64_encode(SPAN("foobar"), &b);
    assert_true(b.over);
}

static void hex(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, sizeof memory);
    hex_encode(SPAN("\0\xff\x5A"), &b);
    assert_span(buf_span(&b), "00ff5a");
    b = buf_on(memory, sizeof memory);
    assert_true(hex_decode(SPAN("00Ff5a"), &b));
    assert_int_equal(b.n, 3);
    assert_memory_equal(memory, "\0\xff\x5a", 3);
    static const struct span bad[] = {SPAN("0"),    SPAN("0g"), SPAN("0x"), SPAN(" 0"),
                                      SPAN("00 0"), SPAN("/0"), SPAN(":0")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        b = buf_on(memory, sizeof memory);
        assert_false(hex_decode(bad[i], &b));
        assert_int_equal(b.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),           cmocka_unit_test(refused),
        cmocka_unit_test(of_urls),           cmocka_unit_test(every_octet_goes_round),
        cmocka_unit_test(too_small_is_said), cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
