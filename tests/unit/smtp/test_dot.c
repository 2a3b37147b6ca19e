#include "../span_check.h"

#include "smtp/dot.h"

enum { MAX = 4096 };
static uint8_t content[2 * MAX], other[2 * MAX], stuffed[2 * MAX];

/* Feeds `in` in pieces of `step` octets; the content goes to *out. Returns the octets consumed when the data ended, else
 * SPAN_NPOS. */
static size_t run(struct span in, size_t step, uint32_t max_line, bool normalize, struct buf *out,
                  uint8_t *found)
{
    struct dot d;
    size_t at = 0;
    dot_begin(&d, max_line, normalize);
    while (at < in.n) {
        struct span piece = span_head(span_skip(in, at), step), slice;
        size_t n = piece.n;
        for (;;) {
            enum dot_event e = dot_next(&d, &piece, &slice);
            if (e == DOT_MORE) break;
            if (e == DOT_SLICE) buf_put(out, slice);
            if (e == DOT_SLICE) assert_true(slice.n > 0);
            if (e == DOT_CR) buf_byte(out, '\r');
            if (e == DOT_CR) assert_int_equal(piece.p[0], '\n');
            if (e == DOT_END) {
                *found = d.found;
                return at + n - piece.n;
            }
        }
        assert_int_equal(piece.n, 0);
        at += n;
    }
    *found = d.found;
    return SPAN_NPOS;
}

static const struct {
    struct span in;
    const char *content;
    int end; /* octets consumed, -1 when the data has not ended */
    uint8_t found;
} t[] = {
    {SPAN(".\r\nQUIT\r\n"), "", 3, 0},
    {SPAN("a\r\n.\r\nQUIT"), "a\r\n", 6, 0},
    {SPAN("a\r\n..\r\n.\r\n"), "a\r\n.\r\n", 10, 0},
    {SPAN(".a\r\n.\r\n"), "a\r\n", 7, 0},
    {SPAN("..\r\n"), ".\r\n", -1, 0},
    {SPAN("...\r\n"), "..\r\n", -1, 0},
    {SPAN("a.\r\n"), "a.\r\n", -1, 0},
    {SPAN("a\r\n."), "a\r\n", -1, 0},
    {SPAN("a\r\n.\r"), "a\r\n", -1, 0},
    {SPAN(""), "", -1, 0},
    /* look-alikes: all of them content */
    {SPAN("a\n.\n.\r\n"), "a\n.\n.\r\n", -1, DOT_BARE_LF},
    {SPAN("a\n.\r\n"), "a\n.\r\n", -1, DOT_BARE_LF},
    {SPAN("a\r\n.\nb\r\n"), "a\r\n\nb\r\n", -1, DOT_BARE_LF},
    {SPAN("a\r\n.\r\r\n"), "a\r\n\r\r\n", -1, DOT_BARE_CR},
    {SPAN("a\r\n.\r.\r\n"), "a\r\n\r.\r\n", -1, DOT_BARE_CR},
    {SPAN("a\r\n.\r\0\n"), "a\r\n\r", -1, DOT_BARE_CR | DOT_BARE_LF | DOT_NUL}, /* content checked below */
    {SPAN("a\r\n.\0\r\n"), "a\r\n", -1, DOT_NUL},
    {SPAN("a\r.\r\n"), "a\r.\r\n", -1, DOT_BARE_CR},
    {SPAN("a\r\r\n.\r\n"), "a\r\r\n", 7, DOT_BARE_CR}, /* here the last CRLF is one, so this ends */
    {SPAN("a\n\r\n.\r\n"), "a\n\r\n", 7, DOT_BARE_LF},
    {SPAN("\n.\r\n"), "\n.\r\n", -1, DOT_BARE_LF},
    {SPAN("\r.\r\n"), "\r.\r\n", -1, DOT_BARE_CR},
    {SPAN(".\n"), "\n", -1, DOT_BARE_LF},
    {SPAN(".\r.\r\n"), "\r.\r\n", -1, DOT_BARE_CR},
    {SPAN("a\r\n .\r\n"), "a\r\n .\r\n", -1, 0},
    {SPAN("a\r\n. \r\n"), "a\r\n \r\n", -1, 0},
    {SPAN("a\r\n\x2e\x00\r\n"), "a\r\n", -1, DOT_NUL},
    {SPAN("\xc3\xbc\r\n.\r\n"), "\xc3\xbc\r\n", 7, DOT_8BIT},
    {SPAN("a\r\n.\r\n\xff\0\n\r"), "a\r\n", 6, 0}, /* what comes behind the end is not in the content */
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (size_t step = 1; step <= t[i].in.n + 1; step++) {
            struct buf out = buf_on(content, sizeof content);
            uint8_t found = 0;
            size_t end = run(t[i].in, step, 1000, false, &out, &found);
            assert_int_equal(end, t[i].end < 0 ? SPAN_NPOS : (size_t)t[i].end);
            assert_int_equal(found, t[i].found);
            assert_true(out.n >= strlen(t[i].content));
            assert_memory_equal(content, t[i].content, strlen(t[i].content));
            if (!memchr(t[i].in.p, 0, t[i].in.n)) assert_int_equal(out.n, strlen(t[i].content));
        }
}

static void normalizing(void **state)
{
    (void)state;
    static const struct {
        const char *in, *content;
        int end;
    } n[] = {
        {"a\nb\r\n.\r\n", "a\r\nb\r\n", 8},
        {"a\n.\r\nb", "a\r\n.\r\nb", -1}, /* never an end of data, and the dot stays */
        {"a\n..\nb", "a\r\n..\r\nb", -1},
        {"\n\n", "\r\n\r\n", -1},
        {".\nb", "\r\nb", -1},
        {"a\r\n.\n.\r\n", "a\r\n\r\n.\r\n", -1},
        {"a\r\r\n\n.\r\n", "a\r\r\n\r\n.\r\n", -1}, /* a bare CR stays what it is */
    };
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        for (size_t step = 1; step <= 12; step++) {
            struct buf out = buf_on(content, sizeof content);
            uint8_t found = 0;
            size_t end = run(span_str(n[i].in), step, 1000, true, &out, &found);
            assert_int_equal(end, n[i].end < 0 ? SPAN_NPOS : (size_t)n[i].end);
            assert_true(found & DOT_BARE_LF);
            assert_span(buf_span(&out), n[i].content);
        }
}

static void long_lines(void **state)
{
    (void)state;
    for (size_t n = 1; n < 300; n++)
        for (size_t step = 1; step <= n + 9; step += 1 + step / 3) {
            uint8_t found = 0;
            struct buf in = buf_on(other, sizeof other), out = buf_on(content, sizeof content);
            buf_put(&in, SPAN("x\r\n..")); /* the doubled dot does not count */
            for (size_t i = 1; i < n; i++)
                buf_byte(&in, 'a');
            buf_put(&in, SPAN("\r\n.\r\n"));
            assert_int_equal(run(buf_span(&in), step, 200, false, &out, &found), in.n);
            assert_int_equal(found, n + 2 > 200 ? DOT_LONG_LINE : 0);
        }
    struct dot d;
    struct span text = SPAN("aaaaaaaa\naaaaaaaa\r\n"),
                part; /* a bare LF begins no line, nor does it reset the count */
    dot_begin(&d, 18, false);
    while (dot_next(&d, &text, &part) == DOT_SLICE)
        ;
    assert_int_equal(d.found, DOT_BARE_LF | DOT_LONG_LINE);
    /* a line that never ends is noticed before it ends */
    memset(other, 'a', sizeof other);
    dot_begin(&d, 1000, false);
    struct span in = span_of(other, 1001), slice;
    assert_int_equal(dot_next(&d, &in, &slice), DOT_SLICE);
    assert_int_equal(d.found, DOT_LONG_LINE);
    d.line = UINT32_MAX; /* and 4 GiB of it do not wrap */
    in = span_of(other, 1001);
    assert_int_equal(dot_next(&d, &in, &slice), DOT_SLICE);
    assert_int_equal(d.line, UINT32_MAX);
}

/* Random text of the octets that matter: stuffing and unstuffing give it back, at any cut of either side, and nothing in
 * it ends the data early. */
static void round_trip(void **state)
{
    (void)state;
    static const char letters[] = "..\r\n\r\nab";
    uint32_t x = 11;
    for (int round = 0; round < 4000; round++) {
        struct buf in = buf_on(other, 200), wire = buf_on(stuffed, sizeof stuffed),
                   out = buf_on(content, sizeof content);
        x = x * 1664525 + 1013904223;
        for (size_t n = x >> 8 & 127, i = 0; i < n; i++) {
            x = x * 1664525 + 1013904223;
            buf_byte(&in, (uint8_t)letters[x >> 20 & 7]);
        }
        size_t step = 1 + (x >> 9 & 31);
        uint8_t where = 0, found = 0;
        for (struct span rest = buf_span(&in); rest.n; rest = span_skip(rest, step))
            dot_stuff(&where, span_head(rest, step), &wire);
        dot_finish(&where, &wire);
        assert_false(wire.over);
        buf_put(&wire, SPAN("QUIT\r\n"));
        assert_int_equal(run(buf_span(&wire), 1 + (x >> 15 & 63), 1000, false, &out, &found), wire.n - 6);
        bool whole = in.n == 0 || (in.n >= 2 && memcmp(in.p + in.n - 2, "\r\n", 2) == 0);
        assert_int_equal(out.n, in.n + (whole ? 0 : 2));
        assert_memory_equal(content, other, in.n);
    }
}

/* Every position of the block that is searched at once, for every octet that matters. */
static void every_position(void **state)
{
    (void)state;
    static const struct {
        struct span what;
        uint8_t found;
    } w[] = {{SPAN("\n"), DOT_BARE_LF},
             {SPAN("\r"), DOT_BARE_CR},
             {SPAN("\0"), DOT_NUL},
             {SPAN("\x80"), DOT_8BIT},
             {SPAN("x"), 0}};
    for (size_t n = 1; n <= 200; n++)
        for (size_t i = 0; i < sizeof w / sizeof *w; i++)
            for (size_t at = 0; at < n; at++) {
                uint8_t found = 0;
                struct buf in = buf_on(other, sizeof other), out = buf_on(content, sizeof content);
                memset(other, 'a', n);
                other[at] = w[i].what.p[0];
                in.n = n;
                buf_put(&in, SPAN("a\r\n.\r\n\x80"));
                assert_int_equal(run(buf_span(&in), in.n, 1000, false, &out, &found), n + 6);
                assert_int_equal(found, w[i].found);
                assert_int_equal(out.n, n + 3);
                assert_memory_equal(content, other, n + 3);
            }
}

static void stuffing_too_small(void **state)
{
    (void)state;
    uint8_t where = 0;
    struct buf b = buf_on(content, 3);
    dot_stuff(&where, SPAN(".ab"), &b);
    assert_true(b.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),      cmocka_unit_test(normalizing),    cmocka_unit_test(long_lines),
        cmocka_unit_test(round_trip), cmocka_unit_test(every_position), cmocka_unit_test(stuffing_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
