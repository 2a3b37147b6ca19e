#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"

static int set_up(void **state)
{
    *state = fixture_new();
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

static void answered_when_durable(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 5, 2000, 2), STORE_PENDING);
    assert_null(store_find(f->store, 5)); /* nobody sees it yet */
    assert_int_equal(f->answers, 0);
    assert_true(store_dirty(f->store));
    assert_true(fixture_flush(f));
    assert_int_equal(f->durable, 1);
    assert_int_equal(f->last_token, 1005);
    assert_false(store_dirty(f->store));
    assert_true(fixture_whole(f, 5, 2000));
    fixture_crash(f);
    assert_true(fixture_whole(f, 5, 2000));
    const struct message *m = store_find(f->store, 5);
    assert_int_equal(m->n_recipients, 2);
    assert_true(span_eq(message_path(m, &message_recipients(m)[1]), SPAN("r1@example.org")));
    uint8_t *envelope = malloc(m->envelope_length);
    assert_true(store_read_envelope(f->store, m, envelope));
    free(envelope);
}

static void a_batch_is_one_write_and_one_sync(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    uint64_t steps = sim_disk_steps(f->disk);
    for (uint64_t id = 2; id < 12; id++)
        assert_int_equal(fixture_commit(f, id, 1000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(sim_disk_steps(f->disk) - steps, 2);
    assert_int_equal(f->durable, 11);
}

static void refused(void **state)
{
    struct fixture *f = *state;
    struct span parts[2] = {SPAN("no envelope"), SPAN("content")};
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_REFUSED); /* in the same batch */
    assert_true(fixture_flush(f));
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_REFUSED);
    assert_int_equal(fixture_commit(f, 0, 100, 1), STORE_REFUSED);
    assert_int_equal(fixture_commit(f, UINT64_MAX, 100, 1), STORE_REFUSED);
    assert_int_equal(fixture_commit(f, 6, 100, 0), STORE_REFUSED); /* nobody to send it to */
    assert_int_equal(store_commit(f->store, 7, 1, 0, parts, 1, 2, 7, f->now_ms), STORE_REFUSED);
    assert_int_equal(store_commit(f->store, 7, 1, 0, parts, 0, 2, 18, f->now_ms), STORE_REFUSED);
    assert_false(store_dirty(f->store));
    fixture_reopen(f);
    assert_int_equal(store_counters(f->store).messages, 1);
}

static enum store_status chunk(struct fixture *f, uint64_t id, uint32_t owner, size_t from, size_t n)
{
    uint8_t *p = malloc(from + n);
    fixture_content(id, p, from + n);
    struct span part = span_of(p + from, n);
    enum store_status status = store_chunk(f->store, id, owner, &part, 1);
    free(p);
    return status;
}

static void streamed(void **state)
{
    struct fixture *f = *state;
    static uint8_t memory[300], rest[10];
    size_t sent = 0;
    for (; sent < 200000; sent += 8000)
        assert_int_equal(chunk(f, 5, 1, sent, 8000), STORE_PENDING);
    struct buf b = buf_on(memory, sizeof memory);
    envelope_put_head(&b, &(struct envelope_head){.reverse_path = SPAN("s@example.org")});
    envelope_put_recipient(&b, &(struct envelope_recipient){.local = 1, .path = SPAN("r@example.org")});
    uint8_t *all = malloc(sent + sizeof rest);
    fixture_content(5, all, sent + sizeof rest);
    struct span parts[2] = {buf_span(&b), span_of(all + sent, sizeof rest)};
    assert_int_equal(store_commit(f->store, 5, 2, 0, parts, 1, 2, sent + sizeof rest, f->now_ms),
                     STORE_REFUSED); /* another's */
    assert_int_equal(store_commit(f->store, 5, 1, 0, parts, 1, 2, sent + sizeof rest, f->now_ms),
                     STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(fixture_whole(f, 5, sent + sizeof rest));
    fixture_crash(f);
    assert_true(fixture_whole(f, 5, sent + sizeof rest));
    assert_true(store_counters(f->store).large_segments > 0);
    free(all);
}

static void incomplete_ones_leave_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(chunk(f, 5, 1, 0, 5000), STORE_PENDING);
    assert_int_equal(chunk(f, 6, 1, 0, 60000), STORE_PENDING);
    assert_int_equal(chunk(f, 7, 2, 0, 5000), STORE_PENDING);
    assert_int_equal(chunk(f, 5, 2, 5000, 100), STORE_REFUSED); /* another's */
    store_abort(f->store, 5, 2);
    assert_int_equal(chunk(f, 5, 1, 5000, 100), STORE_PENDING); /* still there */
    store_abort(f->store, 5, 1);
    store_abort_owner(f->store, 1);
    assert_int_equal(fixture_commit(f, 8, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    fixture_reopen(f);
    assert_int_equal(store_counters(f->store).messages, 1);
    fixture_maintain(f, 20);
    assert_int_equal(store_counters(f->store).large_segments, 0); /* given back */
}

static void due_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t recipient;
    enum store_due why;
    assert_int_equal(fixture_commit(f, 5, 100, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(store_due(f->store, STORE_ANY, f->now_ms, &id, &recipient, &why));
    assert_int_equal(id, 5);
    struct attempt later = {
        .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("mailbox full")};
    assert_true(store_attempt(f->store, 5, recipient, &later, f->now_ms));
    uint32_t other;
    assert_true(store_due(f->store, STORE_ANY, f->now_ms, &id, &other, &why));
    assert_int_not_equal(recipient, other);
    assert_false(store_due(f->store, STORE_ANY, f->now_ms, &id, &other, &why));
    uint64_t due = store_next_due_ms(f->store, STORE_ANY);
    assert_in_range(due - f->now_ms, 240000, 360000);
    store_put_back(f->store, 5, other, f->now_ms + 7);
    assert_int_equal(store_next_due_ms(f->store, STORE_ANY), f->now_ms + 7);
    assert_true(fixture_flush(f));
    fixture_reopen(f);
    assert_int_equal(store_counters(f->store).deferred, 1);
    const struct message *m = store_find(f->store, 5);
    assert_int_equal(message_recipients(m)[recipient].attempts, 1);
    assert_int_equal(message_recipients(m)[recipient].next_ms, due);
    uint8_t memory[LIMIT_STATE_HISTORY_OCTETS + 64];
    struct wire w = wire_on(store_read_history(f->store, m, recipient, memory, sizeof memory));
    struct state_event e;
    assert_true(state_event_read(&w, &e));
    assert_true(span_eq(e.text, SPAN("mailbox full")));
}

static void never_beyond_its_life(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    uint64_t expires = store_expires_ms(f->store, store_find(f->store, 5));
    assert_int_equal(expires, FIXTURE_NOW + 432000000);
    f->now_ms = expires - 1000;
    struct attempt later = {.state = RECIPIENT_DEFERRED};
    assert_true(store_attempt(f->store, 5, 0, &later, f->now_ms));
    assert_int_equal(store_next_due_ms(f->store, STORE_ANY), expires);
}

static void finished_ones_do_not_come_back(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id < 40; id++) {
        assert_int_equal(fixture_commit(f, id, 3000, 1 + (uint32_t)(id % 3)), STORE_PENDING);
        assert_true(fixture_flush(f));
    }
    for (uint64_t id = 1; id < 40; id++)
        if (id % 4) assert_true(fixture_finish(f, id));
    assert_true(fixture_flush(f));
    for (int round = 0; round < 4; round++) {
        fixture_maintain(f, 40); /* recycles, copies forward */
        fixture_crash(f);
        for (uint64_t id = 1; id < 40; id++) {
            if (id % 4 == 0)
                assert_true(fixture_whole(f, id, 3000));
            else
                assert_null(store_find(f->store, id));
        }
    }
    assert_int_equal(store_counters(f->store).messages, 9);
    assert_int_equal(f->alarms[ALARM_DAMAGED], 0);
}

static void mostly_dead_segments_are_copied_forward(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 1;
    for (; id <= 600; id++) { /* one of 20 stays */
        assert_int_equal(fixture_commit(f, id, 3000, 1), STORE_PENDING);
        if (id % 20) {
            assert_true(fixture_flush(f));
            assert_true(fixture_finish(f, id));
        }
        assert_true(fixture_flush(f));
        if (id % 10 == 0) fixture_maintain(f, 1);
    }
    fixture_maintain(f, 300);
    struct store_counters c = store_counters(f->store);
    assert_int_equal(c.messages, 30);
    assert_true(c.segments <= 12); /* 600 messages took about 70 */
    for (id = 20; id <= 600; id += 20)
        assert_true(fixture_whole(f, id, 3000));
    fixture_crash(f);
    assert_int_equal(store_counters(f->store).messages, 30);
    for (id = 20; id <= 600; id += 20)
        assert_true(fixture_whole(f, id, 3000));
}

static void a_leased_segment_stays(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 5000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    struct extent e = message_extents(store_find(f->store, 1))[0];
    int file = store_lease(f->store, e.segment);
    assert_true(file >= 0);
    for (uint64_t id = 2; id < 20; id++) { /* fills its segment */
        assert_int_equal(fixture_commit(f, id, 7000, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
    }
    for (uint64_t id = 1; id < 20; id++)
        assert_true(fixture_finish(f, id));
    assert_true(fixture_flush(f));
    fixture_maintain(f, 50);
    uint8_t got[5000], want[5000];
    struct disk d = sim_disk_ops(f->disk);
    fixture_content(1, want, sizeof want);
    assert_int_equal(d.ops->read(d.context, file, got, sizeof got, e.offset), sizeof got);
    assert_memory_equal(got, want, sizeof got); /* nobody else's mail */
    assert_int_equal(store_wanted_back(f->store, 0), e.segment);
    uint64_t before = store_counters(f->store).segments;
    store_lease_return(f->store, e.segment);
    fixture_maintain(f, 5);
    assert_true(store_counters(f->store).segments < before);
    assert_int_equal(store_wanted_back(f->store, 0), 0);
}

static void held(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t recipient;
    enum store_due why;
    assert_int_equal(fixture_commit(f, 5, 100, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(store_hold(f->store, 5, true, 1000, f->now_ms));
    assert_true(fixture_flush(f));
    assert_false(store_due(f->store, STORE_ANY, UINT64_MAX / 2, &id, &recipient, &why));
    fixture_crash(f);
    assert_int_equal(store_counters(f->store).held, 2);
    assert_false(store_due(f->store, STORE_ANY, UINT64_MAX / 2, &id, &recipient, &why));
    assert_true(store_hold(f->store, 5, false, 1000, f->now_ms));
    assert_true(fixture_flush(f));
    assert_true(store_due(f->store, STORE_ANY, f->now_ms, &id, &recipient, &why));
    f->hold = true; /* by configuration: the other one */
    store_place_again(f->store, f->now_ms);
    assert_false(store_due(f->store, STORE_ANY, f->now_ms, &id, &recipient, &why));
    f->hold = false;
    f->no_route = true;
    store_place_again(f->store, f->now_ms);
    assert_int_equal(store_next_due_ms(f->store, STORE_ANY),
                     store_expires_ms(f->store, store_find(f->store, 5)));
    assert_false(store_hold(f->store, 99, true, 1000, f->now_ms));
}

/* Who held and released it, and when: the last ones are known, after a crash too. */
static void holds_are_remembered(void **state)
{
    struct fixture *f = *state;
    struct hold_payload hold;
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_false(store_read_holds(f->store, store_find(f->store, 5), &hold));
    for (uint32_t i = 0; i < LIMIT_HOLD_EVENTS + 3; i++) {
        assert_true(store_hold(f->store, 5, i % 2 == 0, 100 + i, f->now_ms + i));
        if (i % 5 == 0) assert_true(fixture_flush(f));
        assert_true(store_read_holds(f->store, store_find(f->store, 5), &hold));
        assert_int_equal(hold.count, i < LIMIT_HOLD_EVENTS ? i + 1 : LIMIT_HOLD_EVENTS);
    }
    assert_true(fixture_flush(f));
    fixture_crash(f);
    assert_true(store_find(f->store, 5)->flags & MESSAGE_HELD);
    assert_true(store_read_holds(f->store, store_find(f->store, 5), &hold));
    for (uint32_t i = 0; i < LIMIT_HOLD_EVENTS; i++) {
        assert_int_equal(hold.events[i].uid, 103 + i);
        assert_int_equal(hold.events[i].held, i % 2);
        assert_int_equal(hold.events[i].time_ms, f->now_ms + 3 + i);
    }
}

static void expanded(void **state)
{
    struct fixture *f = *state;
    uint8_t memory[200];
    struct buf b = buf_on(memory, sizeof memory);
    derived_put(&b, &(struct derived){1, SPAN("alice@example.org")});
    derived_put(&b, &(struct derived){0, SPAN("bob@far.example")});
    assert_int_equal(fixture_commit(f, 5, 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_false(store_expand(f->store, 5, 0, SPAN(""), SPAN("nonsense"), f->now_ms));
    assert_true(store_expand(f->store, 5, 0, SPAN("owner@example.org"), buf_span(&b), f->now_ms));
    assert_true(fixture_flush(f));
    for (int round = 0; round < 2; round++) {
        const struct message *m = store_find(f->store, 5);
        const struct recipient *r = message_recipients(m);
        assert_int_equal(m->n_recipients, 3);
        assert_int_equal(m->n_open, 2);
        assert_int_equal(r[0].state, RECIPIENT_EXPANDED);
        assert_true(span_eq(message_path(m, &r[2]), SPAN("bob@far.example")));
        assert_true(r[1].flags & RECIPIENT_LOCAL && r[1].flags & RECIPIENT_DERIVED);
        assert_false(r[2].flags & RECIPIENT_LOCAL);
        assert_true(span_eq(message_reverse_path_for(m, &r[1]), SPAN("owner@example.org")));
        assert_true(span_eq(message_reverse_path_for(m, &r[0]), SPAN("sender@example.net")));
        fixture_crash(f);
    }
    struct attempt a = {.state = RECIPIENT_DELIVERED};
    assert_true(store_attempt(f->store, 5, 1, &a, f->now_ms));
    assert_non_null(store_find(f->store, 5));
    assert_true(store_attempt(f->store, 5, 2, &a, f->now_ms));
    assert_null(store_find(f->store, 5));
    assert_true(store_attempt(f->store, 5, 2, &a, f->now_ms)); /* again: nothing to change */
    assert_true(fixture_flush(f));
    fixture_crash(f);
    assert_null(store_find(f->store, 5));
}

static void in_order_of_ids(void **state)
{
    struct fixture *f = *state;
    static const uint64_t ids[] = {50, 10, 40, 20, 30};
    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_commit(f, ids[i], 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    uint64_t cursor = 0;
    for (uint64_t want = 10; want <= 50; want += 10) {
        const struct message *m = store_after(f->store, cursor);
        assert_int_equal(m->id, want);
        cursor = m->id;
    }
    assert_null(store_after(f->store, cursor));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(answered_when_durable),
                                       TEST(a_batch_is_one_write_and_one_sync),
                                       TEST(refused),
                                       TEST(streamed),
                                       TEST(incomplete_ones_leave_nothing),
                                       TEST(due_in_order),
                                       TEST(never_beyond_its_life),
                                       TEST(finished_ones_do_not_come_back),
                                       TEST(mostly_dead_segments_are_copied_forward),
                                       TEST(a_leased_segment_stays),
                                       TEST(held),
                                       TEST(holds_are_remembered),
                                       TEST(expanded),
                                       TEST(in_order_of_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
