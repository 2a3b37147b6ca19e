#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/exchangers.h"

static const struct exchanger list[] = {{SPAN("c.example"), 20},    {SPAN("a.example"), 10},
                                        {SPAN("e.example"), 65535}, {SPAN("b.example"), 10},
                                        {SPAN("d.example"), 20},    {SPAN("z.example"), 0}};
enum { N = sizeof list / sizeof list[0] };

static void test_order(void **state)
{
    (void)state;
    unsigned a_first = 0, c_first = 0, rounds = 2000;
    for (unsigned seed = 0; seed < rounds; seed++) {
        struct exchanger e[N];
        memcpy(e, list, sizeof e);
        exchangers_order(e, N, seed);
        for (unsigned i = 1; i < N; i++)
            assert_true(e[i - 1].preference <= e[i].preference);
        assert_true(span_eq(e[0].name, SPAN("z.example")) && span_eq(e[N - 1].name, SPAN("e.example")));
        assert_false(span_eq(e[1].name, e[2].name));
        a_first += span_eq(e[1].name, SPAN("a.example"));
        c_first += span_eq(e[3].name, SPAN("c.example"));
    }
    /* equal ones are spread: half and half, within five standard deviations */
    assert_in_range(a_first, rounds / 2 - 112, rounds / 2 + 112);
    assert_in_range(c_first, rounds / 2 - 112, rounds / 2 + 112);
}

static void test_better(void **state)
{
    (void)state;
    struct exchanger e[N];
    memcpy(e, list, sizeof e);
    exchangers_order(e, N, 7);
    struct span nobody[] = {SPAN("x.example"), SPAN("")}, d[] = {SPAN("x.example"), SPAN("D.Example")},
                best[] = {SPAN("z.example")}, two[] = {SPAN("e.example"), SPAN("b.example")};
    assert_int_equal(exchangers_better(e, N, nobody, 2), N);
    assert_int_equal(exchangers_better(e, N, d, 2), 3); /* c is not better than d */
    assert_int_equal(exchangers_better(e, N, best, 1), 0);
    assert_int_equal(exchangers_better(e, N, two, 2), 1);
    assert_int_equal(exchangers_better(e, 0, best, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_better)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
