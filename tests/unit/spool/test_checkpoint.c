#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "spool/listing.h"

enum { MESSAGES = 60, TOLD_OCTETS = 400000 };

static int set_up(void **state)
{
    struct fixture *f = fixture_new();
    f->delay_seconds = 14400;
    f->checkpoint = true;
    fixture_reopen(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

/* All that can be said of the queue: list, every message's life, summary. */
static void tell(struct fixture *f, char *to)
{
    static uint8_t text[LISTING_TEXT_OCTETS];
    struct listing_verified v = {0};
    struct listing l = {.store = f->store, .unix_ms = f->now_ms, .verified = &v};
    struct buf out = buf_on(to, TOLD_OCTETS - 1);
    for (uint64_t id = 0; id <= MESSAGES + 1; id++) {
        struct question q = {.kind = id == 0          ? QUESTION_LIST
                                     : id <= MESSAGES ? QUESTION_SHOW
                                                      : QUESTION_SUMMARY,
                             .page = 1000,
                             .filter = QUESTION_FILTER_ANY};
        bool last = false;
        if (id <= MESSAGES) q.filter.id = id;
        if (q.kind == QUESTION_SUMMARY) q.what = GROUP_REASON;
        while (!last) {
            struct buf b = buf_on(text, sizeof text);
            (void)listing_answer(&l, &q, &b, &q.cursor, &last);
            buf_put(&out, buf_span(&b));
        }
    }
    assert_false(out.over);
    to[out.n] = 0;
}

static void fill(struct fixture *f)
{
    struct attempt later = {
        .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.4.1"), .text = SPAN("refused 17 times")};
    uint8_t memory[256];
    struct buf derived = buf_on(memory, sizeof memory);
    derived_put(&derived, &(struct derived){DERIVED_REMOTE, SPAN("far@example.net")});
    derived_put(&derived, &(struct derived){DERIVED_MAILBOX, SPAN("near@example.org")});
    for (uint64_t id = 1; id <= MESSAGES; id++) {
        assert_int_equal(fixture_commit(f, id, 100 + (size_t)id * 10, 1 + (uint32_t)(id % 4)), STORE_PENDING);
        if (id % 10 == 0) assert_true(fixture_flush(f));
    }
    assert_true(fixture_flush(f));
    for (uint64_t id = 1; id <= MESSAGES; id += 2)
        assert_true(store_attempt(f->store, id, 0, &later, f->now_ms));
    for (uint64_t id = 3; id <= MESSAGES; id += 9)
        assert_true(store_hold(f->store, id, id % 2 == 0, 1000, f->now_ms));
    for (uint64_t id = 5; id <= MESSAGES; id += 7)
        assert_true(store_expand(f->store, id, 0, SPAN("owner@example.org"), buf_span(&derived), f->now_ms));
    for (uint64_t id = 7; id <= MESSAGES; id += 4)
        assert_true(store_delay_told(f->store, id, id % 4, f->now_ms));
    for (uint64_t id = 6; id <= MESSAGES; id += 6)
        assert_true(fixture_finish(f, id));
    assert_true(fixture_flush(f));
}

static void same_after_a_crash(struct fixture *f, bool from_checkpoint)
{
    static char before[TOLD_OCTETS], after[TOLD_OCTETS];
    tell(f, before);
    fixture_crash(f);
    tell(f, after);
    assert_string_equal(before, after);
    assert_int_equal(store_counters(f->store).from_checkpoint, from_checkpoint);
}

static void loaded_as_it_was(void **state)
{
    struct fixture *f = *state;
    fill(f);
    same_after_a_crash(f, false);
    fixture_maintain(f, 10);
    assert_true(store_counters(f->store).checkpoints >= 1);
    assert_true(store_counters(f->store).checkpoint_octets > 0);
    same_after_a_crash(f, true);
    same_after_a_crash(f, true); /* nothing was written since */
}

static void what_came_since_counts(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fixture_maintain(f, 10);
    f->checkpoint = false; /* for what this one writes */
    struct attempt later = {.state = RECIPIENT_DEFERRED, .text = SPAN("later still")};
    for (uint64_t id = 1; id <= MESSAGES; id += 3) {
        assert_true(store_attempt(f->store, id, 1, &later, f->now_ms));
        assert_true(store_requeue(f->store, id, 0, SPAN("again"), f->now_ms));
    }
    assert_true(fixture_finish(f, 8));
    assert_int_equal(fixture_commit(f, 6, 500, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    f->checkpoint = true;
    same_after_a_crash(f, true);
    assert_true(fixture_whole(f, 6, 500));
    assert_null(store_find(f->store, 8));
}

/* A queue that grows all the time: it is written all the same. */
static void while_mail_arrives(void **state)
{
    struct fixture *f = *state;
    fill(f);
    uint64_t id = 1000;
    for (int i = 0; i < 20 && store_counters(f->store).checkpoints == 0; i++) {
        assert_int_equal(fixture_commit(f, ++id, 500, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
        fixture_maintain(f, 1);
    }
    assert_int_equal(store_counters(f->store).checkpoints, 1);
    same_after_a_crash(f, true);
    assert_true(fixture_whole(f, id, 500));
}

static void any_wrong_octet_makes_it_useless(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fixture_maintain(f, 10);
    uint64_t size = store_counters(f->store).checkpoint_octets;
    for (uint64_t at = 40; at < size; at += 4096) { /* each block has its head and its first octets there */
        assert_true(sim_disk_damage(f->disk, "checkpoint", at, 1));
        same_after_a_crash(f, false);
        fixture_maintain(f, 10); /* a fresh one */
        same_after_a_crash(f, true);
    }
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    (void)context, (void)segment, (void)offset, (void)id, (void)text;
}

static void none_while_there_is_damage(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fixture_maintain(f, 10);
    assert_true(sim_disk_damage(f->disk, "log-00000001", 4096 + 40, 1));
    struct verify_report report = {.problem = on_problem};
    uint64_t cursor = 0;
    while (store_verify(f->store, &cursor, &report))
        continue;
    assert_int_equal(store_counters(f->store).damaged, 1);
    fixture_maintain(f, 2);
    assert_int_equal(store_counters(f->store).checkpoint_octets, 0);
    fixture_crash(f);
    assert_false(store_counters(f->store).from_checkpoint);
    assert_int_equal(store_counters(f->store).damaged, 1); /* a start finds it again */
}

static void none_is_used_that_is_not_wanted(void **state)
{
    struct fixture *f = *state;
    fill(f);
    fixture_maintain(f, 10);
    f->checkpoint = false;
    same_after_a_crash(f, false);
    f->checkpoint = true;
    fixture_maintain(f, 1);
    assert_true(store_stop(&f->store, f->now_ms));
    assert_true(fixture_open(f));
    assert_false(store_counters(f->store).from_checkpoint); /* it was removed meanwhile */
    assert_true(store_stop(&f->store, f->now_ms));          /* a stop in order leaves one */
    assert_true(fixture_open(f));
    assert_true(store_counters(f->store).from_checkpoint);
    for (uint64_t id = 1; id <= MESSAGES; id++)
        if (store_find(f->store, id)) assert_true(fixture_finish(f, id));
    assert_true(fixture_flush(f));
    fixture_maintain(f, 2);
    assert_int_equal(store_counters(f->store).checkpoint_octets, 0); /* of an empty queue there is none */
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(loaded_as_it_was),           TEST(what_came_since_counts),
        TEST(while_mail_arrives),         TEST(any_wrong_octet_makes_it_useless),
        TEST(none_while_there_is_damage), TEST(none_is_used_that_is_not_wanted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
