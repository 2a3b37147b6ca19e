/* Heads of records, and the payloads that describe messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/payload.h"
#include "spool/record.h"

static uint8_t memory[65536];
static const struct record sample = {.id = 0x1122334455667788,
                                     .length = 100,
                                     .payload_crc = 5,
                                     .epoch = 9,
                                     .batch = 65535,
                                     .type = RECORD_STATE,
                                     .flags = RECORD_END};

static void every_bit_counts(void **state)
{
    (void)state;
    uint8_t head[RECORD_HEAD_OCTETS];
    struct record back;
    record_head_put(head, &sample, 4711);
    assert_true(record_head_read(head, 9, 4711, &back));
    assert_memory_equal(&back, &sample, sizeof back);
    for (size_t bit = 0; bit < sizeof head * 8; bit++) {
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool same = record_head_read(head, 9, 4711, &back);
        assert_false(same);
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void another_epoch_or_salt_never_verifies(void **state)
{
    (void)state;
    uint8_t head[RECORD_HEAD_OCTETS];
    struct record back;
    record_head_put(head, &sample, 4711);
    assert_false(record_head_read(head, 8, 4711, &back));
    assert_false(record_head_read(head, 9, 4712, &back));
    assert_false(record_head_read(head, 9, 4711 | UINT64_C(1) << 40, &back));
    assert_false(record_head_read(head, 9, 0, &back));
}

static void wrong_fields_never_verify(void **state)
{
    (void)state;
    uint8_t head[RECORD_HEAD_OCTETS];
    struct record r = sample, back;
    r.type = 0;
    record_head_put(head, &r, 0);
    assert_false(record_head_read(head, 9, 0, &back));
    r.type = RECORD_TYPE_END;
    record_head_put(head, &r, 0);
    assert_false(record_head_read(head, 9, 0, &back));
    r = sample;
    r.length = LIMIT_SEGMENT_OCTETS + 1;
    record_head_put(head, &r, 0);
    assert_false(record_head_read(head, 9, 0, &back));
}

static void places(void **state)
{
    (void)state;
    struct record r = sample;
    assert_int_equal(record_octets(0), 32);
    assert_int_equal(record_octets(1), 40);
    assert_int_equal(record_octets(8), 40);
    assert_int_equal(record_next(0, &r), 4096);
    r.flags = 0;
    assert_int_equal(record_next(0, &r), 136);
    memset(memory, 0, sizeof memory);
    record_head_put(memory + 808, &r, 3);
    assert_int_equal(record_find(memory, sizeof memory, 0, 9, 3), 808);
    assert_int_equal(record_find(memory, sizeof memory, 816, 9, 3), sizeof memory);
    assert_int_equal(record_find(memory, 808 + 31, 0, 9, 3), 808 + 31);
}

static void state_payloads(void **state)
{
    (void)state;
    uint8_t history[256], derived[256];
    struct buf h = buf_on(history, sizeof history), d = buf_on(derived, sizeof derived),
               b = buf_on(memory, sizeof memory);
    state_payload_history(
        &h, (struct span){0},
        &(struct state_event){
            .time_ms = 5, .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("full")});
    derived_put(&d, &(struct derived){1, SPAN("a@b")});
    derived_put(&d, &(struct derived){0, SPAN("c@d")});
    struct state_payload s = {.home = 3,
                              .recipient = 4,
                              .state = RECIPIENT_EXPANDED,
                              .attempts = 2,
                              .history = buf_span(&h),
                              .first = 5,
                              .count = 2,
                              .owner = SPAN("o@p"),
                              .derived = buf_span(&d)},
                         back;
    state_payload_put(&b, &s);
    assert_false(b.over);
    assert_int_equal(b.n, state_payload_octets(&s));
    for (size_t n = 0; n < b.n; n++)
        assert_false(state_payload_read(span_of(b.p, n), &back));
    assert_true(state_payload_read(buf_span(&b), &back));
    assert_true(span_eq(back.owner, SPAN("o@p")));
    s.count = 3;
    b = buf_on(memory, sizeof memory);
    state_payload_put(&b, &s);
    assert_false(state_payload_read(buf_span(&b), &back));
    s.count = 2;
    s.first = LIMIT_MESSAGE_RECIPIENTS;
    b = buf_on(memory, sizeof memory);
    state_payload_put(&b, &s);
    assert_false(state_payload_read(buf_span(&b), &back));
}

static void history_keeps_the_first_and_the_newest(void **state)
{
    (void)state;
    static uint8_t a[8192], c[8192];
    struct span history = {0};
    for (uint64_t i = 0; i < 500; i++) {
        struct buf b = buf_on(i % 2 ? a : c, sizeof a);
        state_payload_history(&b, history,
                              &(struct state_event){.time_ms = i,
                                                    .state = RECIPIENT_DEFERRED,
                                                    .enhanced = SPAN("4.0.0"),
                                                    .text = SPAN("connection refused by the other side")});
        assert_false(b.over);
        history = buf_span(&b);
        assert_true(history.n <= LIMIT_STATE_HISTORY_OCTETS);
    }
    struct wire w = wire_on(history);
    struct state_event e;
    assert_true(state_event_read(&w, &e));
    assert_int_equal(e.time_ms, 0);
    uint64_t last = 0, n = 1;
    while (state_event_read(&w, &e)) {
        assert_true(e.time_ms > last);
        last = e.time_ms;
        n++;
    }
    assert_false(w.bad);
    assert_int_equal(last, 499);
    assert_true(n > 20);
}

static void commit_payloads(void **state)
{
    (void)state;
    struct extent extents[2] = {{1, 10, 100, 1}, {2, 20, 200, 2}};
    struct commit_payload c = {.content_octets = 30,
                               .arrival_ms = 1,
                               .envelope_offset = 64,
                               .envelope_length = 12,
                               .count = 2},
                          back;
    struct buf b = buf_on(memory, sizeof memory);
    commit_payload_put(&b, &c, extents);
    assert_int_equal(b.n, COMMIT_PAYLOAD_OCTETS(2));
    assert_true(commit_payload_read(buf_span(&b), &back));
    for (size_t n = 0; n < b.n; n++)
        assert_false(commit_payload_read(span_of(b.p, n), &back));
    c.content_octets = 31; /* what the extents hold is what the message has */
    b = buf_on(memory, sizeof memory);
    commit_payload_put(&b, &c, extents);
    assert_false(commit_payload_read(buf_span(&b), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_bit_counts),
                                       cmocka_unit_test(another_epoch_or_salt_never_verifies),
                                       cmocka_unit_test(wrong_fields_never_verify),
                                       cmocka_unit_test(places),
                                       cmocka_unit_test(state_payloads),
                                       cmocka_unit_test(history_keeps_the_first_and_the_newest),
                                       cmocka_unit_test(commit_payloads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
