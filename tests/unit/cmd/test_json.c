#include "cmd/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_text(struct span s, const char *text)
{
    assert_true(span_eq(s, span_str(text)));
}

static void test_members(void **state)
{
    (void)state;
    struct span o = SPAN(" {\"a\":1, \"b\" : \"x,}\\\"\" ,\"c\":[{\"d\":\"]\"},2],\"e\":{},\"f\":null}");
    assert_text(json_member(o, "a"), "1");
    assert_text(json_member(o, "b"), "\"x,}\\\"\"");
    assert_text(json_member(o, "c"), "[{\"d\":\"]\"},2]");
    assert_text(json_member(o, "e"), "{}");
    assert_text(json_member(o, "f"), "null");
    assert_int_equal(json_member(o, "d").n, 0); /* not a member of this object */
    assert_int_equal(json_member(SPAN("[1]"), "a").n, 0);
    assert_int_equal(json_member(SPAN(""), "a").n, 0);
}

static void test_elements(void **state)
{
    (void)state;
    struct json j = json_enter(SPAN("[{\"a\":1}, \"b\" ,3]"));
    struct span v;
    assert_true(json_next(&j, NULL, &v));
    assert_text(v, "{\"a\":1}");
    assert_true(json_next(&j, NULL, &v));
    assert_text(v, "\"b\"");
    assert_true(json_next(&j, NULL, &v));
    assert_text(v, "3");
    assert_false(json_next(&j, NULL, &v));
    assert_false(j.bad);
    j = json_enter(SPAN("[]"));
    assert_false(json_next(&j, NULL, &v));
    assert_false(j.bad);
}

static void test_what_is_no_json_ends(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{\"a\":\"x}",
        "{\"a\":[1}",
        "{,}",
        "{\"a\":1,,\"b\":2}",
        "[1 2]",
        "[:]",
        "{\"a",
        "{\"a\":\"\x01\"}",
        "{\"a\":{\"b\":\"}",
        "x",
        "\"s\"",
        "{\"a\":1",
        "[",
        "{",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json j = json_enter(span_str(bad[i]));
        struct span k, v;
        unsigned rounds = 0;
        while (json_next(&j, &k, &v))
            assert_true(++rounds < 10);
        assert_true(j.bad);
        assert_int_equal(json_member(span_str(bad[i]), "zz").n, 0);
    }
}

static void test_every_cut_of_a_line_is_safe(void **state)
{
    (void)state;
    struct span whole =
        SPAN("{\"id\":\"06a\",\"recipients\":[{\"to\":\"a\\u0007\\\\b\",\"n\":12}],\"more\":0}");
    for (size_t n = 0; n < whole.n; n++) {
        struct json j = json_enter(span_head(whole, n));
        struct span k, v;
        while (json_next(&j, &k, &v)) {
        }
        assert_true(j.bad);
    }
}

static void test_strings(void **state)
{
    (void)state;
    char memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    assert_true(json_string(SPAN("\"a\\\"\\\\\\/\\n\\u0041\\u001b\\ufffd\xc3\xa4\x7f\""), &b));
    assert_text(buf_span(&b), "a\"\\/?A??\xc3\xa4?");
    static const char *const bad[] = {"",        "\"",        "x",           "\"a",    "\"a\"b\"",
                                      "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\\"", "1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        b = buf_on(memory, sizeof memory);
        assert_false(json_string(span_str(bad[i]), &b));
    }
    b = buf_on(memory, 3);
    assert_false(json_string(SPAN("\"abcd\""), &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_what_is_no_json_ends),
        cmocka_unit_test(test_every_cut_of_a_line_is_safe),
        cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
