#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/connect_message.h"

static uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS];

static void test_question(void **state)
{
    (void)state;
    struct connect_question q = {.tag = 9,
                                 .hop = {.kind = NEXT_HOP_MX,
                                         .tls = TLS_POLICY_DANE,
                                         .name = SPAN("example.org")},
                                 .n_tried = 2},
                            r;
    q.tried[1].address.octets[15] = 7;
    struct buf b = buf_on(octets, sizeof octets);
    connect_question_put(&b, &q);
    assert_true(connect_question_read(buf_span(&b), &r));
    assert_true(r.tag == 9 && r.n_tried == 2 && r.tried[1].address.octets[15] == 7 &&
                span_eq(r.hop.name, q.hop.name));
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(connect_question_read(span_head(buf_span(&b), cut), &r));
    buf_byte(&b, 0);
    assert_false(connect_question_read(buf_span(&b), &r));
    b = buf_on(octets, sizeof octets);
    wire_put_u64(&b, 9);
    next_hop_put(&b, &q.hop);
    wire_put_u32(&b, CONNECT_TRIED + 1);
    for (unsigned i = 0; i <= CONNECT_TRIED; i++) {
        buf_put(&b, span_of(q.tried[0].address.octets, 16));
        wire_put_u16(&b, 25);
    }
    assert_false(connect_question_read(buf_span(&b), &r));
}

static void test_service_question(void **state)
{
    (void)state;
    struct connect_service_question q = {.tag = 9, .service = CONNECT_SERVICE_DOVECOT}, r;
    struct buf b = buf_on(octets, sizeof octets);
    connect_service_question_put(&b, &q);
    assert_int_equal(b.n, CONNECT_SERVICE_QUESTION_OCTETS);
    assert_true(connect_service_question_read(buf_span(&b), &r));
    assert_true(r.tag == 9 && r.service == CONNECT_SERVICE_DOVECOT);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(connect_service_question_read(span_head(buf_span(&b), cut), &r));
    buf_byte(&b, 0);
    assert_false(connect_service_question_read(buf_span(&b), &r));
    octets[8] = CONNECT_SERVICE_COUNT;
    assert_false(connect_service_question_read(span_of(octets, CONNECT_SERVICE_QUESTION_OCTETS), &r));
}

static bool round_trip(const struct connect_answer *a, struct connect_answer *r)
{
    struct buf b = buf_on(octets, sizeof octets);
    connect_answer_put(&b, a);
    assert_false(b.over);
    bool good = connect_answer_read(buf_span(&b), r);
    for (size_t cut = 0; cut < b.n; cut++) {
        struct connect_answer other;
        assert_false(connect_answer_read(span_head(buf_span(&b), cut), &other));
    }
    return good;
}

static const struct connect_answer open_answer = {.tag = 5,
                                                  .status = CONNECT_OPEN,
                                                  .dane = CONNECT_TLSA_RECORDS,
                                                  .dns_secure = true,
                                                  .host = SPAN("mx.example.org"),
                                                  .also = SPAN("example.org"),
                                                  .port = 25,
                                                  .dns_ms = 3,
                                                  .connect_ms = 4,
                                                  .n_tlsa = 2,
                                                  .tlsa = {SPAN("\3\1\1x"), SPAN("\2\0\0yyyyyy")}};
static const struct connect_answer no = {
    .tag = 6, .status = CONNECT_DEFER, .enhanced = "4.4.1", .text = SPAN("mx.example.org: refused")};

static void test_answers(void **state)
{
    (void)state;
    struct connect_answer r;
    assert_true(round_trip(&open_answer, &r));
    assert_true(r.tag == 5 && r.dns_secure && r.n_tlsa == 2 && r.port == 25 &&
                span_eq(r.tlsa[1], open_answer.tlsa[1]));
    assert_true(span_eq(r.host, open_answer.host) && span_eq(r.also, open_answer.also) && r.dns_ms == 3 &&
                r.connect_ms == 4);
    assert_true(round_trip(&no, &r));
    assert_string_equal(r.enhanced, "4.4.1");
    assert_true(span_eq(r.text, no.text));
}

static void test_answers_refused(void **state)
{
    (void)state;
    struct connect_answer a, r;
    a = open_answer, a.n_tlsa = 0;
    assert_false(round_trip(&a, &r)); /* RECORDS without a record */
    a = open_answer, a.dane = CONNECT_TLSA_NONE;
    assert_false(round_trip(&a, &r)); /* records without RECORDS */
    a = open_answer, a.tlsa[0] = SPAN("\3\1\1");
    assert_false(round_trip(&a, &r));
    a = open_answer, a.host = SPAN("mx example");
    assert_false(round_trip(&a, &r));
    a = open_answer, a.status = CONNECT_STATUS_COUNT;
    assert_false(round_trip(&a, &r));
    a = open_answer, a.dane = CONNECT_TLSA_COUNT;
    assert_false(round_trip(&a, &r));
    a = no, a.text = SPAN("");
    assert_false(round_trip(&a, &r)); /* a no without a reason */
    a = no, a.text = SPAN("two\r\nlines");
    assert_false(round_trip(&a, &r));
    static const char *const wrong[] = {"", "5.4.1", "4.4", "4.4.1.1", "4.x.1", "44.4.1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        a = no;
        memset(a.enhanced, 0, sizeof a.enhanced);
        memcpy(a.enhanced, wrong[i], strlen(wrong[i]));
        assert_false(round_trip(&a, &r));
    }
    a = no, a.status = CONNECT_FAIL;
    assert_false(round_trip(&a, &r)); /* 4.4.1 forever */
    a = no, a.enhanced[11] = 'x';
    assert_false(round_trip(&a, &r)); /* behind its end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question), cmocka_unit_test(test_service_question),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_answers_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
