#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/index.h"
#include "spool/question.h"
#include "spool/schedule.h"

static uint8_t memory[4096];

static struct span envelope(struct span reverse, uint32_t flags)
{
    struct buf b = buf_on(memory, sizeof memory);
    envelope_put_head(&b, &(struct envelope_head){.flags = flags, .reverse_path = reverse});
    envelope_put_recipient(
        &b, &(struct envelope_recipient){.local = 1, .notify = 4, .path = SPAN("first@example.org")});
    envelope_put_recipient(&b, &(struct envelope_recipient){.path = SPAN("second@example.net")});
    return buf_span(&b);
}

static const struct commit_payload commit = {
    .content_octets = 10, .arrival_ms = 5, .envelope_offset = 77, .count = 1};
static const struct extent content = {1, 10, 32, 4711};

static void built_from_its_envelope(void **state)
{
    (void)state;
    struct index x = {0};
    struct message *m = index_build(&x, 42, &commit, envelope(SPAN("s@example.org"), 0), &content);
    assert_int_equal(m->n_recipients, 2);
    assert_true(span_eq(message_reverse_path(m), SPAN("s@example.org")));
    const struct recipient *r = message_recipients(m);
    assert_true(span_eq(message_path(m, &r[0]), SPAN("first@example.org")));
    assert_true(span_eq(message_path(m, &r[1]), SPAN("second@example.net")));
    assert_int_equal(r[0].flags, RECIPIENT_LOCAL);
    assert_int_equal(r[0].notify, 4);
    assert_int_equal(r[1].flags, 0);
    assert_memory_equal(message_extents(m), &content, sizeof content);
    assert_false(m->flags & MESSAGE_DSN);
    index_free(&x, m);
    m = index_build(&x, 42, &commit, envelope(SPAN(""), 0), &content);
    assert_true(m->flags & MESSAGE_DSN);
    index_free(&x, m);
    m = index_build(&x, 42, &commit, envelope(SPAN("s@example.org"), ENVELOPE_DSN), &content);
    assert_true(m->flags & MESSAGE_DSN);
    assert_int_equal(m->envelope_flags, ENVELOPE_DSN);
    index_free(&x, m);
    assert_null(index_build(&x, 42, &commit, SPAN("nonsense"), &content));
    assert_int_equal(x.slab.used, 0);
    index_destroy(&x);
}

/* The same recipient twice is one recipient, which hears of all that was asked for. */
static void written_twice(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        uint8_t local, notify, expect, state;
    } rows[] = {
        {"one@example.org", 1, 0, 14, RECIPIENT_QUEUED},  {"Two@example.net", 0, 1, 2, RECIPIENT_QUEUED},
        {"ONE@Example.org", 1, 2, 2, RECIPIENT_VOID},     {"two@example.net", 0, 4, 4, RECIPIENT_QUEUED},
        {"Two@EXAMPLE.net", 0, 2, 2, RECIPIENT_VOID},     {"one@example.org", 0, 0, 0, RECIPIENT_QUEUED},
        {"postmaster", 1, 4, 12, RECIPIENT_QUEUED},       {"Postmaster", 1, 8, 8, RECIPIENT_VOID},
        {"three@example.org", 1, 8, 8, RECIPIENT_QUEUED}, {"three@example.org", 1, 1, 1, RECIPIENT_VOID}};
    enum { ROWS = sizeof rows / sizeof rows[0] };
    struct index x = {0};
    struct buf b = buf_on(memory, sizeof memory);
    envelope_put_head(&b, &(struct envelope_head){.reverse_path = SPAN("s@example.org")});
    for (unsigned i = 0; i < ROWS; i++)
        envelope_put_recipient(&b, &(struct envelope_recipient){.local = rows[i].local,
                                                                .notify = rows[i].notify,
                                                                .path = span_str(rows[i].path)});
    struct message *m = index_build(&x, 42, &commit, buf_span(&b), &content);
    assert_int_equal(m->n_recipients, ROWS);
    assert_int_equal(m->n_open, 6);
    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(message_recipients(m)[i].state, rows[i].state);
        assert_int_equal(message_recipients(m)[i].notify, rows[i].expect);
    }
    index_free(&x, m);
    index_destroy(&x);
}

/* As many as there may be, each twice: the work grows with their number. */
static void thousands_written_twice(void **state)
{
    (void)state;
    static uint8_t octets[1 << 20];
    struct index x = {0};
    struct buf b = buf_on(octets, sizeof octets);
    envelope_put_head(&b, &(struct envelope_head){.reverse_path = SPAN("s@example.org")});
    for (unsigned i = 0; i < LIMIT_RECIPIENTS_MAX; i++) {
        uint8_t path[32];
        struct buf p = buf_on(path, sizeof path);
        buf_str(&p, "r");
        buf_u64(&p, i % (LIMIT_RECIPIENTS_MAX / 2));
        buf_str(&p, "@example.net");
        envelope_put_recipient(&b, &(struct envelope_recipient){.path = buf_span(&p)});
    }
    assert_false(b.over);
    struct message *m = index_build(&x, 42, &commit, buf_span(&b), &content);
    assert_int_equal(m->n_open, LIMIT_RECIPIENTS_MAX / 2);
    assert_int_equal(message_recipients(m)[LIMIT_RECIPIENTS_MAX / 2 - 1].state, RECIPIENT_QUEUED);
    assert_int_equal(message_recipients(m)[LIMIT_RECIPIENTS_MAX / 2].state, RECIPIENT_VOID);
    index_free(&x, m);
    index_destroy(&x);
}

static void knows_parameters_of_dsn(void **state)
{
    (void)state;
    struct index x = {0};
    struct message *m =
        index_build(&x, 42, &commit, envelope(SPAN("s@example.org"), ENVELOPE_8BITMIME), &content);
    assert_false(m->flags & MESSAGE_DSN_PARAMETERS);
    assert_int_equal(m->envelope_flags, ENVELOPE_8BITMIME);
    index_free(&x, m);
    struct buf b = buf_on(memory, sizeof memory);
    envelope_put_head(&b,
                      &(struct envelope_head){.envid = SPAN("abc"), .reverse_path = SPAN("s@example.org")});
    envelope_put_recipient(&b, &(struct envelope_recipient){.path = SPAN("second@example.net")});
    m = index_build(&x, 42, &commit, buf_span(&b), &content);
    assert_true(m->flags & MESSAGE_DSN_PARAMETERS);
    index_free(&x, m);
    b.n = 0;
    envelope_put_head(&b, &(struct envelope_head){.reverse_path = SPAN("s@example.org")});
    envelope_put_recipient(
        &b, &(struct envelope_recipient){.path = SPAN("a@example.net"), .orcpt = SPAN("rfc822;a")});
    m = index_build(&x, 42, &commit, buf_span(&b), &content);
    assert_true(m->flags & MESSAGE_DSN_PARAMETERS);
    index_free(&x, m);
    index_destroy(&x);
}

static void grows(void **state)
{
    (void)state;
    struct index x = {0};
    struct message *m = index_build(&x, 42, &commit, envelope(SPAN("s@example.org"), 0), &content);
    assert_true(id_map_insert(&x.map, 42, m));
    m = index_grow(&x, m, 5, 100);
    assert_ptr_equal(id_map_find(&x.map, 42), m);
    assert_int_equal(m->n_recipients, 5);
    for (int i = 2; i < 5; i++)
        assert_int_equal(message_recipients(m)[i].state, RECIPIENT_VOID);
    assert_memory_equal(message_extents(m), &content, sizeof content);
    assert_true(span_eq(message_path(m, &message_recipients(m)[1]), SPAN("second@example.net")));
    assert_true(span_eq(message_reverse_path(m), SPAN("s@example.org")));
    index_destroy(&x);
}

static void counts(void **state)
{
    (void)state;
    struct index x = {0};
    struct message *m = index_build(&x, 42, &commit, envelope(SPAN("s@example.org"), 0), &content);
    struct recipient *r = message_recipients(m);
    m->flags = MESSAGE_PENDING;
    index_count_all(&x, m, 1);
    assert_int_equal(x.messages + x.recipients, 0);
    m->flags = 0;
    r[1].state = RECIPIENT_DEFERRED;
    index_count_all(&x, m, 1);
    assert_int_equal(x.messages, 1);
    assert_int_equal(x.queued, 1);
    assert_int_equal(x.deferred, 1);
    index_count(&x, m, &r[0], -1);
    r[0].state = RECIPIENT_DELIVERED;
    index_count(&x, m, &r[0], 1);
    assert_int_equal(x.queued, 0);
    assert_int_equal(x.recipients, 1);
    index_count_all(&x, m, -1);
    m->flags = MESSAGE_HELD;
    index_count_all(&x, m, 1);
    assert_int_equal(x.held, 1);
    assert_int_equal(x.deferred, 0);
    index_free(&x, m);
    index_destroy(&x);
}

static void an_ordinary_message_is_small(void **state)
{
    (void)state;
    struct index x = {0};
    struct buf b = buf_on(memory, sizeof memory);
    envelope_put_head(&b, &(struct envelope_head){.reverse_path = SPAN("some.sender.name@mail.example.com")});
    envelope_put_recipient(
        &b, &(struct envelope_recipient){.local = 1, .path = SPAN("a.recipient@department.example.org")});
    struct message *m = index_build(&x, 42, &commit, buf_span(&b), &content);
    /* its block, its place in the map (full pages) and in the schedule */
    assert_true(x.slab.used + 2 * sizeof(uint64_t) + sizeof(struct schedule_item) <= 256);
    index_free(&x, m);
    index_destroy(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(built_from_its_envelope),
                                       cmocka_unit_test(written_twice),
                                       cmocka_unit_test(thousands_written_twice),
                                       cmocka_unit_test(knows_parameters_of_dsn),
                                       cmocka_unit_test(grows),
                                       cmocka_unit_test(counts),
                                       cmocka_unit_test(an_ordinary_message_is_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
