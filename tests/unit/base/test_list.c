#include "../span_check.h"

#include "base/list.h"

struct thing {
    int value;
    struct list link;
};

static void order_and_removal(void **state)
{
    (void)state;
    struct list head;
    struct thing t[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    list_begin(&head);
    assert_true(list_empty(&head));
    assert_null(list_shift(&head));
    for (int i = 0; i < 3; i++)
        list_append(&head, &t[i].link);
    list_take(&t[1].link);
    list_take(&t[1].link); /* twice does no harm */
    list_insert(&t[0].link, &t[1].link);
    const int want[] = {1, 0, 2};
    for (int i = 0; i < 3; i++)
        assert_int_equal(LIST_OF(list_shift(&head), struct thing, link)->value, want[i]);
    assert_true(list_empty(&head));
    for (int i = 0; i < 3; i++)
        assert_true(list_empty(&t[i].link));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_and_removal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
