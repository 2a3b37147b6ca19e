/* Bits turned on a disk that was fine: what is damaged is named and kept, and hides nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fixture.h"
#include "spool/record.h"

#define MESSAGES 30

struct found {
    unsigned problems;
    uint64_t id;
};

static int set_up(void **state)
{
    struct fixture *f = fixture_new();
    for (uint64_t id = 1; id <= MESSAGES; id++) {
        if (fixture_commit(f, id, 7000, 1) != STORE_PENDING || !fixture_flush(f)) return -1;
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

static void turn(struct fixture *f, uint32_t segment, uint64_t offset)
{
    char name[DISK_NAME_OCTETS];
    snprintf(name, sizeof name, "log-%08x", segment);
    if (!sim_disk_damage(f->disk, name, offset, 0x10)) {
        snprintf(name, sizeof name, "big-%08x", segment);
        assert_true(sim_disk_damage(f->disk, name, offset, 0x10));
    }
}

static void on_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    struct found *found = context;
    (void)segment, (void)offset, (void)text;
    found->problems++;
    if (id) found->id = id;
}

static struct found verify(struct fixture *f)
{
    struct found found = {0};
    struct verify_report report = {.problem = on_problem, .context = &found};
    uint64_t cursor = 0;
    while (store_verify(f->store, &cursor, &report)) {
    }
    assert_int_equal(report.damaged, found.problems);
    assert_true(report.segments > 0 && report.records > 0);
    return found;
}

static void all_but(struct fixture *f, uint64_t lost)
{
    for (uint64_t id = 1; id <= MESSAGES; id++)
        if (id != lost) assert_true(fixture_whole(f, id, 7000));
}

static void content(void **state)
{
    struct fixture *f = *state;
    static const uint64_t ids[] = {1, 2, MESSAGES / 2}; /* first of a segment, second, somewhere */
    for (size_t i = 0; i < 3; i++) {
        const struct message *m = store_find(f->store, ids[i]);
        turn(f, message_extents(m)->segment, message_extents(m)->offset + 100);
        struct found found = verify(f);
        assert_int_equal(found.problems, i + 1);
    }
    fixture_reopen(f);
    assert_true(f->alarms[ALARM_DAMAGED] >= 3);
    assert_int_equal(store_counters(f->store).messages, MESSAGES);
    assert_int_equal(store_counters(f->store).held, 3); /* kept, never delivered */
    uint64_t id;
    uint32_t recipient;
    enum store_due why;
    unsigned due = 0;
    while (store_due(f->store, STORE_ANY, f->now_ms, &id, &recipient, &why)) {
        assert_true(id != 1 && id != 2 && id != MESSAGES / 2);
        due++;
    }
    assert_int_equal(due, MESSAGES - 3);
    assert_int_equal(store_read_content(f->store, store_find(f->store, 1), (uint8_t[7000]){0}, 7000), -1);
}

static void envelope(void **state)
{
    struct fixture *f = *state;
    const struct message *m = store_find(f->store, 4);
    turn(f, m->home, m->envelope_offset + 3);
    assert_int_equal(verify(f).id, 4);
    fixture_reopen(f);
    assert_null(store_find(f->store, 4));
    assert_int_equal(f->damaged_id, 4); /* named */
    all_but(f, 4);
}

static void head_of_a_record(void **state)
{
    struct fixture *f = *state;
    const struct message *m = store_find(f->store, 5);
    turn(f, m->home, m->envelope_offset - RECORD_HEAD_OCTETS);
    fixture_reopen(f);
    assert_null(store_find(f->store, 5));
    assert_int_equal(f->damaged_id, 5);
    all_but(f, 5);
}

static void head_of_a_segment(void **state)
{
    struct fixture *f = *state;
    for (uint32_t segment = 1; segment <= 2; segment++) {
        turn(f, segment, 20);
        turn(f, segment, 40);
    }
    fixture_reopen(f);
    assert_true(f->alarms[ALARM_DAMAGED] >= 1);
    all_but(f, 0);
    fixture_maintain(f, 30);
    fixture_crash(f);
    all_but(f, 0);
}

static void a_whole_page_of_the_middle(void **state)
{
    struct fixture *f = *state;
    const struct message *m = store_find(f->store, 9);
    uint64_t from = message_extents(m)->offset & ~UINT64_C(4095);
    for (uint64_t at = 0; at < 4096; at += 3)
        turn(f, m->home, from + at);
    fixture_reopen(f);
    assert_true(f->alarms[ALARM_DAMAGED] >= 1);
    for (uint64_t id = 1; id <= MESSAGES; id++)
        if (id < 8 || id > 10) assert_true(fixture_whole(f, id, 7000));
}

static void damaged_segments_are_kept(void **state)
{
    struct fixture *f = *state;
    const struct message *m = store_find(f->store, 1);
    uint32_t segment = m->home;
    turn(f, segment, m->envelope_offset);
    fixture_reopen(f);
    for (uint64_t id = 2; id <= MESSAGES; id++)
        assert_true(fixture_finish(f, id));
    assert_true(fixture_flush(f));
    fixture_maintain(f, 60);
    struct disk d = sim_disk_ops(f->disk);
    char name[DISK_NAME_OCTETS];
    snprintf(name, sizeof name, "log-%08x", segment);
    int file = d.ops->open(d.context, name, DISK_READ);
    assert_true(file >= 0); /* quarantined as it is */
    d.ops->close(d.context, file);
    fixture_reopen(f);
    assert_int_equal(store_counters(f->store).messages, 0); /* and the finished ones stay finished */
}

static void large_content(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 100, 40000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    const struct message *m = store_find(f->store, 100);
    turn(f, message_extents(m)->segment, message_extents(m)->offset + 20000);
    struct found found = verify(f);
    assert_int_equal(found.problems, 1);
    assert_int_equal(found.id, 100);
    assert_int_equal(store_read_content(f->store, m, (uint8_t[40000]){0}, 40000), -1);
}

static void a_large_segment_is_missing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 100, 40000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    char name[DISK_NAME_OCTETS];
    snprintf(name, sizeof name, "big-%08x", message_extents(store_find(f->store, 100))->segment);
    store_close(&f->store);
    struct disk d = sim_disk_ops(f->disk);
    assert_int_equal(d.ops->unlink(d.context, name), 0);
    assert_true(fixture_open(f));
    assert_int_equal(f->damaged_id, 100);
    assert_true(store_find(f->store, 100)->flags & MESSAGE_DAMAGED);
    all_but(f, 0);
}

static void foreign_files_are_left_alone(void **state)
{
    struct fixture *f = *state;
    struct disk d = sim_disk_ops(f->disk);
    static const char *const names[] = {"README", "log-1", "log-0000001x", "new-00000099", "core"};
    for (size_t i = 0; i < 5; i++)
        d.ops->close(d.context, d.ops->open(d.context, names[i], DISK_CREATE));
    fixture_reopen(f);
    all_but(f, 0);
    for (size_t i = 0; i < 5; i++) {
        int file = d.ops->open(d.context, names[i], DISK_READ);
        if (i == 3) {
            assert_true(file < 0); /* what was being prepared is ours */
            continue;
        }
        assert_true(file >= 0);
        d.ops->close(d.context, file);
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(content),
                                       TEST(envelope),
                                       TEST(head_of_a_record),
                                       TEST(head_of_a_segment),
                                       TEST(a_whole_page_of_the_middle),
                                       TEST(damaged_segments_are_kept),
                                       TEST(large_content),
                                       TEST(a_large_segment_is_missing),
                                       TEST(foreign_files_are_left_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
