#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define HOUR UINT64_C(3600000)

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    f->delay_seconds = 14400;
    fixture_reopen(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

static bool due(struct fixture *f, uint64_t *id, uint32_t *recipient, enum store_due *why)
{
    return store_due(f->store, STORE_ANY, f->now_ms, id, recipient, why);
}

static void one_message_comes_together(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 0, before = 0;
    uint32_t i, n = 0;
    enum store_due why;
    for (uint64_t m = 1; m <= 5; m++)
        assert_int_equal(fixture_commit(f, m, 100, 20), STORE_PENDING);
    assert_true(fixture_flush(f));
    unsigned changes = 0;
    while (due(f, &id, &i, &why)) {
        assert_int_equal(why, DUE_ATTEMPT);
        changes += id != before;
        before = id;
        n++;
    }
    assert_int_equal(n, 100);
    assert_in_range(changes, 5,
                    10); /* one that is found in the middle of a message is followed by those behind it */
}

static void ready_until_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t i;
    enum store_due why;
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(due(f, &id, &i, &why));
    store_ready(f->store, 5, 0, 77, f->now_ms);
    assert_false(due(f, &id, &i, &why));
    assert_int_equal(store_next_due_ms(f->store, STORE_ANY) - f->now_ms, 4 * HOUR);
    f->now_ms += 4 * HOUR;
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_DELAY);
    assert_false(due(f, &id, &i, &why)); /* said once */
    assert_int_equal(f->n_left, 0);      /* and it waits on */
    assert_true(store_delay_told(f->store, 5, 0, f->now_ms));
    assert_true(fixture_flush(f));
    assert_true(message_recipients(store_find(f->store, 5))[0].flags & RECIPIENT_READY);
    f->now_ms += 116 * HOUR;
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_EXPIRED);
    assert_int_equal(f->left, 77);
    assert_int_equal(f->n_left, 1);
    assert_false(store_taken(f->store, 5, 0));
}

static void told_once_whatever_happens(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t i;
    enum store_due why;
    struct attempt later = {.state = RECIPIENT_DEFERRED, .text = SPAN("later")};
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(due(f, &id, &i, &why));
    assert_true(store_attempt(f->store, 5, 0, &later, f->now_ms));
    assert_true(fixture_flush(f));
    f->now_ms += 5 * HOUR;
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_DELAY);
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_ATTEMPT);
    assert_true(store_attempt(f->store, 5, 0, &later, f->now_ms)); /* the word is still on its way */
    assert_false(due(f, &id, &i, &why));
    assert_true(fixture_flush(f));
    fixture_crash(f); /* before it was told: again */
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_DELAY);
    assert_true(store_delay_told(f->store, 5, 0, f->now_ms));
    assert_true(fixture_flush(f));
    fixture_crash(f);
    f->now_ms += HOUR;
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_ATTEMPT);
    assert_true(store_attempt(f->store, 5, 0, &later, f->now_ms));
    assert_true(fixture_flush(f));
    fixture_crash(f); /* a later state knows it, too */
    assert_true(message_recipients(store_find(f->store, 5))[0].flags & RECIPIENT_DELAY_TOLD);
}

static void the_first_attempt_goes_first(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t i;
    enum store_due why;
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    f->now_ms += 200 * HOUR; /* it was off for long */
    fixture_crash(f);
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_ATTEMPT);
    store_ready(f->store, 5, 0, 1, f->now_ms);
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_EXPIRED);
}

static void held_and_taken(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t i;
    enum store_due why;
    assert_int_equal(fixture_commit(f, 5, 100, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    for (uint32_t n = 0; n < 2; n++) {
        assert_true(due(f, &id, &i, &why));
        store_ready(f->store, id, i, 10 + i, f->now_ms);
    }
    assert_true(store_taken(f->store, 5, 1));
    assert_true(store_hold(f->store, 5, true, 1000, f->now_ms));
    assert_int_equal(f->n_left, 1);
    assert_int_equal(f->left, 10);
    store_ready(f->store, 5, 1, 11, f->now_ms); /* no attempt was made, and it is held by now */
    assert_int_equal(f->left, 11);
    assert_true(store_hold(f->store, 5, false, 1000, f->now_ms));
    assert_true(due(f, &id, &i, &why));
    assert_true(due(f, &id, &i, &why));
    store_ready(f->store, id, i, 12, f->now_ms);
    assert_true(store_requeue(f->store, id, i, SPAN("requeued by uid 0"), f->now_ms));
    assert_int_equal(f->left, 12);
    struct attempt gone = {
        .kind = EVENT_OPERATOR, .state = RECIPIENT_REMOVED, .text = SPAN("removed by uid 0")};
    assert_true(store_attempt(f->store, 5, 0, &gone, f->now_ms));
    assert_true(store_attempt(f->store, 5, 1, &gone, f->now_ms));
    assert_true(fixture_flush(f));
    assert_null(store_find(f->store, 5));
    fixture_crash(f);
    assert_null(store_find(f->store, 5));
}

/* Held until its time was over: once released it is not given up at the first failure. */
static void released_mail_has_a_cycle_of_attempts(void **state)
{
    struct fixture *f = *state;
    struct attempt a = {.kind = EVENT_ATTEMPT, .state = RECIPIENT_DEFERRED, .text = SPAN("not now")};
    uint64_t id, released, arrival = f->now_ms;
    uint32_t i;
    enum store_due why;
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(store_hold(f->store, 5, true, 1000, f->now_ms));
    f->now_ms += 24 * 30 * HOUR;
    assert_true(f->now_ms > store_expires_ms(f->store, store_find(f->store, 5)));
    assert_true(store_hold(f->store, 5, false, 1000, f->now_ms));
    released = f->now_ms;
    assert_true(due(f, &id, &i, &why));
    assert_int_equal(why, DUE_ATTEMPT);
    assert_true(store_attempt(f->store, id, i, &a, f->now_ms));
    uint64_t expires = store_expires_ms(f->store, store_find(f->store, 5));
    assert_true(expires > released && expires - released < expires - arrival);
    assert_true(due(f, &id, &i, &why)); /* its sender hears that it is late, and that is all */
    assert_int_equal(why, DUE_DELAY);
    assert_false(due(f, &id, &i, &why));
    assert_true(fixture_flush(f));
    fixture_crash(f);
    assert_int_equal(store_expires_ms(f->store, store_find(f->store, 5)) / 1000, expires / 1000);
    f->now_ms = expires;
    bool delay = true;
    while (delay) {
        assert_true(due(f, &id, &i, &why));
        delay = why == DUE_DELAY;
    }
    assert_int_equal(why, DUE_EXPIRED);
}

static void traces_are_kept(void **state)
{
    struct fixture *f = *state;
    uint8_t memory[LIMIT_STATE_HISTORY_OCTETS + 64];
    struct attempt a = {.state = RECIPIENT_DEFERRED,
                        .enhanced = SPAN("4.2.0"),
                        .text = SPAN("greylisted"),
                        .trace = {.host = SPAN("mx.example[2001:db8::1]:25"),
                                  .tls = SPAN("TLSv1.3 dane-ee"),
                                  .code = 451,
                                  .dns_ms = 1,
                                  .connect_ms = 2,
                                  .session_ms = 3,
                                  .transfer_ms = 4}};
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(store_attempt(f->store, 5, 0, &a, f->now_ms));
    assert_true(fixture_flush(f));
    fixture_crash(f);
    struct wire w = wire_on(store_read_history(f->store, store_find(f->store, 5), 0, memory, sizeof memory));
    struct state_event e;
    assert_true(state_event_read(&w, &e));
    assert_int_equal(e.kind, EVENT_ATTEMPT);
    assert_true(span_eq(e.trace.host, a.trace.host));
    assert_true(span_eq(e.trace.tls, a.trace.tls));
    assert_int_equal(e.trace.code, 451);
    assert_int_equal(e.trace.dns_ms * 1000 + e.trace.connect_ms * 100 + e.trace.session_ms * 10 +
                         e.trace.transfer_ms,
                     1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_message_comes_together, setup, teardown),
        cmocka_unit_test_setup_teardown(ready_until_its_time_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(told_once_whatever_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_attempt_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(held_and_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(released_mail_has_a_cycle_of_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(traces_are_kept, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
