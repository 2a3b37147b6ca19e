#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "system/dns_packet.h"

/* A response is built octet by octet; 12 is where the name of the question stands. */
static uint8_t octets[8192];
static struct buf packet;
static struct dns_packet_memory memory;
static struct dns_answer answer;

static void put16(unsigned v)
{
    buf_byte(&packet, (uint8_t)(v >> 8));
    buf_byte(&packet, (uint8_t)v);
}

static void put_name(const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        buf_byte(&packet, (uint8_t)n);
        buf_put(&packet, span_of(name, n));
        name += n + (name[n] == '.');
    }
    buf_byte(&packet, 0);
}

static void begin(unsigned rcode, const char *name, unsigned type, unsigned answers, unsigned authorities)
{
    packet = buf_on(octets, sizeof octets);
    put16(1), put16(0x8180 | rcode), put16(1), put16(answers), put16(authorities), put16(0);
    put_name(name);
    put16(type), put16(1);
}

static void put_record(const char *owner, unsigned type, unsigned ttl, struct span data)
{
    if (owner)
        put_name(owner);
    else
        put16(0xc00c); /* the name of the question */
    put16(type), put16(1), put16(ttl >> 16), put16(ttl & 0xffff), put16((unsigned)data.n);
    buf_put(&packet, data);
}

static uint8_t read_answer(const char *name, unsigned type)
{
    struct dns_question q = {9, (uint16_t)type, span_str(name)};
    dns_packet_answer(buf_span(&packet), &q, &memory, &answer);
    return answer.status;
}

static struct dns_record record(unsigned i)
{
    struct wire w = wire_on(answer.records);
    struct dns_record r = {0};
    for (unsigned k = 0; k <= i; k++)
        assert_true(dns_record_read(&w, &r));
    return r;
}

static void test_addresses(void **state)
{
    (void)state;
    begin(0, "Mail.Example.org", DNS_A, 3, 0);
    put_record(NULL, DNS_A, 300, SPAN("\xc0\0\2\1"));
    put_record("other.example.org", DNS_A, 1, SPAN("\xc0\0\2\2")); /* not of the name that was asked for */
    put_record(NULL, DNS_A, 200, SPAN("\xc0\0\2\3"));
    assert_int_equal(read_answer("mail.example.ORG", DNS_A), DNS_OK);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.ttl, 200);
    assert_true(span_eq(answer.canonical, SPAN("mail.example.org")));
    assert_true(span_eq(record(1).data, SPAN("\xc0\0\2\3")));
}

static void test_exchangers(void **state)
{
    (void)state;
    begin(0, "example.org", DNS_MX, 3, 0);
    put_record(NULL, DNS_MX, 300, SPAN("\0\x0a\3MX1\xc0\x0c")); /* compressed, upper case */
    put_record(NULL, DNS_MX, 300, SPAN("\0\x14\4m x2\0"));      /* no host's name: left out */
    put_record(NULL, DNS_MX, 300, SPAN("\x01\0\0"));            /* the root */
    assert_int_equal(read_answer("example.org", DNS_MX), DNS_OK);
    assert_int_equal(answer.count, 2);
    assert_true(record(0).preference == 10 && span_eq(record(0).data, SPAN("mx1.example.org")));
    assert_true(record(1).preference == 256 && record(1).data.n == 0);
    /* only records that cannot be used: that is not the same as none (no implicit MX) */
    begin(0, "example.org", DNS_MX, 1, 0);
    put_record(NULL, DNS_MX, 300, SPAN("\0\x14\4m x2\0"));
    assert_int_equal(read_answer("example.org", DNS_MX), DNS_FAILED);
}

static void test_aliases(void **state)
{
    (void)state;
    begin(0, "www.example.org", DNS_AAAA, 3, 0);
    put_record("c.example.net", DNS_AAAA, 300, SPAN("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"));
    put_record("b.example.net", 5, 100, SPAN("\1c\7example\3net\0"));
    put_record(NULL, 5, 200, SPAN("\1b\7example\3net\0"));
    assert_int_equal(read_answer("www.example.org", DNS_AAAA), DNS_OK);
    assert_true(answer.count == 1 && answer.ttl == 100);
    assert_true(span_eq(answer.canonical, SPAN("c.example.net")));
    begin(0, "a.example", DNS_A, 2, 0); /* in a circle */
    put_record(NULL, 5, 200, SPAN("\1b\7example\0"));
    put_record("b.example", 5, 200, SPAN("\1a\7example\0"));
    assert_int_equal(read_answer("a.example", DNS_A), DNS_FAILED);
}

static void test_absence(void **state)
{
    (void)state;
    static const uint8_t soa[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 42};
    begin(0, "example.org", DNS_MX, 0, 1);
    put_record(NULL, 6, 900, span_of(soa, sizeof soa));
    assert_int_equal(read_answer("example.org", DNS_MX), DNS_NO_DATA);
    assert_int_equal(answer.ttl, 42);
    begin(3, "example.org", DNS_MX, 0, 0);
    assert_int_equal(read_answer("example.org", DNS_MX), DNS_NO_NAME);
    begin(2, "example.org", DNS_MX, 0, 0);
    assert_int_equal(read_answer("example.org", DNS_MX), DNS_FAILED);
    assert_true(span_eq(answer.why, SPAN("SERVFAIL")));
}

static void test_texts(void **state)
{
    (void)state;
    begin(0, "example.org", DNS_TXT, 1, 0);
    put_record(NULL, DNS_TXT, 300, SPAN("\3abc\0\2de"));
    assert_int_equal(read_answer("example.org", DNS_TXT), DNS_OK);
    assert_true(span_eq(record(0).data, SPAN("abcde")));
}

static void test_malformed(void **state)
{
    (void)state;
    begin(0, "example.org", DNS_A, 1, 0);
    put_record(NULL, DNS_A, 300, SPAN("\xc0\0\2")); /* three octets */
    assert_int_equal(read_answer("example.org", DNS_A), DNS_FAILED);
    begin(0, "example.org", DNS_MX, 1, 0);
    put_record(NULL, DNS_MX, 300, SPAN("\0\x0a\xc0\x28")); /* a pointer to itself, or ahead */
    assert_int_equal(read_answer("example.org", DNS_MX), DNS_FAILED);
    begin(0, "example.org", DNS_MX, 2, 0);
    put_record(NULL, DNS_MX, 300, SPAN("\0\x0a\3mx1\xc0\x0c"));
    put_record(NULL, DNS_MX, 300, SPAN("\0\x0a\3mx2\xc0\x0c"));
    for (packet.n--; packet.n > 0; packet.n--) /* cut at every octet */
        assert_int_equal(read_answer("example.org", DNS_MX), DNS_FAILED);
}

static void test_many(void **state)
{
    (void)state;
    begin(0, "example.org", DNS_A, 200, 0);
    for (unsigned i = 0; i < 200; i++)
        put_record(NULL, DNS_A, 300, SPAN("\xc0\0\2\1"));
    assert_int_equal(read_answer("example.org", DNS_A), DNS_OK);
    assert_int_equal(answer.count, LIMIT_DNS_RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_exchangers), cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_absence),   cmocka_unit_test(test_texts),      cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
