#include "../span_check.h"

#include "base/limits.h"
#include "smtp/reply.h"

static uint8_t memory[2048], text[4096];

static void writing(void **state)
{
    (void)state;
    static const struct {
        unsigned code;
        const char *enhanced;
        struct span text;
        const char *want;
    } t[] = {
        {250, "2.1.0", SPAN("Ok"), "250 2.1.0 Ok\r\n"},
        {220, NULL, SPAN("mail.example ESMTP"), "220 mail.example ESMTP\r\n"},
        {354, "", SPAN("Go on"), "354 Go on\r\n"},
        {250, "2.0.0", SPAN(""), "250 2.0.0\r\n"},
        {250, NULL, SPAN(""), "250 \r\n"},
        {550, "5.1.1", SPAN("<a\r\n250 Ok>"),
         "550 5.1.1 <a??250 Ok>\r\n"}, /* no line is made of one that is echoed */
        {501, "5.5.4", SPAN("\0\x1b\x7f\xc3\xbc\t"), "501 5.5.4 ??????\r\n"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        reply_put(&b, t[i].code, t[i].enhanced, t[i].text);
        assert_span(buf_span(&b), t[i].want);
    }
    struct buf b = buf_on(memory, sizeof memory);
    reply_put_line(&b, 250, SPAN("first"), false);
    reply_put_line(&b, 250, SPAN("last"), true);
    assert_span(buf_span(&b), "250-first\r\n250 last\r\n");
}

static void never_too_long(void **state) /* RFC 5321 4.5.3.1.5 */
{
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t n = 495; n < sizeof text; n += n < 520 ? 1 : 997) {
        struct buf b = buf_on(memory, sizeof memory);
        reply_put(&b, 550, "5.1.1", span_of(text, n));
        assert_int_equal(b.n, n + 12 < LIMIT_REPLY_LINE_OCTETS ? n + 12 : LIMIT_REPLY_LINE_OCTETS);
        assert_memory_equal(memory + b.n - 2, "\r\n", 2);
        b = buf_on(memory, sizeof memory);
        reply_put_line(&b, 250, span_of(text, n), false);
        assert_in_range(b.n, 1, LIMIT_REPLY_LINE_OCTETS);
        assert_memory_equal(memory + b.n - 2, "\r\n", 2);
    }
}

static void whole_or_not_at_all(void **state)
{
    (void)state;
    for (size_t max = 0; max < 14; max++) {
        struct buf b = buf_on(memory, max);
        reply_put(&b, 250, "2.1.0", SPAN("Ok"));
        assert_true(b.over);
        assert_int_equal(b.n, 0);
    }
}

static void reading(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool ok;
        unsigned code;
        bool last;
        struct enhanced e;
        const char *text;
    } t[] = {
        {"250 Ok", true, 250, true, {0, 0, 0}, "Ok"},
        {"250", true, 250, true, {0, 0, 0}, ""},
        {"250 ", true, 250, true, {0, 0, 0}, ""},
        {"250-", true, 250, false, {0, 0, 0}, ""},
        {"250-SIZE 100", true, 250, false, {0, 0, 0}, "SIZE 100"},
        {"550 5.1.1 No such user", true, 550, true, {5, 1, 1}, "5.1.1 No such user"},
        {"550 5.1.1", true, 550, true, {5, 1, 1}, "5.1.1"}, /* CVE-2026-43964 */
        {"550-5.7.26 x", true, 550, false, {5, 7, 26}, "5.7.26 x"},
        {"450 5.1.1 x", true, 450, true, {0, 0, 0}, "5.1.1 x"}, /* another class than the code's */
        {"550 5.1.1x", true, 550, true, {0, 0, 0}, "5.1.1x"},
        {"599 x", true, 599, true, {0, 0, 0}, "x"},
        {"565 x", true, 565, true, {0, 0, 0}, "x"},
        {"199 x", false, 0, false, {0, 0, 0}, ""},
        {"600 x", false, 0, false, {0, 0, 0}, ""},
        {"25", false, 0, false, {0, 0, 0}, ""},
        {"", false, 0, false, {0, 0, 0}, ""},
        {"2500 x", false, 0, false, {0, 0, 0}, ""},
        {"250x", false, 0, false, {0, 0, 0}, ""},
        {"250\tx", false, 0, false, {0, 0, 0}, ""},
        {" 250 x", false, 0, false, {0, 0, 0}, ""},
        {"2x0 x", false, 0, false, {0, 0, 0}, ""},
        {"-50 x", false, 0, false, {0, 0, 0}, ""},
        {"HTTP/1.1 200 OK", false, 0, false, {0, 0, 0}, ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct reply_line r = {.code = 4711};
        assert_int_equal(reply_parse(span_str(t[i].line), &r), t[i].ok);
        if (!t[i].ok) {
            assert_int_equal(r.code, 4711);
            continue;
        }
        assert_int_equal(r.code, t[i].code);
        assert_int_equal(r.last, t[i].last);
        assert_int_equal(r.enhanced.class, t[i].e.class);
        assert_int_equal(r.enhanced.subject, t[i].e.subject);
        assert_int_equal(r.enhanced.detail, t[i].e.detail);
        assert_span(r.text, t[i].text);
    }
}

static void enhanced_codes(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
    } t[] = {
        {"2.0.0", 5}, {"2.0.0 ", 5},  {"4.999.999", 9}, {"5.07.1 x", 6}, {"5.1000.1", 0}, {"5.1.1000", 0},
        {"3.1.1", 0}, {"1.1.1", 0},   {"5.1", 0},       {"5.1.", 0},     {"5..1", 0},     {"5", 0},
        {"", 0},      {"5.1.1.1", 0}, {"5.1.1\t", 0},   {"55.1.1", 0},   {"5.1.-1", 0},   {"5.1.1:", 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct enhanced e = {9, 9, 9};
        assert_int_equal(enhanced_parse(span_str(t[i].in), &e), t[i].n);
        if (t[i].n == 0) assert_int_equal(e.class, 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing), cmocka_unit_test(never_too_long), cmocka_unit_test(whole_or_not_at_all),
        cmocka_unit_test(reading), cmocka_unit_test(enhanced_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
