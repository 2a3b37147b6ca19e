#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "spool/segment.h"

static void names(void **state)
{
    (void)state;
    char name[DISK_NAME_OCTETS];
    enum segment_name what;
    uint32_t number;
    segment_name_put(name, NAME_LOG, 0x1f);
    assert_string_equal(name, "log-0000001f");
    for (int w = NAME_NEW; w <= NAME_LARGE; w++) {
        segment_name_put(name, (enum segment_name)w, UINT32_MAX);
        assert_true(segment_name_read(name, &what, &number));
        assert_int_equal(what, w);
        assert_int_equal(number, UINT32_MAX);
    }
    static const char *const bad[] = {"",
                                      "log-",
                                      "log-00000000",
                                      "log-0000001",
                                      "log-0000001F",
                                      "log-000000001",
                                      "lag-00000001",
                                      "log 00000001",
                                      "big-0000000g",
                                      "../00000001",
                                      "log-0000001\n",
                                      "new_00000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(segment_name_read(bad[i], &what, &number));
}

static void table_is_sorted(void **state)
{
    (void)state;
    struct segments t = {0};
    struct disk none = {0};
    static const uint32_t numbers[] = {5, 3, 9, 1, 7};
    for (size_t i = 0; i < 5; i++)
        assert_non_null(segments_add(&t, numbers[i], SEGMENT_LOG, SEGMENT_SEALED));
    assert_null(segments_add(&t, 7, SEGMENT_LOG, SEGMENT_SEALED));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(t.all[i]->number, 1 + 2 * i);
    segments_remove(&t, &none, segments_find(&t, 5));
    assert_null(segments_find(&t, 5));
    assert_non_null(segments_find(&t, 9));
    segments_destroy(&t, &none);
}

static void needs_are_a_set(void **state)
{
    (void)state;
    struct segment s = {.number = 50};
    for (uint32_t i = 0; i < 200; i++)
        segment_need(&s, 1 + i * 7 % 40);
    segment_need(&s, 50); /* itself: dies with it */
    assert_int_equal(s.n_needs, 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(s.needs[i], i + 1);
    free(s.needs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(table_is_sorted),
                                       cmocka_unit_test(needs_are_a_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
