/* The timer wheel against a sorted list, over random runs in fake time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "system/loop_private.h"

enum { TIMERS = 200 };

struct model {
    struct timer timer; /* first */
    uint64_t due;       /* what the wheel should believe; 0: not set */
    unsigned fired;
};

static struct wheel wheel;
static struct model models[TIMERS];
static uint64_t now, last_fired, seed;
static bool touch_others;

static uint64_t draw(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static void set(struct model *m, uint64_t due);

static void on_fire(struct timer *t)
{
    struct model *m = (struct model *)t;
    assert_true(m->due != 0);
    assert_true(m->due <= now);
    assert_true(m->due >= last_fired); /* in order of time */
    last_fired = m->due;
    m->due = 0;
    m->fired++;
    if (!touch_others) return;
    struct model *other = &models[draw(TIMERS)];
    switch (draw(4)) {
    case 0:
        wheel_stop(&wheel, &other->timer);
        other->due = 0;
        break;
    case 1: set(m, now + draw(100000)); break;
    case 2: set(other, now + draw(500)); break;
    default: break;
    }
}

static void set(struct model *m, uint64_t due)
{
    m->timer.fn = on_fire;
    wheel_set(&wheel, &m->timer, due);
    m->due = due <= wheel.base ? wheel.base + 1 : due;
    assert_int_equal(m->timer.due_ms, m->due);
}

static uint64_t first_due(void)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < TIMERS; i++)
        if (models[i].due && models[i].due < first) first = models[i].due;
    return first;
}

static void check_all(void)
{
    uint64_t next, first = first_due();
    assert_true(first > now); /* all that was due was called */
    if (wheel_next(&wheel, &next)) {
        assert_true(first != UINT64_MAX);
        assert_true(next <= first);
        assert_true(next > now);
    } else {
        assert_true(first == UINT64_MAX);
    }
}

static void run(uint64_t begin, uint64_t with_seed, bool touch)
{
    static const uint64_t reach[] = {2, 300, 70000, 20000000, UINT32_MAX};
    seed = with_seed;
    touch_others = touch;
    now = begin;
    wheel_init(&wheel, now);
    memset(models, 0, sizeof models);
    for (unsigned step = 0; step < 3000; step++) {
        struct model *m = &models[draw(TIMERS)];
        if (draw(5) == 0) {
            wheel_stop(&wheel, &m->timer);
            m->due = 0;
        } else {
            set(m, now + draw(reach[draw(5)]));
        }
        if (draw(3) == 0) {
            uint64_t target = now + draw(reach[draw(4)]);
            uint64_t first = first_due();
            if (draw(4) == 0 && first != UINT64_MAX && first > now) target = first - draw(2);
            now = target > now ? target : now;
            last_fired = 0;
            wheel_advance(&wheel, now);
            check_all();
        }
    }
    now += UINT32_MAX; /* the longest timer of all, and what callbacks set meanwhile */
    touch_others = false;
    last_fired = 0;
    wheel_advance(&wheel, now);
    assert_true(first_due() == UINT64_MAX);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned i = 0; i < WHEEL_SLOTS / 64; i++)
            assert_true(wheel.used[level][i] == 0);
}

static void agrees_with_a_sorted_list(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= 60; s++) {
        run(s * 1000003, s, s % 2);
        run((UINT64_C(1) << 32) - 70000, s * 77, s % 2); /* over the wrap of the top level */
    }
}

static void steps_of_one_millisecond(void **state)
{
    (void)state;
    touch_others = false;
    for (uint64_t begin = 65000; begin < 65600; begin += 37) {
        wheel_init(&wheel, begin);
        memset(models, 0, sizeof models);
        now = begin;
        for (unsigned i = 0; i < TIMERS; i++)
            set(&models[i], begin + 1 + i * 7);
        for (unsigned i = 0; i < TIMERS * 7 + 1; i++) {
            now++;
            last_fired = 0;
            wheel_advance(&wheel, now);
            for (unsigned k = 0; k < TIMERS; k++)
                assert_int_equal(models[k].fired, begin + 1 + k * 7 <= now);
        }
    }
}

static void too_far_is_cut(void **state)
{
    (void)state;
    struct timer t = {.fn = on_fire};
    wheel_init(&wheel, 5);
    wheel_set(&wheel, &t, UINT64_MAX);
    assert_int_equal(t.due_ms, UINT64_C(5) + UINT32_MAX);
    wheel_stop(&wheel, &t);
    wheel_stop(&wheel, &t); /* twice is harmless */
    uint64_t due;
    assert_false(wheel_next(&wheel, &due));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_sorted_list),
        cmocka_unit_test(steps_of_one_millisecond),
        cmocka_unit_test(too_far_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
