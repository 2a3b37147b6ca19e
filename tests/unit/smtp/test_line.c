#include "../span_check.h"

#include "smtp/line.h"

static void whole_lines(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        size_t max;
        enum line_status status;
        size_t consumed; /* when not LINE_MORE */
        const char *line;
    } t[] = {
        {SPAN("NOOP\r\nQUIT\r\n"), 512, LINE_OK, 6, "NOOP"},
        {SPAN("\r\n"), 512, LINE_OK, 2, ""},
        {SPAN("NOOP\r\n"), 6, LINE_OK, 6, "NOOP"},
        {SPAN("NOOP\r\n"), 5, LINE_TOO_LONG, 6, NULL},
        {SPAN(""), 512, LINE_MORE, 0, NULL},
        {SPAN("NOOP"), 512, LINE_MORE, 0, NULL},
        {SPAN("NOOP\r"), 512, LINE_MORE, 0, NULL},
        {SPAN("NOOP\n"), 512, LINE_MORE, 0, NULL}, /* a bare LF ends nothing */
        {SPAN("\n"), 512, LINE_MORE, 0, NULL},
        {SPAN("NOOP\nNOOP\r\nX"), 512, LINE_BARE_LF, 11, NULL}, /* one refused line, one reply */
        {SPAN("\nNOOP\r\n"), 512, LINE_BARE_LF, 7, NULL},
        {SPAN("\n\r\n"), 512, LINE_BARE_LF, 3, NULL},
        {SPAN("NOOP\rNOOP\r\n"), 512, LINE_BARE_CR, 11, NULL},
        {SPAN("NOOP\r\r\n"), 512, LINE_BARE_CR, 7, NULL},
        {SPAN("\r\r\n"), 512, LINE_BARE_CR, 3, NULL},
        {SPAN("NO\0OP\r\n"), 512, LINE_NUL, 7, NULL},
        {SPAN("\0\r\n"), 512, LINE_NUL, 3, NULL},
        {SPAN("NOOP\0"), 512, LINE_MORE, 0, NULL},
        {SPAN("\x80\xff\r\n"), 512, LINE_OK, 4, "\x80\xff"}, /* 8-bit is for the grammar to refuse */
        {SPAN("NOOP "), 5, LINE_TOO_LONG, 5, NULL},          /* a full buffer never stalls */
        {SPAN("NOOP\r"), 5, LINE_TOO_LONG, 4, NULL},         /* the CR may be half a CRLF */
        {SPAN("NOO\r"), 5, LINE_MORE, 0, NULL},
        {SPAN("0123456789\r\nNOOP\r\n"), 5, LINE_TOO_LONG, 12, NULL},
        {SPAN("0123\n56789\r\nNOOP\r\n"), 5, LINE_TOO_LONG, 12, NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct span line = SPAN("untouched");
        size_t consumed = 4711;
        assert_int_equal(line_find(t[i].in, t[i].max, &line, &consumed), t[i].status);
        if (t[i].status != LINE_MORE) assert_int_equal(consumed, t[i].consumed);
        assert_span(line, t[i].line ? t[i].line : "untouched");
    }
}

/* What an over-long line costs: its octets up to its CRLF, wherever the reads cut it. */
static void skipping(void **state)
{
    (void)state;
    static const struct span in = SPAN("aaaa\raaa\naaaa\r\r\nNOOP\r\n");
    for (size_t first = 1; first <= in.n; first++)
        for (size_t step = 1; step <= 5; step++) {
            size_t dropped = 0, have = first;
            for (;;) {
                size_t consumed = 4711;
                bool end = line_skip(span_of(in.p + dropped, have - dropped), &consumed);
                assert_in_range(consumed, 0, have - dropped);
                dropped += consumed;
                if (end) break;
                assert_in_range(have - dropped, 0, 1); /* at most one octet is kept */
                assert_true(have < in.n);
                have = have + step < in.n ? have + step : in.n;
            }
            assert_span(span_of(in.p + dropped, in.n - dropped), "NOOP\r\n");
        }
    size_t consumed;
    assert_false(line_skip(SPAN(""), &consumed));
    assert_int_equal(consumed, 0);
}

/* A line that comes octet by octet is the line that comes at once. */
static void drip(void **state)
{
    (void)state;
    static const struct span in = SPAN("MAIL FROM:<a@b>\r\nRCPT");
    for (size_t n = 0; n <= in.n; n++) {
        struct span line = SPAN("");
        size_t consumed = 0;
        enum line_status s = line_find(span_head(in, n), 512, &line, &consumed);
        assert_int_equal(s, n < 17 ? LINE_MORE : LINE_OK);
        if (s == LINE_OK) assert_int_equal(consumed, 17);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lines),
        cmocka_unit_test(skipping),
        cmocka_unit_test(drip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
