#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "system/dns_message.h"

static uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS + 64], records[LIMIT_IPC_MESSAGE_OCTETS * 2];

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "example.org", "_25._tcp.mx1.example.org",
                                       "xn--bcher-kva.example", "1.2.3.4"};
    static const char *const bad[] = {"",    ".",  "a.", ".a", "a..b", "a b", "a\n", "b\xc3\xbc.example",
                                      "a/b", "a:b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(dns_name_valid(span_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(dns_name_valid(span_str(bad[i])));
    char name[300];
    memset(name, 'a', sizeof name);
    assert_true(dns_name_valid(span_of(name, 63)));
    assert_false(dns_name_valid(span_of(name, 64)));
    for (size_t i = 50; i < sizeof name; i += 51)
        name[i] = '.';
    assert_true(dns_name_valid(span_of(name, 253)));
    assert_false(dns_name_valid(span_of(name, 254)));
}

static void test_question(void **state)
{
    (void)state;
    struct buf b = buf_on(octets, sizeof octets);
    struct dns_question q = {77, DNS_TLSA, SPAN("_25._tcp.mx.example.org")}, r;
    dns_question_put(&b, &q);
    assert_true(dns_question_read(buf_span(&b), &r));
    assert_true(r.tag == 77 && r.type == DNS_TLSA && span_eq(r.name, q.name));
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(dns_question_read(span_head(buf_span(&b), cut), &r));
    buf_byte(&b, 0);
    assert_false(dns_question_read(buf_span(&b), &r));
    unsigned known = 0; /* what nobody needs cannot be asked: ANY, AXFR ... */
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        b = buf_on(octets, sizeof octets);
        q.type = (uint16_t)type;
        dns_question_put(&b, &q);
        known += dns_question_read(buf_span(&b), &r);
    }
    assert_int_equal(known, 6);
}

static struct dns_answer answer_of(unsigned n, size_t each)
{
    struct buf b = buf_on(records, sizeof records);
    static uint8_t data[UINT16_MAX];
    for (unsigned i = 0; i < n; i++)
        dns_record_put(&b, &(struct dns_record){(uint16_t)(10 * i), span_of(data, each)});
    assert_false(b.over);
    return (struct dns_answer){.tag = 5,
                               .status = n ? DNS_OK : DNS_NO_DATA,
                               .secure = true,
                               .ttl = 300,
                               .canonical = SPAN("example.org"),
                               .count = (uint16_t)n,
                               .records = buf_span(&b)};
}

static bool round_trip(const struct dns_answer *a, struct dns_answer *r)
{
    struct buf b = buf_on(octets, sizeof octets);
    dns_answer_put(&b, a);
    assert_false(b.over);
    assert_true(b.n <= LIMIT_IPC_MESSAGE_OCTETS);
    return dns_answer_read(buf_span(&b), r);
}

static void test_answer(void **state)
{
    (void)state;
    struct dns_answer a = answer_of(3, 4), r;
    struct dns_record record;
    assert_true(round_trip(&a, &r));
    assert_true(r.tag == 5 && r.secure && r.ttl == 300 && r.count == 3 && r.status == DNS_OK);
    struct wire w = wire_on(r.records);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(dns_record_read(&w, &record));
        assert_true(record.preference == 10 * i && record.data.n == 4);
    }
    assert_false(dns_record_read(&w, &record));
    assert_false(w.bad);
    struct buf b = buf_on(octets, sizeof octets);
    dns_answer_put(&b, &a);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_false(dns_answer_read(span_head(buf_span(&b), cut), &r));
}

/* The writer leaves out what is beyond; what it writes is read. */
static void test_answer_bounds(void **state)
{
    (void)state;
    struct dns_answer a = answer_of(LIMIT_DNS_RECORDS + 7, 16), r;
    assert_true(round_trip(&a, &r));
    assert_int_equal(r.count, LIMIT_DNS_RECORDS);
    a = answer_of(9, 5000);
    assert_true(round_trip(&a, &r));
    assert_int_equal(r.count, 6);
}

static void test_answer_refuses(void **state)
{
    (void)state;
    struct dns_answer a, r;
    a = answer_of(1, 4), a.status = DNS_STATUS_COUNT;
    assert_false(round_trip(&a, &r));
    a = answer_of(1, 4), a.status = DNS_NO_DATA; /* records without success */
    assert_false(round_trip(&a, &r));
    a = answer_of(0, 0), a.status = DNS_OK; /* success without records */
    assert_false(round_trip(&a, &r));
    a = answer_of(0, 0), a.status = DNS_BOGUS; /* bogus and secure */
    assert_false(round_trip(&a, &r));
    a.secure = false;
    assert_true(round_trip(&a, &r));
    a.why = SPAN("signature expired");
    assert_true(round_trip(&a, &r));
    a.why = SPAN("two\nlines");
    assert_false(round_trip(&a, &r));
    a = answer_of(1, 4), a.why = SPAN("a reason without a failure");
    assert_false(round_trip(&a, &r));
    a = answer_of(1, 4), a.ttl = LIMIT_DNS_TTL_SECONDS + 1;
    assert_false(round_trip(&a, &r));
    a = answer_of(1, 4), a.canonical = SPAN("");
    assert_false(round_trip(&a, &r));
    a = answer_of(1, 4), a.canonical = SPAN("not a name");
    assert_false(round_trip(&a, &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),          cmocka_unit_test(test_question),
        cmocka_unit_test(test_answer),         cmocka_unit_test(test_answer_bounds),
        cmocka_unit_test(test_answer_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
