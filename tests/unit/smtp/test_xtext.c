#include "../span_check.h"

#include "smtp/xtext.h"

static uint8_t memory[1024], memory_2[1024];

static void validity(void **state)
{
    (void)state;
    static const struct span good[] = {SPAN(""),       SPAN("abc"),    SPAN("a+20b"),
                                       SPAN("+2B+3D"), SPAN("<>@;!~"), SPAN("+7E")};
    static const struct span bad[] = {
        SPAN("+"),   SPAN("a+"),   SPAN("a+2"),  SPAN("+zz"),  SPAN("+2b"),    SPAN("+ab"),
        SPAN("="),   SPAN("a b"),  SPAN("a\tb"), SPAN("+00"),  SPAN("+0A"),    SPAN("+0D"),
        SPAN("+1B"), SPAN("+1F"),  SPAN("+7F"),  SPAN("+80"),  SPAN("+C3+BC"), SPAN("\xc3\xbc"),
        SPAN("\0"),  SPAN("\x7f"), SPAN("++2B"), SPAN("+2+B"), SPAN("+-1"),    SPAN("+ 1"),
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(xtext_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(xtext_valid(bad[i]));
}

static void round_trip(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t in[3] = {'a', (uint8_t)c, 'b'};
        struct buf x = buf_on(memory, sizeof memory), d = buf_on(memory_2, sizeof memory_2);
        xtext_encode(span_of(in, 3), &x);
        for (size_t i = 0; i < x.n; i++)
            assert_true(x.p[i] >= '!' && x.p[i] <= '~' && x.p[i] != '=');
        assert_int_equal(xtext_valid(buf_span(&x)), c >= ' ' && c <= '~');
        xtext_decode(buf_span(&x), &d);
        assert_int_equal(d.n, 3);
        assert_memory_equal(d.p, in, 3);
    }
    struct buf x = buf_on(memory, sizeof memory);
    xtext_encode(SPAN("a+b=c d\n"), &x);
    assert_span(buf_span(&x), "a+2Bb+3Dc+20d+0A");
    x = buf_on(memory, 2);
    xtext_encode(SPAN("+"), &x);
    assert_true(x.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(validity), cmocka_unit_test(round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
