#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/schedule.h"

static struct message *make(struct index *x, uint64_t id, uint32_t recipients)
{
    static uint8_t memory[65536];
    struct buf b = buf_on(memory, sizeof memory);
    struct envelope_head h = {.reverse_path = SPAN("s@example.org")};
    envelope_put_head(&b, &h);
    for (uint32_t i = 0; i < recipients; i++)
        envelope_put_recipient(&b,
                               &(struct envelope_recipient){.local = i % 2, .path = SPAN("r@example.org")});
    return index_build(x, id, &(struct commit_payload){.arrival_ms = 5}, buf_span(&b), NULL);
}

static void earliest_first(void **state)
{
    (void)state;
    struct index x = {0};
    struct schedule s = {0};
    struct message *m = make(&x, 1, 500);
    assert_non_null(m);
    for (uint32_t i = 0; i < 500; i++)
        assert_true(schedule_set(&s, m, i, i * 7919 % 501));
    for (uint32_t i = 0; i < 500; i += 3) /* moved, some earlier, some later */
        assert_true(schedule_set(&s, m, i, 1000 - i));
    for (uint32_t i = 1; i < 500; i += 3)
        schedule_remove(&s, m, i);
    uint64_t before = 0;
    size_t n = 0;
    for (const struct schedule_item *item; (item = schedule_first(&s, true, true)); n++) {
        assert_true(item->due_ms >= before);
        before = item->due_ms;
        assert_int_not_equal(item->recipient % 3, 1);
        uint32_t r = item->recipient;
        schedule_remove(&s, m, r);
        assert_int_equal(message_recipients(m)[r].heap, NOT_SCHEDULED);
    }
    assert_int_equal(n, 500 - 167);
    schedule_destroy(&s);
    index_free(&x, m);
    index_destroy(&x);
}

/* Those that are delivered here and those that leave: neither stands behind the other. */
static void side_by_side(void **state)
{
    (void)state;
    struct index x = {0};
    struct schedule s = {0};
    struct message *m = make(&x, 1, 100); /* every second one is local */
    assert_null(schedule_first(&s, true, true));
    for (uint32_t i = 0; i < 100; i++)
        assert_true(schedule_set(&s, m, i, 1000 - i));
    assert_int_equal(schedule_first(&s, true, true)->recipient, 99);
    assert_int_equal(schedule_first(&s, true, false)->recipient, 99);
    assert_int_equal(schedule_first(&s, false, true)->recipient, 98);
    assert_null(schedule_first(&s, false, false));
    assert_int_equal(schedule_of(&s, m, 42)->due_ms, 958);
    for (uint32_t i = 0; i < 100; i += 2)
        schedule_remove(&s, m, i);
    assert_null(schedule_of(&s, m, 42));
    assert_null(schedule_first(&s, false, true));
    assert_int_equal(schedule_of(&s, m, 43)->due_ms, 957);
    schedule_remove_all(&s, m);
    assert_null(schedule_first(&s, true, true));
    schedule_destroy(&s);
    index_free(&x, m);
    index_destroy(&x);
}

static void a_grown_message_is_found(void **state)
{
    (void)state;
    struct index x = {0};
    struct schedule s = {0};
    struct message *m = make(&x, 1, 2);
    assert_true(id_map_insert(&x.map, 1, m));
    assert_true(schedule_set(&s, m, 0, 10));
    assert_true(schedule_set(&s, m, 1, 5));
    m = index_grow(&x, m, 60, 100);
    schedule_moved(&s, m);
    assert_ptr_equal(schedule_first(&s, true, true)->message, m);
    schedule_remove_all(&s, m);
    assert_null(schedule_first(&s, true, true));
    schedule_destroy(&s);
    index_destroy(&x);
}

static void back_off(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (uint32_t attempts = 1; attempts < 40; attempts++)
        for (uint64_t id = 0; id < 50; id++) {
            uint64_t wait = schedule_back_off_ms(1, id, 0, attempts, 300, 4200);
            uint64_t middle = attempts > 4 ? 4200000 : 300000ULL << (attempts - 1);
            if (middle > 4200000) middle = 4200000;
            if (middle < 4200000)
                assert_in_range(wait, middle - middle / 5, middle + middle / 5);
            else
                assert_in_range(wait, middle / 5 * 3, middle); /* never beyond the longest one */
            assert_int_equal(wait, schedule_back_off_ms(1, id, 0, attempts, 300, 4200));
            sum += attempts == 1 ? wait : 0;
        }
    assert_in_range(sum / 50, 280000, 320000); /* it is spread, and not to one side */
    assert_int_not_equal(schedule_back_off_ms(1, 1, 0, 1, 300, 4200),
                         schedule_back_off_ms(1, 2, 0, 1, 300, 4200));
    assert_int_not_equal(schedule_back_off_ms(1, 1, 0, 1, 300, 4200),
                         schedule_back_off_ms(2, 1, 0, 1, 300, 4200));
    assert_true(schedule_back_off_ms(1, 1, 0, UINT32_MAX, 1, UINT32_MAX) <= UINT64_C(1200) * UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(earliest_first), cmocka_unit_test(side_by_side),
                                       cmocka_unit_test(a_grown_message_is_found),
                                       cmocka_unit_test(back_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
