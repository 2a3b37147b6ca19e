#include "policy/right.h"

#include "../span_check.h"

static void every_right_has_a_name(void **state)
{
    static const struct {
        const char *name;
        uint32_t right;
    } rows[] = {{"submit", RIGHT_SUBMIT},         {"relay", RIGHT_RELAY},
                {"any-sender", RIGHT_ANY_SENDER}, {"bypass-size", RIGHT_BYPASS_SIZE},
                {"org-props", RIGHT_ORG_PROPS},   {"org-status", RIGHT_ORG_STATUS},
                {"xclient", RIGHT_XCLIENT},       {"xforward", RIGHT_XFORWARD}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char memory[32];
        struct buf b = buf_on(memory, sizeof memory);
        assert_int_equal(right_find(span_str(rows[i].name)), rows[i].right);
        right_put_names(&b, rows[i].right, ',');
        assert_span(buf_span(&b), rows[i].name);
    }
}

static void other_words_are_none(void **state)
{
    static const char *const words[] = {"", "Submit", "submi", "submit ", "relay any-sender", "root"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_int_equal(right_find(span_str(words[i])), 0);
}

static void a_set_is_a_list(void **state)
{
    char memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    (void)state;
    right_put_names(&b, RIGHT_RELAY | RIGHT_SUBMIT | RIGHT_XFORWARD | 1u << 31, ' ');
    assert_span(buf_span(&b), "submit relay xforward");
    b.n = 0;
    right_put_names(&b, 0, ' ');
    assert_int_equal(b.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_right_has_a_name),
        cmocka_unit_test(other_words_are_none),
        cmocka_unit_test(a_set_is_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
