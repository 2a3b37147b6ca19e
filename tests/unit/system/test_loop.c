#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/loop.h"

static struct loop *loop;
static struct watch watches[2];
static unsigned calls, turns;
static uint32_t seen;

static void forget_the_other(struct watch *w, uint32_t events)
{
    calls++;
    seen |= events;
    loop_forget(loop, &watches[w == &watches[0]]);
    loop_stop(loop);
}

/* Two watches are ready in one turn; the first that is called removes the other, whose event must not be delivered. */
static void forgotten_events_are_dropped(void **state)
{
    (void)state;
    int pipes[2][2];
    loop = loop_create(8);
    calls = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
        assert_true(loop_watch(loop, &watches[i], pipes[i][0], LOOP_READ, forget_the_other));
    }
    loop_run(loop, NULL, NULL);
    assert_int_equal(calls, 1);
    assert_true(seen == LOOP_READ);
    for (int i = 0; i < 2; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    loop_destroy(&loop);
    loop_destroy(&loop);
}

static void count_turn(void *context)
{
    assert_ptr_equal(context, &turns);
    turns++;
}

static void stop(struct timer *t)
{
    (void)t;
    loop_stop(loop);
}

static void count_event(struct watch *w, uint32_t events)
{
    (void)w;
    calls++;
    seen |= events;
}

enum { TIME_MS = 200 }; /* enough for what is ready on a busy machine, too */

/* Edge-triggered: what was not read is reported once; loop_change reports it again. Hang-up is told apart. */
static void readiness_is_reported_once(void **state)
{
    (void)state;
    int s[2];
    struct timer timer = {0};
    loop = loop_create(8);
    calls = turns = seen = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
    assert_true(loop_watch(loop, &watches[0], s[0], LOOP_READ, count_event));
    assert_int_equal(write(s[1], "x", 1), 1);
    loop_timer_set(loop, &timer, loop_now_ms(loop) + TIME_MS, stop);
    loop_run(loop, count_turn, &turns);
    assert_int_equal(calls, 1);
    assert_true(turns >= 2 && turns <= 3);
    assert_true(loop_change(loop, &watches[0], LOOP_READ | LOOP_WRITE));
    loop_timer_set(loop, &timer, loop_now_ms(loop) + TIME_MS, stop);
    loop_run(loop, count_turn, &turns);
    assert_int_equal(calls, 2);
    assert_true(seen == (LOOP_READ | LOOP_WRITE));
    close(s[1]);
    loop_timer_set(loop, &timer, loop_now_ms(loop) + TIME_MS, stop);
    loop_run(loop, count_turn, &turns);
    assert_true(seen & LOOP_HUP);
    loop_forget(loop, &watches[0]);
    close(s[0]);
    loop_destroy(&loop);
}

static void refuses_what_it_cannot_watch(void **state)
{
    (void)state;
    assert_null(loop_create(0));
    loop = loop_create(1);
    assert_false(loop_watch(loop, &watches[0], -1, LOOP_READ, count_event));
    loop_destroy(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forgotten_events_are_dropped),
        cmocka_unit_test(readiness_is_reported_once),
        cmocka_unit_test(refuses_what_it_cannot_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
