#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/message_id.h"

#define NOW UINT64_C(1795620000123)

static void grows_always(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int i = 0; i < 100000; i++) { /* the clock stands still, then jumps back */
        uint64_t id = message_id_next(last, 5, i < 50000 ? NOW : NOW - 3600000);
        assert_true(id > last);
        assert_int_equal((id >> 14) & 63, 5);
        last = id;
    }
}

static void follows_the_clock(void **state)
{
    (void)state;
    uint64_t id = message_id_next(0, 63, NOW);
    assert_int_equal(message_id_unix_ms(id), NOW);
    assert_int_equal(message_id_unix_ms(message_id_next(id, 63, NOW + 1)), NOW + 1);
    assert_true(message_id_next(0, 0, NOW) < message_id_next(0, 1, NOW));
}

static void text_and_back(void **state)
{
    (void)state;
    static const uint64_t ids[] = {
        0, 1, 31, 32, UINT64_MAX, UINT64_C(0x8000000000000000), UINT64_C(0x1a2138d9d3720000)};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint8_t text[MESSAGE_ID_TEXT];
        struct buf b = buf_on(text, sizeof text);
        uint64_t back = ~ids[i];
        message_id_put(&b, ids[i]);
        assert_int_equal(b.n, MESSAGE_ID_TEXT);
        assert_true(message_id_parse(buf_span(&b), &back));
        assert_int_equal(back, ids[i]);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "1m89rv79q400",
                                      "1m89rv79q40000",
                                      "zzzzzzzzzzzzz",
                                      "g000000000000",
                                      "1m89rv79q4i00",
                                      "1m89rv79q4l00",
                                      "1m89rv79q4o00",
                                      "1m89rv79q4u00",
                                      "1m89rv79q4-00",
                                      "1m89rv79q4 00"};
    uint64_t id = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(message_id_parse(span_str(bad[i]), &id));
    assert_int_equal(id, 77);
    assert_true(message_id_parse(SPAN("1M89RV79Q4000"), &id)); /* typed by people */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grows_always), cmocka_unit_test(follows_the_clock),
                                       cmocka_unit_test(text_and_back), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
