#include "config_check.h"

#include "config/grammar.h"

struct expected {
    enum token_kind kind;
    const char *text;
    uint32_t line, column;
};

static void check_tokens(const char *text, size_t n, const struct expected *expected)
{
    struct grammar g;

    grammar_begin(&g, span_of(text, n));
    for (;; expected++) {
        struct token t = grammar_next(&g);
        assert_int_equal(t.kind, expected->kind);
        assert_int_equal(t.line, expected->line);
        assert_int_equal(t.column, expected->column);
        if (expected->text) assert_span(t.text, expected->text);
        if (t.kind == TOKEN_END) return;
    }
}
#define CHECK(text, ...) check_tokens(text, sizeof(text) - 1, (const struct expected[]){__VA_ARGS__})

static void words_and_places(void **state)
{
    (void)state;
    CHECK("", {TOKEN_END, NULL, 1, 1});
    CHECK("\xef\xbb\xbf"
          "a",
          {TOKEN_WORD, "a", 1, 1}, {TOKEN_END, NULL, 1, 2});
    CHECK(" a\tb{c}d;e\n  f", {TOKEN_WORD, "a", 1, 2}, {TOKEN_WORD, "b", 1, 4}, {TOKEN_OPEN, NULL, 1, 5},
          {TOKEN_WORD, "c", 1, 6}, {TOKEN_CLOSE, NULL, 1, 7}, {TOKEN_WORD, "d", 1, 8},
          {TOKEN_SEMICOLON, NULL, 1, 9}, {TOKEN_WORD, "e", 1, 10}, {TOKEN_LINE_END, NULL, 1, 11},
          {TOKEN_WORD, "f", 2, 3}, {TOKEN_END, NULL, 2, 4});
    CHECK("[::]:25 a#b #c {\r\nd", {TOKEN_WORD, "[::]:25", 1, 1}, {TOKEN_WORD, "a#b", 1, 9},
          {TOKEN_LINE_END, NULL, 1, 17}, {TOKEN_WORD, "d", 2, 1}, {TOKEN_END, NULL, 2, 2});
    CHECK("# c", {TOKEN_END, NULL, 1, 4});
    CHECK("\xc3\xbc\xc3\xbc b", {TOKEN_WORD, "\xc3\xbc\xc3\xbc", 1, 1}, {TOKEN_WORD, "b", 1, 4},
          {TOKEN_END, NULL, 1, 5});
}

static void strings(void **state)
{
    (void)state;
    CHECK("\"a {b}; #c\" d", {TOKEN_STRING, "a {b}; #c", 1, 1}, {TOKEN_WORD, "d", 1, 13},
          {TOKEN_END, NULL, 1, 14});
    CHECK("\"\"", {TOKEN_STRING, "", 1, 1}, {TOKEN_END, NULL, 1, 3});
    CHECK("a\"b\"", {TOKEN_WORD, "a", 1, 1}, {TOKEN_STRING, "b", 1, 2}, {TOKEN_END, NULL, 1, 5});
    CHECK("\"a\\\"\\\\\"", {TOKEN_STRING, "a\\\"\\\\", 1, 1}, {TOKEN_END, NULL, 1, 8});
    CHECK("\"open\nx", {TOKEN_BAD, NULL, 1, 1}, {TOKEN_LINE_END, NULL, 1, 6}, {TOKEN_WORD, "x", 2, 1},
          {TOKEN_END, NULL, 2, 2});
    CHECK("\"open", {TOKEN_BAD, NULL, 1, 1}, {TOKEN_END, NULL, 1, 6});
    CHECK("\"a\\", {TOKEN_BAD, NULL, 1, 1}, {TOKEN_END, NULL, 1, 4});
    CHECK("\"\\n\" x", {TOKEN_BAD, NULL, 1, 1}, {TOKEN_WORD, "n", 1, 3}, {TOKEN_BAD, NULL, 1, 4},
          {TOKEN_END, NULL, 1, 7});
}

static void control_characters(void **state)
{
    (void)state;
    CHECK("a\0b", {TOKEN_WORD, "a", 1, 1}, {TOKEN_BAD, NULL, 1, 2}, {TOKEN_WORD, "b", 1, 3},
          {TOKEN_END, NULL, 1, 4});
    CHECK("a\rb", {TOKEN_WORD, "a", 1, 1}, {TOKEN_BAD, NULL, 1, 2}, {TOKEN_WORD, "b", 1, 3},
          {TOKEN_END, NULL, 1, 4});
    CHECK("\x7f", {TOKEN_BAD, NULL, 1, 1}, {TOKEN_END, NULL, 1, 2});
    CHECK("\"\x01\"", {TOKEN_BAD, NULL, 1, 1}, {TOKEN_BAD, NULL, 1, 3}, {TOKEN_END, NULL, 1, 4});
}

static void values(void **state)
{
    struct arena *a = arena_create(4096);
    struct token escaped = {TOKEN_STRING, SPAN("a\\\"b\\\\"), 1, 1}, word = {TOKEN_WORD, SPAN("a\\b"), 1, 1};
    (void)state;

    assert_span(token_value(&escaped, a), "a\"b\\");
    assert_span(token_value(&word, a), "a\\b");
    arena_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_places),
        cmocka_unit_test(strings),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
