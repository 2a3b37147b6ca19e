#include "../span_check.h"

#include "base/idn.h"
#include "base/limits.h"

static void equivalent(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } t[] = {
        {"", ""},
        {"Example.ORG", "example.org"},
        {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"xn--a", "xn--a"}, /* no A-label, and no concern of ours: it equals itself */
        {"b\u00fccher.example", "xn--bcher-kva.example"},
        {"B\u00dcCHER.Example", "xn--bcher-kva.example"},
        {"bu\u0308cher.example", "xn--bcher-kva.example"},
        {"stra\u00dfe.example", "xn--strae-oqa.example"}, /* non-transitional: not strasse */
        {"\u4f8b\u5b50.\u6d4b\u8bd5", "xn--fsqu00a.xn--0zwm56d"},
        {"\u05d0\u05d1.example", "xn--4dbc.example"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t memory[LIMIT_DOMAIN_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        assert_true(idn_put_ascii(&b, span_str(t[i].in)));
        assert_span(buf_span(&b), t[i].out);
        for (size_t max = 0; max < strlen(t[i].out); max++) {
            b = buf_on(memory, max);
            assert_true(idn_put_ascii(&b, span_str(t[i].in)) && b.over);
        }
    }
}

static void invalid(void **state)
{
    (void)state;
    static const struct span t[] = {
        SPAN("-\u00fc.example"),       SPAN("\u00fc-.example"),
        SPAN("\u2764.example"),        /* a symbol */
        SPAN("\u0308a.example"),       /* begins with a combining mark */
        SPAN("a\u3002\u00fc.example"), /* a full stop of another script, which would make another label */
        SPAN("a\uff0e\u00fc.example"), SPAN("\u2026\u00fc"),
        SPAN("\u00fc\uff0fa.example"), /* mapped to a slash */
        SPAN("a\u05d0.example"),       /* left to right and right to left in one label */
        SPAN("\u00fc..example"),       SPAN("\u00ad.example"), /* mapped to nothing */
        SPAN("\u00fc\0.example"),      SPAN("\u00fc_a.example"),
        SPAN("\u00fc a.example"),      SPAN("\xfc.example"),
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t memory[LIMIT_DOMAIN_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        buf_byte(&b, 'x');
        if (idn_put_ascii(&b, t[i])) fail_msg("row %zu was taken", i);
        assert_span(buf_span(&b), "x");
    }
}

static void lengths(void **state)
{
    (void)state;
    uint8_t memory[LIMIT_DOMAIN_OCTETS], text[400];
    struct buf b = buf_on(memory, sizeof memory), in = buf_on(text, sizeof text);
    for (size_t i = 0; i < 50;
         i++) /* one label of "xn--", its letters, and some that say where the other stands */
        buf_byte(&in, 'a');
    buf_str(&in, "\u00fc");
    assert_true(idn_put_ascii(&b, buf_span(&in)) && b.n <= 63);
    buf_str(&in, "aaaaaaaaaa");
    assert_false(idn_put_ascii(&b, buf_span(&in)));
    in.n = 0;
    while (in.n < 300)
        buf_str(&in, "\u00fc.");
    assert_false(idn_put_ascii(&b, buf_span(&in)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equivalent), cmocka_unit_test(invalid),
                                       cmocka_unit_test(lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
