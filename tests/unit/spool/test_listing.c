#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "spool/listing.h"
#include "spool/message_id.h"

static uint8_t memory[LISTING_TEXT_OCTETS + 1];
static struct listing_verified verified;

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

/* All pages; counts lines, keeps the last page's text in memory. */
static unsigned ask(struct fixture *f, struct question q, enum answer_status want)
{
    unsigned lines = 0;
    bool last = false;
    q.cursor = 0;
    for (int page = 0; page < 1000 && !last; page++) {
        struct buf b = buf_on(memory, LISTING_TEXT_OCTETS);
        assert_int_equal(listing_answer(f->store, &q, &verified, &b, &q.cursor, &last), want);
        assert_false(b.over);
        memory[b.n] = 0;
        assert_true(b.n == 0 || memory[b.n - 1] == '\n');
        for (size_t i = 0; i < b.n; i++)
            lines += memory[i] == '\n';
    }
    assert_true(last);
    return lines;
}

static bool says(const char *text)
{
    return strstr((const char *)memory, text) != NULL;
}

static void list(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 700; id++)
        assert_int_equal(fixture_commit(f, id, 50, 1 + (uint32_t)(id % 2)), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_LIST, .page = 1000}, ANSWER_OK), 700);
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_LIST, .page = 7}, ANSWER_OK), 700);
    assert_int_equal(
        ask(f, (struct question){.kind = QUESTION_LIST, .page = 1000, .to = SPAN("R1@EXAMPLE")}, ANSWER_OK),
        350);
    assert_int_equal(
        ask(f, (struct question){.kind = QUESTION_LIST, .page = 1000, .from = SPAN("nobody")}, ANSWER_OK), 0);
    assert_true(store_hold(f->store, 3, true, f->now_ms));
    assert_int_equal(
        ask(f, (struct question){.kind = QUESTION_LIST, .page = 9, .states = QUESTION_HELD}, ANSWER_OK), 1);
    assert_true(says("\"id\":\"0000000000003\",\"state\":\"held\""));
    assert_true(says("\"reason\":\"held by an operator\""));
    assert_true(says("\"arrival\":\"2026-11-25T"));
    assert_int_equal(
        ask(f, (struct question){.kind = QUESTION_LIST, .page = 9, .states = QUESTION_DEFERRED}, ANSWER_OK),
        0);
}

static void many_recipients(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 50, 500), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_LIST, .page = 9}, ANSWER_OK), 1);
    assert_true(says("\"more\":480"));
    struct attempt a = {
        .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("full, \"really\"\\")};
    for (uint32_t i = 0; i < 500; i++)
        assert_true(store_attempt(f->store, 1, i, &a, f->now_ms));
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .id = 1}, ANSWER_OK),
                     502); /* head, arrival, attempts */
    assert_true(says("full, \\\"really\\\"\\\\"));
}

static void show(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 50, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .id = 2}, ANSWER_UNKNOWN), 0);
    struct attempt a = {.state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("mailbox full")};
    for (int i = 0; i < 3; i++)
        assert_true(store_attempt(f->store, 1, 0, &a, f->now_ms += 1000000));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .id = 1}, ANSWER_OK), 5);
    assert_true(says("\"event\":\"arrival\",\"server\":\"mx\",\"client\":\"192.0.2.1\""));
    assert_true(says("\"attempts\":3"));
    assert_true(says("\"state\":\"deferred\",\"status\":\"4.2.2\",\"text\":\"mailbox full\""));
}

static void counts_and_verify(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 20; id++) {
        assert_int_equal(fixture_commit(f, id, 7000, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
    }
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_COUNTS}, ANSWER_OK), 1);
    assert_true(says("{\"queued\":20,\"deferred\":0,\"held\":0,\"messages\":20,"));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_VERIFY}, ANSWER_OK), 1);
    assert_true(says("\"messages\":20,\"damaged\":0}"));
    assert_true(sim_disk_damage(f->disk, "log-00000001", 4096 + 3000, 1));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_VERIFY}, ANSWER_OK), 2);
    assert_true(says("\"damaged\":1}"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(list), TEST(many_recipients), TEST(show),
                                       TEST(counts_and_verify)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
