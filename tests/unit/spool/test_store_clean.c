/* A spool that was stopped in order, or not, and a disk that lost something since: damage is named once, kept, and hides nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "spool/segment.h"

#define MESSAGES 12 /* each a batch of its own; all in one segment */
#define OCTETS   900
#define LOG      "log-00000001"

struct seen {
    unsigned problems;
    uint32_t segment;
    uint64_t offset, id;
};

static void on_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    struct seen *seen = context;
    assert_true(text[0] != 0);
    seen->problems++;
    seen->segment = segment;
    seen->offset = offset;
    seen->id = id;
}

static struct seen verify(struct fixture *f)
{
    struct seen seen = {0};
    struct verify_report report = {.problem = on_problem, .context = &seen};
    uint64_t cursor = 0;
    while (store_verify(f->store, &cursor, &report)) {
    }
    assert_int_equal(report.damaged, seen.problems);
    assert_int_equal(store_counters(f->store).damaged, seen.problems); /* status says the same */
    return seen;
}

static struct fixture *filled(void)
{
    struct fixture *f = fixture_new();
    for (uint64_t id = 1; id <= MESSAGES; id++) {
        assert_int_equal(fixture_commit(f, id, OCTETS, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
    }
    return f;
}

static void stop(struct fixture *f)
{
    assert_true(store_stop(&f->store, f->now_ms));
}

static bool exists(struct fixture *f, const char *name)
{
    for (unsigned i = 0; sim_disk_name(f->disk, i); i++)
        if (strcmp(sim_disk_name(f->disk, i), name) == 0) return true;
    return false;
}

static void start(struct fixture *f)
{
    memset(f->alarms, 0, sizeof f->alarms);
    assert_true(fixture_open(f));
}

static void all_from(struct fixture *f, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++)
        assert_true(fixture_whole(f, id, OCTETS));
}

/* New mail, maintenance, another start: the damaged file is still there, named again, and so is what was intact in it. */
static void goes_on(struct fixture *f, unsigned problems, uint64_t first, uint64_t last)
{
    assert_int_equal(fixture_commit(f, 100, OCTETS, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_false(exists(f, "clean-stop"));
    fixture_maintain(f, 50);
    assert_true(exists(f, LOG));
    memset(f->alarms, 0, sizeof f->alarms);
    fixture_crash(f);
    assert_int_equal(f->alarms[ALARM_DAMAGED], problems);
    assert_int_equal(verify(f).problems, problems);
    all_from(f, first, last);
    assert_true(fixture_whole(f, 100, OCTETS));
}

static void nothing_wrong(void **state)
{
    (void)state;
    struct fixture *f = filled();
    stop(f);
    assert_true(exists(f, "clean-stop") && exists(f, "salt"));
    for (int i = 0; i < 3; i++) { /* a start without mail leaves the mark */
        start(f);
        assert_int_equal(f->alarms[ALARM_DAMAGED] + verify(f).problems, 0);
        all_from(f, 1, MESSAGES);
        assert_true(exists(f, "clean-stop"));
        if (i < 2) stop(f);
    }
    for (uint64_t id = 50; id < 52; id++) { /* the same segment is written on */
        assert_int_equal(fixture_commit(f, id, OCTETS, 1), STORE_PENDING);
        assert_false(exists(f, "clean-stop")); /* gone before the batch is written */
        assert_true(fixture_flush(f));
        assert_int_equal(store_find(f->store, id)->home, store_find(f->store, MESSAGES)->home);
    }
    fixture_crash(f);
    assert_int_equal(f->alarms[ALARM_DAMAGED] + verify(f).problems, 0);
    all_from(f, 1, MESSAGES);
    all_from(f, 50, 51);
    fixture_free(&f);
}

static void a_bit_of_the_first_record(void **state)
{
    (void)state;
    for (int clean = 0; clean < 2; clean++)
        for (uint64_t offset = 0; offset <= 40; offset++) {
            struct fixture *f = filled();
            if (clean)
                stop(f);
            else
                store_close(&f->store);
            assert_true(sim_disk_damage(f->disk, LOG, offset, 0x04));
            start(f);
            struct seen seen = verify(f);
            assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
            assert_int_equal(seen.problems, 1);
            assert_true(seen.segment == 1 && seen.offset == 0 && seen.id == 0);
            all_from(f, 1, MESSAGES); /* what stands behind it is intact and counts */
            goes_on(f, 1, 1, MESSAGES);
            fixture_free(&f);
        }
}

static void the_first_page(void **state)
{
    (void)state;
    for (int clean = 0; clean < 2; clean++) {
        struct fixture *f = filled();
        if (clean)
            stop(f);
        else
            store_close(&f->store);
        struct disk d = sim_disk_ops(f->disk);
        static _Alignas(DISK_ALIGN) const uint8_t zeros[4096];
        int file = d.ops->open(d.context, LOG, DISK_WRITE);
        assert_int_equal(disk_write(&d, file, zeros, sizeof zeros, 0), 0);
        assert_int_equal(d.ops->sync(d.context, file), 0);
        d.ops->close(d.context, file);
        start(f);
        assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
        assert_int_equal(verify(f).problems, 1);
        all_from(f, 1, MESSAGES);
        goes_on(f, 1, 1, MESSAGES);
        fixture_free(&f);
    }
}

static void a_bit_of_the_last_batch(void **state)
{
    (void)state;
    struct fixture *f = filled();
    const struct message *m = store_find(f->store, MESSAGES);
    assert_int_equal(m->home, 1);
    uint64_t envelope = m->envelope_offset, content = message_extents(m)->offset;
    const uint64_t offsets[] = {content - 20, content + 5, envelope - 30, envelope + 9,
                                envelope + m->envelope_length + 20};
    fixture_free(&f);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        f = filled();
        stop(f);
        assert_true(sim_disk_damage(f->disk, LOG, offsets[i], 0x20));
        start(f);
        assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
        struct seen seen = verify(f);
        assert_int_equal(seen.problems, 1);
        assert_true(seen.offset <= offsets[i] && seen.offset + 4096 > offsets[i]);
        all_from(f, 1, MESSAGES - 1);
        goes_on(f, 1, 1, MESSAGES - 1);
        fixture_free(&f);
    }
}

static void the_last_batch_without_a_mark_is_a_torn_tail(void **state)
{
    (void)state;
    struct fixture *f = filled();
    const struct message *m = store_find(f->store, MESSAGES);
    uint64_t content = message_extents(m)->offset;
    store_close(&f->store);
    assert_true(sim_disk_damage(f->disk, LOG, content + 5, 1));
    start(f);
    assert_int_equal(f->alarms[ALARM_DAMAGED] + verify(f).problems, 0);
    all_from(f, 1, MESSAGES - 1);
    fixture_free(&f);
}

static void a_batch_before_the_last(void **state) /* no mark is needed: the later batch proves it */
{
    (void)state;
    struct fixture *f = filled();
    const struct message *m = store_find(f->store, MESSAGES - 1);
    uint64_t content = message_extents(m)->offset;
    store_close(&f->store);
    assert_true(sim_disk_damage(f->disk, LOG, content + 5, 1));
    start(f);
    assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
    struct seen seen = verify(f);
    assert_int_equal(seen.problems, 1);
    assert_int_equal(seen.id, MESSAGES - 1);
    assert_true(store_find(f->store, MESSAGES - 1)->flags & MESSAGE_DAMAGED); /* kept on hold */
    all_from(f, 1, MESSAGES - 2);
    all_from(f, MESSAGES, MESSAGES);
    goes_on(f, 1, 1, MESSAGES - 2);
    fixture_free(&f);
}

static void truncated(void **state)
{
    (void)state;
    for (uint64_t octets = 0; octets <= 40960; octets += 40960 / 8 + 8) {
        struct fixture *f = filled();
        uint64_t last = MESSAGES;
        stop(f);
        assert_true(sim_disk_truncate(f->disk, LOG, octets));
        start(f);
        assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
        struct seen seen = verify(f);
        assert_int_equal(seen.problems, 1);
        assert_true(seen.segment == 1 && seen.offset <= octets + 4096);
        while (last > 0 && !fixture_whole(f, last, OCTETS))
            last--;
        assert_true(last < MESSAGES && last + 2 >= octets / 4096); /* a batch has one message here */
        goes_on(f, 1, 1, last);
        fixture_free(&f);
    }
}

static void deleted(void **state)
{
    (void)state;
    struct fixture *f = filled();
    stop(f);
    struct disk d = sim_disk_ops(f->disk);
    assert_int_equal(d.ops->unlink(d.context, LOG), 0);
    start(f);
    assert_true(f->alarms[ALARM_DAMAGED] >= 1);
    struct seen seen = verify(f);
    assert_int_equal(seen.problems, f->alarms[ALARM_DAMAGED]);
    assert_int_equal(seen.segment, 1);
    stop(f);
    start(f); /* named again while nothing was written */
    assert_true(f->alarms[ALARM_DAMAGED] >= 1);
    assert_int_equal(fixture_commit(f, 100, OCTETS, 1), STORE_PENDING); /* it serves */
    assert_true(fixture_flush(f));
    assert_true(store_find(f->store, 100)->home > 1); /* the number is not used again */
    fixture_free(&f);
}

static void large_deleted_or_short(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct fixture *f = filled();
        assert_int_equal(fixture_commit(f, 60, 40000, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
        uint32_t number = message_extents(store_find(f->store, 60))->segment;
        char name[DISK_NAME_OCTETS];
        segment_name_put(name, NAME_LARGE, number);
        stop(f);
        struct disk d = sim_disk_ops(f->disk);
        if (how)
            assert_true(sim_disk_truncate(f->disk, name, 4096));
        else
            assert_int_equal(d.ops->unlink(d.context, name), 0);
        start(f);
        assert_true(f->alarms[ALARM_DAMAGED] >= 1);
        assert_true(verify(f).problems == f->alarms[ALARM_DAMAGED]);
        assert_true(store_find(f->store, 60)->flags & MESSAGE_DAMAGED);
        all_from(f, 1, MESSAGES);
        fixture_free(&f);
    }
}

static void a_leftover_mark_is_not_believed(void **state)
{
    (void)state;
    static _Alignas(DISK_ALIGN) uint8_t mark[8192];
    struct fixture *f = filled();
    stop(f);
    struct disk d = sim_disk_ops(f->disk);
    int file = d.ops->open(d.context, "clean-stop", DISK_READ);
    int64_t n = d.ops->read(d.context, file, mark, sizeof mark, 0);
    d.ops->close(d.context, file);
    assert_true(n > 0 && n % DISK_ALIGN == 0);
    start(f);
    assert_int_equal(fixture_commit(f, 100, OCTETS, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    store_close(&f->store);
    file = d.ops->open(d.context, "clean-stop", DISK_CREATE); /* it is back */
    assert_int_equal(disk_write(&d, file, mark, (size_t)n, 0), 0);
    d.ops->close(d.context, file);
    start(f);
    assert_int_equal(f->alarms[ALARM_DAMAGED] + verify(f).problems, 0);
    all_from(f, 1, MESSAGES);
    all_from(f, 100, 100);
    fixture_free(&f);
}

static void a_damaged_mark_is_none(void **state)
{
    (void)state;
    for (uint64_t offset = 0; offset < 96; offset++) {
        struct fixture *f = filled();
        stop(f);
        assert_true(sim_disk_damage(f->disk, "clean-stop", offset, 0x81));
        start(f);
        assert_int_equal(f->alarms[ALARM_DAMAGED] + verify(f).problems, 0);
        all_from(f, 1, MESSAGES);
        stop(f); /* made again */
        assert_true(sim_disk_damage(f->disk, LOG, 4096 * 3 + 50, 1));
        start(f);
        assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
        fixture_free(&f);
    }
}

static void no_salt_left(void **state) /* nothing can be told, so nothing is thrown away */
{
    (void)state;
    struct fixture *f = filled();
    store_close(&f->store);
    assert_true(sim_disk_damage(f->disk, LOG, 36, 1));
    assert_true(sim_disk_damage(f->disk, "salt", 36, 1));
    start(f);
    assert_int_equal(f->alarms[ALARM_DAMAGED], 1);
    assert_int_equal(verify(f).problems, 1);
    fixture_maintain(f, 50);
    assert_true(exists(f, LOG));
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wrong),
        cmocka_unit_test(a_bit_of_the_first_record),
        cmocka_unit_test(the_first_page),
        cmocka_unit_test(a_bit_of_the_last_batch),
        cmocka_unit_test(the_last_batch_without_a_mark_is_a_torn_tail),
        cmocka_unit_test(a_batch_before_the_last),
        cmocka_unit_test(truncated),
        cmocka_unit_test(deleted),
        cmocka_unit_test(large_deleted_or_short),
        cmocka_unit_test(a_leftover_mark_is_not_believed),
        cmocka_unit_test(a_damaged_mark_is_none),
        cmocka_unit_test(no_salt_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
