#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/envelope.h"

static uint8_t memory[65536];

static struct buf sample(uint32_t recipients, struct span path, struct span reverse)
{
    struct buf b = buf_on(memory, sizeof memory);
    struct envelope_head h = {.flags = ENVELOPE_8BITMIME | ENVELOPE_TLS,
                              .arrival_ms = 1234567890123,
                              .session = 99,
                              .server = SPAN("mx"),
                              .client_address = SPAN("2001:db8::1"),
                              .helo = SPAN("client.example"),
                              .reverse_path = reverse,
                              .envid = SPAN("QQ+3D314159")};
    envelope_put_head(&b, &h);
    for (uint32_t i = 0; i < recipients; i++)
        envelope_put_recipient(&b, &(struct envelope_recipient){
                                       .notify = 6, .local = 1, .path = path, .orcpt = SPAN("rfc822;x@y")});
    return b;
}

static void round_trip(void **state)
{
    (void)state;
    struct buf b = sample(2, SPAN("\"a b\"@example.org"), SPAN("s@example.net"));
    struct wire w = wire_on(buf_span(&b));
    struct envelope_head h;
    struct envelope_recipient r;
    uint32_t count = 0;
    assert_true(envelope_valid(buf_span(&b), 2, &count));
    assert_int_equal(count, 2);
    assert_true(envelope_read_head(&w, &h));
    assert_int_equal(h.flags, ENVELOPE_8BITMIME | ENVELOPE_TLS);
    assert_int_equal(h.arrival_ms, 1234567890123);
    assert_true(span_eq(h.reverse_path, SPAN("s@example.net")));
    assert_true(span_eq(h.client_address, SPAN("2001:db8::1")));
    assert_true(envelope_read_recipient(&w, &r));
    assert_true(span_eq(r.path, SPAN("\"a b\"@example.org")));
    assert_int_equal(r.notify, 6);
    assert_true(envelope_read_recipient(&w, &r));
    assert_false(envelope_read_recipient(&w, &r));
    assert_false(w.bad);
}

static void flags_change(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, sizeof memory);
    struct envelope_head h;
    envelope_put_head(&b,
                      &(struct envelope_head){.flags = ENVELOPE_8BITMIME | ENVELOPE_TLS | ENVELOPE_SMTPUTF8,
                                              .arrival_ms = 7,
                                              .reverse_path = SPAN("a@b.example")});
    envelope_change_flags(b.p, b.n, ENVELOPE_8BITMIME | ENVELOPE_SMTPUTF8, 0);
    struct wire w = wire_on(buf_span(&b));
    assert_true(envelope_read_head(&w, &h));
    assert_int_equal(h.flags, ENVELOPE_TLS);
    assert_int_equal(h.arrival_ms, 7);
    envelope_change_flags(b.p, b.n, 0, ENVELOPE_8BITMIME);
    w = wire_on(buf_span(&b));
    assert_true(envelope_read_head(&w, &h));
    assert_int_equal(h.flags, ENVELOPE_TLS | ENVELOPE_8BITMIME);
}

static void null_reverse_path(void **state)
{
    (void)state;
    struct buf b = sample(1, SPAN("postmaster"), SPAN(""));
    uint32_t count;
    assert_true(envelope_valid(buf_span(&b), 1, &count));
}

static void envid_is_ascii(void **state)
{
    (void)state;
    static uint8_t octets[512];
    struct buf b = buf_on(octets, sizeof octets);
    envelope_put_head(&b, &(struct envelope_head){.server = SPAN("mx"), .envid = SPAN("\xc3\xa4")});
    struct wire w = wire_on(buf_span(&b));
    struct envelope_head h;
    assert_false(envelope_read_head(&w, &h));
}

static void count_is_bounded(void **state)
{
    (void)state;
    struct buf b = sample(3, SPAN("a@b"), SPAN("c@d"));
    uint32_t count;
    assert_false(envelope_valid(buf_span(&b), 2, &count));
    b = sample(0, SPAN("a@b"), SPAN("c@d"));
    assert_false(envelope_valid(buf_span(&b), 2, &count));
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    struct buf b = sample(1, SPAN("a@example.org"), SPAN("c@example.org"));
    uint32_t count;
    for (size_t n = 0; n < b.n; n++)
        assert_false(envelope_valid(span_head(buf_span(&b), n), 10, &count));
    b.p[b.n] = 0;
    assert_false(envelope_valid(span_of(b.p, b.n + 1), 10, &count));
}

static void control_octets_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r@b", "a\n@b", "a@b\x01", "\x7f@b", "a\tb@c"};
    uint32_t count;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = sample(1, span_str(bad[i]), SPAN("c@d"));
        assert_false(envelope_valid(buf_span(&b), 10, &count));
        b = sample(1, SPAN("a@b"), span_str(bad[i]));
        assert_false(envelope_valid(buf_span(&b), 10, &count));
    }
    struct buf b = sample(1, span_of("a\0@b", 4), SPAN("c@d"));
    assert_false(envelope_valid(buf_span(&b), 10, &count));
}

static void other_nonsense_is_refused(void **state)
{
    (void)state;
    uint8_t path[300];
    uint32_t count;
    memset(path, 'a', sizeof path);
    struct buf b = sample(1, span_of(path, LIMIT_PATH_OCTETS + 1), SPAN("c@d"));
    assert_false(envelope_valid(buf_span(&b), 10, &count));
    b = sample(1, span_of(path, LIMIT_PATH_OCTETS), SPAN("c@d"));
    assert_true(envelope_valid(buf_span(&b), 10, &count));
    b = sample(1, SPAN(""), SPAN("c@d"));
    assert_false(envelope_valid(buf_span(&b), 10, &count));
    b = sample(1, SPAN("a@b"), SPAN("c@d"));
    b.p[0] = ENVELOPE_VERSION + 1;
    assert_false(envelope_valid(buf_span(&b), 10, &count));
    b = sample(1, SPAN("a@b"), SPAN("c@d"));
    b.p[3] = 1; /* an unknown flag */
    assert_false(envelope_valid(buf_span(&b), 10, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip),
                                       cmocka_unit_test(flags_change),
                                       cmocka_unit_test(null_reverse_path),
                                       cmocka_unit_test(envid_is_ascii),
                                       cmocka_unit_test(count_is_bounded),
                                       cmocka_unit_test(every_cut_is_refused),
                                       cmocka_unit_test(control_octets_are_refused),
                                       cmocka_unit_test(other_nonsense_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
