/* What spooler and relay say to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/envelope.h"
#include "spool/relay_job.h"

static uint8_t memory[65536];

/* Every cut and one octet more must be refused. */
#define EXACT(read, b, to)                                                                                   \
    do {                                                                                                     \
        assert_false((b).over);                                                                              \
        for (size_t n = 0; n < (b).n; n++)                                                                   \
            assert_false(read(span_of((b).p, n), to));                                                       \
        (b).p[(b).n] = 0;                                                                                    \
        assert_false(read(span_of((b).p, (b).n + 1), to));                                                   \
        assert_true(read(buf_span(&(b)), to));                                                               \
    } while (0)

static struct relay_head a_head(void)
{
    return (struct relay_head){
        .job = 1,
        .id = 2,
        .content_octets = 3,
        .flags = ENVELOPE_8BITMIME | ENVELOPE_DSN,
        .recipients = 4,
        .hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_DANE, .name = SPAN("example.org")},
        .reverse_path = SPAN("s@example.org"),
        .envid = SPAN("a+2Bb")};
}

static bool head_taken(const struct relay_head *h)
{
    struct relay_head back;
    struct buf b = buf_on(memory, sizeof memory);
    relay_head_put(&b, h);
    return relay_head_read(buf_span(&b), &back);
}

static void head(void **state)
{
    (void)state;
    struct relay_head h = a_head(), back;
    struct buf b = buf_on(memory, sizeof memory);
    relay_head_put(&b, &h);
    EXACT(relay_head_read, b, &back);
    assert_int_equal(back.recipients, 4);
    assert_true(span_eq(back.hop.name, SPAN("example.org")));
    assert_true(span_eq(back.reverse_path, SPAN("s@example.org")));
    assert_true(span_eq(back.envid, SPAN("a+2Bb")));
    h.recipients = 0;
    assert_false(head_taken(&h));
    h.recipients = LIMIT_RELAY_RECIPIENTS + 1;
    assert_false(head_taken(&h));
    h = a_head();
    h.reverse_path = SPAN("s@example.org>\r\nDATA");
    assert_false(head_taken(&h));
    h = a_head();
    h.envid = SPAN("a\nb");
    assert_false(head_taken(&h));
    h = a_head();
    h.flags = 1u << 31;
    assert_false(head_taken(&h));
    h = a_head();
    h.content_octets = (uint64_t)LIMIT_MESSAGE_OCTETS_MAX + 1;
    assert_false(head_taken(&h));
}

static void recipient(void **state)
{
    (void)state;
    struct relay_recipient r = {
        .job = 1, .recipient = 70000, .notify = 4, .path = SPAN("r@example.org"), .orcpt = SPAN("rfc822;r")};
    struct relay_recipient back;
    struct buf b = buf_on(memory, sizeof memory);
    relay_recipient_put(&b, &r);
    EXACT(relay_recipient_read, b, &back);
    assert_int_equal(back.recipient, 70000);
    assert_true(span_eq(back.path, SPAN("r@example.org")));
    r.path = SPAN("");
    b.n = 0;
    relay_recipient_put(&b, &r);
    assert_false(relay_recipient_read(buf_span(&b), &back));
    r.path = SPAN("r\r\n@example.org");
    b.n = 0;
    relay_recipient_put(&b, &r);
    assert_false(relay_recipient_read(buf_span(&b), &back));
}

static void extents(void **state)
{
    (void)state;
    static struct relay_extents e = {.job = 1,
                                     .last = 1,
                                     .count = 2,
                                     .extents = {{1, 2, 3, 4}, {5, 6, 7, 8}}},
                                back;
    struct buf b = buf_on(memory, sizeof memory);
    relay_extents_put(&b, &e);
    EXACT(relay_extents_read, b, &back);
    assert_int_equal(back.extents[1].offset, 7);
    e.count = RELAY_EXTENTS + 1;
    relay_extents_put(&b, &e);
    assert_true(b.over);
}

static void result(void **state)
{
    (void)state;
    struct relay_result r = {.job = 1,
                             .recipient = 2,
                             .scope = RELAY_MESSAGE,
                             .status = JOB_FAILED,
                             .last = 1,
                             .code = 550,
                             .enhanced = "5.1.1",
                             .text = SPAN("no such user"),
                             .host = SPAN("mx.example.org[192.0.2.1]:25"),
                             .tls = SPAN("TLSv1.3 dane-ee"),
                             .connect_ms = 9};
    struct relay_result back;
    struct buf b = buf_on(memory, sizeof memory);
    relay_result_put(&b, &r);
    EXACT(relay_result_read, b, &back);
    assert_string_equal(back.enhanced, "5.1.1");
    assert_true(span_eq(back.host, r.host));
    assert_int_equal(back.connect_ms, 9);
    static const uint8_t long_text[LIMIT_RESULT_TEXT_OCTETS + 1];
    r.text = SPAN("no such\x1b us\xe9r");
    r.tls = span_of(long_text, LIMIT_RELAY_TLS_OCTETS + 1);
    b.n = 0;
    relay_result_put(&b, &r);
    assert_true(relay_result_read(buf_span(&b), &back));
    assert_true(span_eq(back.text, SPAN("no such? us?r")));
    assert_int_equal(back.tls.n, LIMIT_RELAY_TLS_OCTETS);
    size_t at = b.n - 16 - 2 - LIMIT_RELAY_TLS_OCTETS; /* the last octet of host */
    memory[at - 1] = '\n';
    assert_false(relay_result_read(buf_span(&b), &back));
    assert_int_equal(back.job, 1);
    assert_int_equal(back.last, 1);
    r.tls = SPAN("none");
    r.text = SPAN("no such user");
    r.scope = RELAY_SCOPE_COUNT;
    b.n = 0;
    relay_result_put(&b, &r);
    assert_false(relay_result_read(buf_span(&b), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(head), cmocka_unit_test(recipient),
                                       cmocka_unit_test(extents), cmocka_unit_test(result)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
