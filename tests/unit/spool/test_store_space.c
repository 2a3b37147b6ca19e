/* Disks that are full, read-only or fail: clear answers, an alarm, nothing acknowledged is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static void commit_and_flush(struct fixture *f, uint64_t id)
{
    assert_int_equal(fixture_commit(f, id, 3000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
}

static void failed_sync(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    assert_int_equal(fixture_commit(f, 2, 3000, 1), STORE_PENDING);
    assert_int_equal(fixture_commit(f, 3, 3000, 1), STORE_PENDING);
    assert_true(fixture_finish(f, 1)); /* rides in the batch that will fail */
    sim_disk_fail_sync(f->disk, 0);
    assert_true(fixture_flush(f));
    assert_int_equal(f->failed, 2);
    assert_int_equal(f->alarms[ALARM_WRITE_FAILED], 1);
    assert_null(store_find(f->store, 2));
    commit_and_flush(f, 4);
    assert_int_equal(fixture_commit(f, 2, 3000, 1),
                     STORE_PENDING); /* the client tries again: its id is free */
    assert_true(fixture_flush(f));
    for (int i = 0; i < 20; i++) {
        fixture_crash(f);
        assert_null(store_find(f->store, 1)); /* its end was carried over */
        assert_null(store_find(f->store, 3)); /* answered 451 */
        assert_true(fixture_whole(f, 2, 3000));
        assert_true(fixture_whole(f, 4, 3000));
        fixture_maintain(f, 10);
    }
    assert_int_equal(f->alarms[ALARM_DAMAGED], 0);
}

/* What a recovery has read may go with the sync that it could not make: it is read again. */
static void failed_sync_of_recovery(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    store_close(&f->store);
    sim_disk_fail_sync(f->disk, 0);
    assert_false(fixture_open(f));
    assert_true(fixture_open(f));
    assert_true(fixture_whole(f, 1, 3000));
    commit_and_flush(f, 2);
}

/* The newest segment names the end of one that failed. It is nearly full, so that the next start does not write on in it, and
 * nobody needs a record of it; if it went, what was refused would be back. */
static void names_the_ends(struct fixture *f)
{
    commit_and_flush(f, 1);
    sim_disk_fail_write(f->disk, 0);
    assert_int_equal(fixture_commit(f, 2, 3000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(f->failed, 1);
    for (uint64_t id = 3; id < 10; id++) {
        assert_int_equal(fixture_commit(f, id, 3000, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
        assert_true(fixture_finish(f, id));
        assert_true(fixture_flush(f));
    }
    for (int i = 0; i < 3; i++) {
        fixture_reopen(f);
        fixture_maintain(f, 10);
        assert_null(store_find(f->store, 2));
        assert_null(store_find(f->store, 3));
        assert_true(fixture_whole(f, 1, 3000));
    }
}

static void newest_stays(void **state)
{
    struct fixture **f = (struct fixture **)state;
    for (unsigned rolls = 0; rolls < 8; rolls++) { /* a write that fails is there or not */
        fixture_free(f);
        *f = fixture_new();
        for (unsigned i = 0; i < rolls; i++)
            (void)sim_random((*f)->disk);
        names_the_ends(*f);
    }
}

static void failed_write(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    sim_disk_fail_write(f->disk, 0);
    assert_int_equal(fixture_commit(f, 2, 3000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(f->failed, 1);
    commit_and_flush(f, 3);
    fixture_crash(f);
    assert_true(fixture_whole(f, 1, 3000));
    assert_null(store_find(f->store, 2));
    assert_true(fixture_whole(f, 3, 3000));
}

static void failed_sync_of_a_large_segment(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 30000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(fixture_commit(f, 2, 20000, 1), STORE_PENDING);
    assert_int_equal(fixture_commit(f, 3, 100, 1), STORE_PENDING);
    sim_disk_fail_sync(f->disk, 0);
    assert_true(fixture_flush(f));
    assert_int_equal(f->failed, 1); /* only the one whose content is not durable */
    assert_null(store_find(f->store, 2));
    assert_true(fixture_whole(f, 3, 100));
    assert_true(fixture_whole(f, 1, 30000));
    fixture_crash(f);
    assert_null(store_find(f->store, 2));
    assert_true(fixture_whole(f, 3, 100));
    assert_true(fixture_whole(f, 1, 30000));
}

static void nothing_is_answered_without_a_successor(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    assert_int_equal(fixture_commit(f, 2, 3000, 1), STORE_PENDING);
    sim_disk_capacity(f->disk, 0);
    sim_disk_fail_write(f->disk, 0);
    sim_disk_read_only(f->disk, true);
    assert_false(fixture_flush(f));
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->alarms[ALARM_STUCK], 1);
    assert_false(store_writable(f->store));
    assert_int_equal(fixture_commit(f, 3, 100, 1), STORE_FAILED); /* refused at once */
    assert_false(store_hold(f->store, 1, true, 1000, f->now_ms));
    fixture_maintain(f, 5);
    assert_int_equal(f->answers, 1);
    sim_disk_read_only(f->disk, false);
    sim_disk_capacity(f->disk, UINT64_MAX);
    fixture_maintain(f, 5);
    assert_int_equal(f->failed, 1); /* now it is answered */
    assert_true(store_writable(f->store));
    commit_and_flush(f, 4);
    fixture_crash(f);
    assert_true(fixture_whole(f, 1, 3000));
    assert_null(store_find(f->store, 2));
    assert_true(fixture_whole(f, 4, 3000));
}

static void full(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 1;
    commit_and_flush(f, id);
    fixture_maintain(f, 2); /* one segment lies ready, as ever */
    sim_disk_capacity(f->disk, sim_disk_used(f->disk));
    enum store_status status;
    while ((status = fixture_commit(f, id + 1, 3000, 1)) == STORE_PENDING) {
        assert_true(fixture_flush(f));
        assert_true(++id < 1000);
        fixture_maintain(f, 1);
    }
    assert_int_equal(status, STORE_FULL);
    assert_true(f->alarms[ALARM_FULL] > 0);
    assert_true(store_counters(f->store).full);
    assert_true(store_writable(f->store)); /* a reserve is left for states */
    for (uint64_t i = 1; i <= id; i++) {
        assert_true(fixture_whole(f, i, 3000));
        assert_true(fixture_finish(f, i));
    }
    assert_true(fixture_flush(f));
    fixture_maintain(f, 10); /* dead segments are there again */
    assert_int_equal(fixture_commit(f, id + 2, 3000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(f->alarms[ALARM_SPACE] > 0);
    fixture_crash(f);
    assert_int_equal(store_counters(f->store).messages, 1);
    assert_true(fixture_whole(f, id + 2, 3000));
}

static uint64_t fill(struct fixture *f, uint64_t id)
{
    enum store_status status;
    while ((status = fixture_commit(f, id, 3000, 1)) == STORE_PENDING) {
        assert_true(fixture_flush(f));
        assert_true(++id < 1000);
        fixture_maintain(f, 1);
    }
    assert_int_equal(status, STORE_FULL);
    return id;
}

/* A disk with room for one segment: nothing can succeed the active one, so it starts over when it is wholly dead. */
static void full_with_one_segment(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 1;
    commit_and_flush(f, id);
    sim_disk_capacity(f->disk, sim_disk_used(f->disk));
    for (unsigned round = 0; round < 9; round++) {
        uint64_t first = id, end = fill(f, id + 1);
        assert_true(end > first + 5); /* what is left of a segment that was not written on does for some */
        fixture_maintain(f, 5);
        assert_int_equal(fixture_commit(f, end, 3000, 1), STORE_FULL);
        if (round % 3 == 1) fixture_reopen(f); /* a clean stop, or a crash, makes nothing worse */
        if (round % 3 == 2) fixture_crash(f);
        for (id = first; id + 1 < end; id++)
            assert_true(fixture_finish(f, id));
        assert_true(fixture_flush(f));
        fixture_maintain(f, 5);
        assert_int_equal(fixture_commit(f, end, 3000, 1), STORE_FULL); /* one still lives */
        assert_true(fixture_whole(f, id, 3000));
        assert_true(fixture_finish(f, id));
        assert_true(fixture_flush(f));
        if (round % 3 == 1) fixture_reopen(f);
        if (round % 3 == 2) fixture_crash(f);
        fixture_maintain(f, 5);
        id = end;
        commit_and_flush(f, id);
        if (round % 2) fixture_crash(f);
        assert_int_equal(store_counters(f->store).messages, 1);
        assert_true(fixture_whole(f, id, 3000));
    }
    assert_int_equal(f->alarms[ALARM_DAMAGED], 0);
}

/* What the first message needs beside its segment is there before segments take the rest. */
static void full_before_the_first_message(void **state)
{
    struct fixture *f = *state;
    fixture_maintain(f, 5);
    sim_disk_capacity(f->disk, sim_disk_used(f->disk));
    commit_and_flush(f, 1);
    assert_true(fixture_whole(f, 1, 3000));
}

static void full_for_large_content(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    sim_disk_capacity(f->disk, sim_disk_used(f->disk));
    assert_int_equal(fixture_commit(f, 2, 30000, 1), STORE_FULL);
    assert_int_equal(fixture_commit(f, 3, 300, 1), STORE_PENDING); /* small ones go on */
    assert_true(fixture_flush(f));
    sim_disk_capacity(f->disk, UINT64_MAX);
    f->now_ms += 2000;
    fixture_maintain(f, 3);
    assert_int_equal(fixture_commit(f, 2, 30000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(fixture_whole(f, 2, 30000));
}

static void read_only_at_start(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    store_close(&f->store);
    sim_disk_read_only(f->disk, true);
    assert_true(fixture_open(f)); /* what is queued can be seen */
    assert_true(fixture_whole(f, 1, 3000));
    assert_true(f->alarms[ALARM_WRITE_FAILED] > 0);
    enum store_status status = fixture_commit(f, 2, 100, 1);
    assert_true(status == STORE_FAILED || status == STORE_FULL);
    sim_disk_read_only(f->disk, false);
    fixture_maintain(f, 5);
    commit_and_flush(f, 3);
    fixture_crash(f);
    assert_true(fixture_whole(f, 1, 3000));
    assert_true(fixture_whole(f, 3, 3000));
}

/* A batch whose sync failed is whole in the page cache only: what a start has cut is not back when the disk becomes read-only. */
static void read_only_after_a_failed_sync(void **state)
{
    struct fixture *f = *state;
    commit_and_flush(f, 1);
    assert_int_equal(fixture_commit(f, 2, 3000, 1), STORE_PENDING);
    sim_disk_capacity(f->disk, 0); /* no successor */
    sim_disk_fail_sync(f->disk, 0);
    assert_false(fixture_flush(f));
    for (int writable = 1; writable >= 0; writable--) {
        sim_disk_read_only(f->disk, !writable);
        fixture_reopen(f);
        assert_true(fixture_whole(f, 1, 3000));
        assert_null(store_find(f->store, 2));
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(failed_sync),
                                       TEST(failed_write),
                                       TEST(failed_sync_of_recovery),
                                       TEST(newest_stays),
                                       TEST(failed_sync_of_a_large_segment),
                                       TEST(nothing_is_answered_without_a_successor),
                                       TEST(full),
                                       TEST(full_with_one_segment),
                                       TEST(full_before_the_first_message),
                                       TEST(full_for_large_content),
                                       TEST(read_only_at_start),
                                       TEST(read_only_after_a_failed_sync)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
