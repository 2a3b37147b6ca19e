#include "sasl/ntlm_message.h"

#include "sasl/ntlm_av.h"

#include "../span_check.h"

static void negotiate(void **state)
{
    (void)state;
    uint32_t flags = 99;
    assert_true(ntlm_negotiate_read(SPAN("NTLMSSP\0\1\0\0\0\2\2\0\0"), &flags)); /* 16 octets are enough */
    assert_int_equal(flags, 0x202);
    assert_true(ntlm_negotiate_read(SPAN("NTLMSSP\0\1\0\0\0\1\0\0\xa0\xff\xff\xff\xff"), &flags));
    assert_int_equal(flags, 0xa0000001);
    flags = 99;
    for (size_t n = 0; n < 16; n++)
        assert_false(ntlm_negotiate_read(span_head(SPAN("NTLMSSP\0\1\0\0\0\2\2\0\0"), n), &flags));
    assert_false(ntlm_negotiate_read(SPAN("NTLMSSP\0\3\0\0\0\2\2\0\0"), &flags));
    assert_false(ntlm_negotiate_read(SPAN("NTLMSSP\1\1\0\0\0\2\2\0\0"), &flags));
    assert_false(ntlm_negotiate_read(SPAN("ntlmssp\0\1\0\0\0\2\2\0\0"), &flags));
    assert_false(ntlm_negotiate_read(SPAN("NTLMSSP\0\1\0\0\0\0\2\0\0"), &flags)); /* no character set */
    assert_int_equal(flags, 99);
}

static uint32_t flags_of(struct span challenge)
{
    struct wire w = wire_on(span_skip(challenge, 20));
    return wire_u32(&w);
}

static void challenge(void **state)
{
    (void)state;
    static const uint8_t random[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t memory[NTLM_CHALLENGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct ntlm_target t = {SPAN("MX"), SPAN("WG"), SPAN("mx.example.org"), SPAN("example.org")};
    ntlm_challenge_put(
        &b, NTLM_FLAG_UNICODE | NTLM_FLAG_OEM | NTLM_FLAG_LM_KEY | NTLM_FLAG_VERSION | NTLM_FLAG_56, &t,
        random, UINT64_C(0x0102030405060708));
    assert_false(b.over);
    struct wire w = wire_on(buf_span(&b));
    assert_true(span_eq(wire_raw(&w, 12), SPAN("NTLMSSP\0\2\0\0\0")));
    assert_true(span_eq(wire_raw(&w, 8), SPAN("\4\0\4\0\70\0\0\0")));
    assert_int_equal(wire_u32(&w), NTLM_FLAG_UNICODE | NTLM_FLAG_NTLM | NTLM_FLAG_TARGET_SERVER |
                                       NTLM_FLAG_TARGET_INFO | NTLM_FLAG_56);
    assert_true(span_eq(wire_raw(&w, 8), span_of(random, 8)));
    assert_true(wire_u64(&w) == 0);
    uint16_t n = wire_u16(&w);
    assert_int_equal(wire_u16(&w), n);
    assert_int_equal(wire_u32(&w), 60);
    assert_true(wire_u64(&w) == 0); /* no version is told */
    assert_true(span_eq(wire_raw(&w, 4), SPAN("M\0X\0")));
    assert_int_equal(w.rest.n, n);
    struct ntlm_av av;
    assert_true(ntlm_av_read(w.rest, &av));
    assert_true(av.timestamp == UINT64_C(0x0102030405060708));
    assert_int_equal(av.flags, 0); /* an empty MsvAvFlags makes Windows fail */
    assert_true(span_eq(span_head(w.rest, 16), SPAN("\2\0\4\0W\0G\0\1\0\4\0M\0X\0")));
    assert_non_null(memmem(w.rest.p, w.rest.n, "\3\0\34\0m\0x\0.\0", 10));
    assert_non_null(memmem(w.rest.p, w.rest.n, "\4\0\26\0e\0x\0a\0", 10));
    assert_int_equal(flags_of(buf_span(&b)) & (NTLM_FLAG_LM_KEY | NTLM_FLAG_VERSION), 0);

    b = buf_on(memory, sizeof memory); /* a client without Unicode, a server without names */
    ntlm_challenge_put(&b, NTLM_FLAG_OEM, &(struct ntlm_target){.netbios_computer = SPAN("MX")}, random, 0);
    assert_true(flags_of(buf_span(&b)) & NTLM_FLAG_OEM);
    assert_false(flags_of(buf_span(&b)) & NTLM_FLAG_UNICODE);
    assert_int_equal(b.n, 56 + 2 + 4 + 4 + 12 + 4);
    assert_true(span_eq(span_head(span_skip(buf_span(&b), 56), 2), SPAN("MX")));
}

static void challenge_lengths(void **state)
{
    (void)state;
    static char name[LIMIT_DOMAIN_OCTETS + 1];
    memset(name, 'n', sizeof name);
    struct span netbios = span_of(name, LIMIT_NETBIOS_NAME_OCTETS), dns = span_of(name, LIMIT_DOMAIN_OCTETS);
    struct ntlm_target longest = {netbios, netbios, dns, dns};
    uint8_t memory[NTLM_CHALLENGE_OCTETS], random[8] = {0};
    for (unsigned i = 0; i < 5; i++) {
        struct ntlm_target t = longest;
        struct span *names[] = {&t.netbios_computer, &t.netbios_domain, &t.dns_computer, &t.dns_domain};
        if (i < 4) names[i]->n++;
        struct buf b = buf_on(memory, sizeof memory);
        ntlm_challenge_put(&b, NTLM_FLAG_UNICODE, &t, random, 0);
        assert_int_equal(b.over, i < 4);
        if (i == 4) assert_int_equal(b.n, NTLM_CHALLENGE_OCTETS);
    }
}

static uint8_t octets[256];

/* A message with a header of that length and one field that is not empty; the field's number counts from the LM response. */
static struct span message(size_t header, unsigned field, uint16_t n, uint32_t offset, uint32_t flags)
{
    memset(octets, 0, sizeof octets);
    memcpy(octets, "NTLMSSP\0\3", 9);
    memcpy(octets + 12 + 8 * field, &n, sizeof n);
    memcpy(octets + 12 + 8 * field + 4, &offset, sizeof offset);
    memcpy(octets + 60, &flags, sizeof flags);
    return span_of(octets, header + n);
}

static void authenticate(void **state)
{
    (void)state;
    static const size_t headers[] = {64, 72, 88};
    struct ntlm_authenticate m;
    for (size_t i = 0; i < 3; i++)
        for (unsigned field = 0; field < 6; field++) {
            struct span s = message(headers[i], field, 16, (uint32_t)headers[i], 0x8205);
            assert_true(ntlm_authenticate_read(s, &m));
            assert_int_equal(m.flags, 0x8205);
            assert_int_equal(m.payload, headers[i]);
            struct span fields[] = {m.lm, m.nt, m.domain, m.user, m.workstation, m.session_key};
            for (unsigned other = 0; other < 6; other++)
                assert_int_equal(fields[other].n, other == field ? 16 : 0);
            assert_ptr_equal(fields[field].p, s.p + headers[i]);
        }
    struct span empty = message(64, 0, 0, 0xFFFFFFFF, 0); /* where nothing lies is of no weight */
    assert_true(ntlm_authenticate_read(empty, &m));
    assert_int_equal(m.payload, 64);
    for (size_t n = 0; n < 64; n++)
        assert_false(ntlm_authenticate_read(span_head(empty, n), &m));
}

static void authenticate_bounds(void **state)
{
    (void)state;
    struct ntlm_authenticate m = {.flags = 99};
    static const struct {
        uint16_t n;
        uint32_t offset;
    } outside[] = {{16, 63},     {16, 0},          {1, 80},          {17, 64},        {16, 65},
                   {0xFFFF, 64}, {16, 0xFFFFFFF0}, {16, 0xFFFFFFFF}, {1, 0x80000000}, {2, 79}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        for (unsigned field = 0; field < 6; field++) {
            message(64, field, 0, 0, 0);
            memcpy(octets + 12 + 8 * field, &outside[i].n, 2);
            memcpy(octets + 16 + 8 * field, &outside[i].offset, 4);
            assert_false(ntlm_authenticate_read(span_of(octets, 80), &m));
        }
    assert_int_equal(m.flags, 99);
    message(64, 0, 16, 64, 0);
    octets[12 + 8] = 1; /* the NT response on the last octet of the LM response, then behind it */
    octets[16 + 8] = 79;
    assert_false(ntlm_authenticate_read(span_of(octets, 90), &m));
    octets[16 + 8] = 80;
    assert_true(ntlm_authenticate_read(span_of(octets, 90), &m));
    octets[16 + 8] = 64;
    assert_false(ntlm_authenticate_read(span_of(octets, 90), &m));
}

static void session_key(void **state)
{
    (void)state;
    struct ntlm_authenticate m;
    const uint32_t exchange = NTLM_FLAG_KEY_EXCHANGE;
    assert_true(ntlm_authenticate_read(message(64, 5, 16, 64, exchange | NTLM_FLAG_SIGN), &m));
    assert_true(ntlm_authenticate_read(message(64, 5, 16, 64, 0), &m));
    assert_true(ntlm_authenticate_read(message(64, 5, 0, 64, exchange), &m));
    assert_false(ntlm_authenticate_read(message(64, 5, 0, 64, exchange | NTLM_FLAG_SIGN), &m));
    assert_false(ntlm_authenticate_read(message(64, 5, 0, 64, exchange | NTLM_FLAG_SEAL), &m));
    assert_false(ntlm_authenticate_read(message(64, 5, 15, 64, exchange), &m));
    assert_false(ntlm_authenticate_read(message(64, 5, 17, 64, 0), &m));
}

static void response(void **state)
{
    (void)state;
    static const uint8_t text[] = "0123456789abcdef\1\1......\1\2\3\4\5\6\7\10CCCCCCCC....pairs";
    struct ntlm_response r = {.filetime = 99};
    for (size_t n = 0; n < 44; n++)
        assert_false(ntlm_response_read(span_of(text, n), &r));
    assert_true(ntlm_response_read(span_of(text, sizeof text - 1), &r));
    assert_span(r.proof, "0123456789abcdef");
    assert_int_equal(r.blob.n, 28 + 5);
    assert_ptr_equal(r.blob.p, text + 16);
    assert_true(r.filetime == UINT64_C(0x0807060504030201));
    assert_span(r.pairs, "pairs");
    uint8_t other[sizeof text];
    memcpy(other, text, sizeof text);
    other[16] = 2;
    assert_false(ntlm_response_read(span_of(other, sizeof other - 1), &r));
    other[16] = 1;
    other[17] = 0;
    assert_false(ntlm_response_read(span_of(other, sizeof other - 1), &r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiate),
        cmocka_unit_test(challenge),
        cmocka_unit_test(challenge_lengths),
        cmocka_unit_test(authenticate),
        cmocka_unit_test(authenticate_bounds),
        cmocka_unit_test(session_key),
        cmocka_unit_test(response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
