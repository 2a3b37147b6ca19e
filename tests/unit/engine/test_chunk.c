#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/chunk.h"

struct row {
    struct span content;
    unsigned found;
    struct span completion;
};

static const struct row rows[] = {
    {{NULL, 0}, 0, {NULL, 0}},
    {SPAN("a\r\n"), 0, {NULL, 0}},
    {SPAN("a"), 0, SPAN("\r\n")},
    {SPAN("a\r\nb"), 0, SPAN("\r\n")},
    {SPAN("a\r"), 0, SPAN("\n")},
    {SPAN("\r"), 0, SPAN("\n")},
    {SPAN("\r\n.\r\n"), 0, {NULL, 0}},
    {SPAN("\n"), DOT_BARE_LF, SPAN("\r\n")},
    {SPAN("a\nb\r\n"), DOT_BARE_LF, {NULL, 0}},
    {SPAN("\r\n\n"), DOT_BARE_LF, SPAN("\r\n")},
    {SPAN("a\rb\r\n"), DOT_BARE_CR, {NULL, 0}},
    {SPAN("a\r\r\n"), DOT_BARE_CR, {NULL, 0}},
    {SPAN("\r\r"), DOT_BARE_CR, SPAN("\n")},
    {SPAN("\n\r"), DOT_BARE_LF, SPAN("\n")},
    {SPAN("a\0b\r\n"), DOT_NUL, {NULL, 0}},
    {SPAN("\0"), DOT_NUL, SPAN("\r\n")},
    {SPAN("\x80\r\n"), DOT_8BIT, {NULL, 0}},
    {SPAN("\x7f\r\n"), 0, {NULL, 0}},
    {SPAN("\n\r\0\xff"), DOT_BARE_LF | DOT_BARE_CR | DOT_NUL | DOT_8BIT, SPAN("\r\n")},
    {SPAN("12345678\r\n12345678\r\n"), 0, {NULL, 0}},
    {SPAN("123456789\r\n"), DOT_LONG_LINE, {NULL, 0}},
    {SPAN("1\r\n12345678901"), DOT_LONG_LINE, SPAN("\r\n")},
    {SPAN("12345678901\r\n1\r\n"), DOT_LONG_LINE, {NULL, 0}},
};

static void check(const struct row *r, const struct chunk *c, size_t at)
{
    struct span completion = chunk_completion(c);
    if (c->found != r->found || !span_eq(completion, r->completion))
        fail_msg("row %zu cut at %zu: found %x", (size_t)(r - rows), at, c->found);
}

/* Whatever the cut, the findings are the same. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span content = rows[i].content;
        for (size_t at = 0; at <= content.n; at++) {
            for (size_t second = at; second <= content.n; second++) {
                struct chunk c;
                chunk_begin(&c, 10);
                chunk_feed(&c, span_head(content, at));
                chunk_feed(&c, span_head(span_skip(content, at), second - at));
                chunk_feed(&c, span_skip(content, second));
                check(&rows[i], &c, at);
            }
        }
    }
}

static void test_endless_line(void **state)
{
    (void)state;
    uint8_t block[4096];
    struct chunk c;
    memset(block, 'x', sizeof block);
    chunk_begin(&c, UINT32_MAX - 1);
    c.line = UINT32_MAX - 4097; /* as if 4 GiB had gone by */
    chunk_feed(&c, span_of(block, sizeof block));
    assert_int_equal(c.found, 0);
    chunk_feed(&c, span_of(block, 1));
    assert_int_equal(c.found, DOT_LONG_LINE);
    for (int i = 0; i < 10; i++)
        chunk_feed(&c, span_of(block, sizeof block));
    assert_int_equal(c.found, DOT_LONG_LINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_endless_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
