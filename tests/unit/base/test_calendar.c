#include "base/calendar.h"

#include "../span_check.h"

static void shows(uint64_t second, const char *text, uint32_t weekday)
{
    char memory[32];
    struct buf b = buf_on(memory, sizeof memory);
    struct calendar c = calendar_of(second);

    calendar_put(&b, &c);
    assert_false(b.over);
    memory[b.n] = 0;
    assert_string_equal(memory, text);
    assert_int_equal(c.weekday, weekday);
}

static void known_seconds(void **state)
{
    (void)state;
    shows(0, "1970-01-01T00:00:00", 4);
    shows(951782399, "2000-02-28T23:59:59", 1);
    shows(951782400, "2000-02-29T00:00:00", 2); /* a century that is a leap year */
    shows(951868800, "2000-03-01T00:00:00", 3);
    shows(1795620600, "2026-11-25T15:30:00", 3);
    shows(4107542399, "2100-02-28T23:59:59", 0);
    shows(4107542400, "2100-03-01T00:00:00", 1); /* a century that is none */
    shows(253402300799, "9999-12-31T23:59:59", 5);
}

static void what_no_format_can_say_is_the_last_second(void **state)
{
    (void)state;
    shows(253402300800, "9999-12-31T23:59:59", 5);
    shows(UINT64_MAX, "9999-12-31T23:59:59", 5);
}

/* Every day of 800 years, by the rule as people know it. */
static void every_day(void **state)
{
    static const uint32_t length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t day = 0;
    (void)state;

    for (uint32_t year = 1970; year < 2770; year++)
        for (uint32_t month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            uint32_t days = length[month - 1] + (month == 2 && leap);
            for (uint32_t d = 1; d <= days; d++, day++) {
                struct calendar c = calendar_of(day * 86400 + day % 86400);
                assert_true(c.year == year && c.month == month && c.day == d);
                assert_int_equal(c.weekday, (day + 4) % 7);
                assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second, day % 86400);
            }
        }
}

/* What is shown is read as that second, for each day and for what stands behind it. */
static void every_day_is_read(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 292194; day++) {
        char memory[40];
        struct buf b = buf_on(memory, sizeof memory);
        uint64_t second = day * 86400 + day % 86400, got = 0;
        size_t n = 0;
        struct calendar c = calendar_of(second);
        calendar_put(&b, &c);
        buf_str(&b, ".123Z");
        assert_true(calendar_read(buf_span(&b), &got, &n));
        assert_true(got == second && n == 19);
        assert_true(calendar_read(span_head(buf_span(&b), 10), &got, &n));
        assert_true(got == day * 86400 && n == 10);
    }
}

static void what_is_no_time(void **state)
{
    static const char *const wrong[] = {"",
                                        "2026",
                                        "2026-11-2",
                                        "1969-12-31",
                                        "2026-13-01",
                                        "2026-00-01",
                                        "2026-11-31",
                                        "2026-02-29",
                                        "2026-11-00",
                                        "2026/11/25",
                                        "2026-11-25T",
                                        "2026-11-25T15:30",
                                        "2026-11-25T24:00:00",
                                        "2026-11-25T15:60:00",
                                        "2026-11-25T15:30:60",
                                        "2026-11-25T+5:30:00",
                                        " 2026-11-25"};
    uint64_t second = 7;
    size_t n = 7;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(calendar_read(span_str(wrong[i]), &second, &n));
    assert_true(second == 7); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_seconds),   cmocka_unit_test(what_no_format_can_say_is_the_last_second),
        cmocka_unit_test(every_day),       cmocka_unit_test(every_day_is_read),
        cmocka_unit_test(what_is_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
