/* Whom a session expects at the other end: by the next hop, and by what DNS vouches for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/outbound.h"

static void test_whose_certificate_counts(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind, tls;
        bool secure;
        const char *host, *name;
        bool also;
    } rows[] = {
        {NEXT_HOP_MX, TLS_POLICY_VERIFY, false, "mx.elsewhere.example", "d.example", false},
        {NEXT_HOP_MX, TLS_POLICY_VERIFY, false, "evild.example", "d.example", false},
        {NEXT_HOP_MX, TLS_POLICY_VERIFY, false, "MX.D.example", "MX.D.example", true},
        {NEXT_HOP_MX, TLS_POLICY_VERIFY, false, "d.example", "d.example", true},
        {NEXT_HOP_MX, TLS_POLICY_VERIFY, true, "mx.elsewhere.example", "mx.elsewhere.example", true},
        {NEXT_HOP_MX, TLS_POLICY_DANE, true, "mx.elsewhere.example", "mx.elsewhere.example", true},
        {NEXT_HOP_MX, TLS_POLICY_MAY, false, "mx.elsewhere.example", "mx.elsewhere.example", true},
        {NEXT_HOP_HOST, TLS_POLICY_VERIFY, false, "smtp.provider.example", "smtp.provider.example", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outbound_peer p = {0};
        struct next_hop h = {.kind = rows[i].kind, .tls = rows[i].tls, .name = SPAN("d.example")};
        struct connect_answer a = {
            .dns_secure = rows[i].secure, .host = span_str(rows[i].host), .also = SPAN("also.example")};
        outbound_expect(&p, &h, &a);
        assert_true(span_eq(p.name, span_str(rows[i].name)));
        assert_int_equal(p.also.n > 0, rows[i].also);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_certificate_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
