#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/ready.h"

static void first_in_first_out(void **state)
{
    (void)state;
    struct ready r = {0};
    struct ready_list a = {0}, b = {0};
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_not_equal(ready_add(&r, i % 2 ? &a : &b, &(struct ready_item){.id = 7, .recipient = i}),
                             READY_NONE);
    for (uint32_t i = 1; a.n; i += 2) {
        assert_int_equal(ready_item(&r, a.first)->recipient, i);
        ready_remove(&r, &a, a.first);
    }
    assert_int_equal(a.first, READY_NONE);
    assert_int_equal(a.last, READY_NONE);
    assert_int_equal(b.n, 5000);
    assert_int_equal(r.n, 5000);
    ready_destroy(&r);
}

static void from_the_middle(void **state)
{
    (void)state;
    struct ready r = {0};
    struct ready_list l = {0};
    uint32_t tickets[100];
    for (uint32_t i = 0; i < 100; i++)
        tickets[i] = ready_add(&r, &l, &(struct ready_item){.recipient = i});
    for (uint32_t i = 0; i < 100; i += 3)
        ready_remove(&r, &l, tickets[i]);
    for (uint32_t i = 0; i < 100; i++) {
        if (i % 3 == 0) continue;
        assert_int_equal(ready_item(&r, l.first)->recipient, i);
        ready_remove(&r, &l, l.first);
    }
    assert_int_equal(l.n, 0);
    ready_destroy(&r);
}

static void a_million_cost_little(void **state)
{
    (void)state;
    struct ready r = {0};
    struct ready_list l = {0};
    for (uint32_t i = 0; i < 1000000; i++)
        assert_int_not_equal(ready_add(&r, &l, &(struct ready_item){.id = i}), READY_NONE);
    assert_true(ready_octets(&r) <= 33000000);
    while (l.n)
        ready_remove(&r, &l, l.last);
    assert_true(ready_octets(&r) < 10000); /* memory follows use */
    ready_destroy(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_in_first_out),
                                       cmocka_unit_test(from_the_middle),
                                       cmocka_unit_test(a_million_cost_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
