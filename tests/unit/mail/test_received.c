#include "mail/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static char text[4096];

static const char *put(const struct received *r)
{
    struct buf b = buf_on(text, sizeof text - 1);
    received_put(&b, r);
    assert_false(b.over);
    text[b.n] = 0;
    return text;
}

static struct received sample(void)
{
    return (struct received){.helo = SPAN("client.example.com"),
                             .address = SPAN("[192.0.2.1]"),
                             .by = SPAN("mail.example.org"),
                             .esmtp = true,
                             .id = SPAN("1abc"),
                             .unix_seconds = 1795620600};
}

static void plain_field(void **state)
{
    (void)state;
    struct received r = sample();
    assert_string_equal(put(&r),
                        "Received: from client.example.com ([192.0.2.1]) by mail.example.org with ESMTP\r\n"
                        "\tid 1abc; Wed, 25 Nov 2026 15:30:00 +0000\r\n");
    r.tls = true;
    r.tls_version = SPAN("TLSv1.3");
    r.tls_cipher = SPAN("TLS_AES_256_GCM_SHA384");
    r.recipient = SPAN("bob@example.org");
    r.client_name = SPAN("real.example.com");
    assert_string_equal(put(&r), "Received: from client.example.com (real.example.com [192.0.2.1]) by\r\n"
                                 "\tmail.example.org with ESMTPS id 1abc for <bob@example.org> tls\r\n"
                                 "\tTLS_AES_256_GCM_SHA384 (TLSv1.3); Wed, 25 Nov 2026 15:30:00 +0000\r\n");
}

static void protocols(void **state)
{
    (void)state;
    static const struct {
        bool esmtp, tls, auth, utf8, lmtp;
        const char *want;
    } t[] = {
        {0, 0, 0, 0, 0, "with SMTP id"},       {1, 0, 0, 0, 0, "with ESMTP id"},
        {1, 1, 0, 0, 0, "with ESMTPS id"},     {1, 0, 1, 0, 0, "with ESMTPA id"},
        {1, 1, 1, 0, 0, "with ESMTPSA id"},    {1, 0, 0, 0, 1, "with LMTP id"},
        {1, 1, 1, 0, 1, "with LMTPSA id"},     {1, 1, 0, 1, 0, "with UTF8SMTPS id"},
        {1, 1, 1, 1, 1, "with UTF8LMTPSA id"}, {0, 1, 0, 0, 0, "with SMTP id"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct received r = sample();
        r.helo = r.by = SPAN("a");
        r.esmtp = t[i].esmtp;
        r.tls = t[i].tls;
        r.auth = t[i].auth;
        r.utf8 = t[i].utf8;
        r.lmtp = t[i].lmtp;
        if (!strstr(put(&r), t[i].want)) fail_msg("%s lacks %s", text, t[i].want);
    }
}

/* Whatever the peer called itself: one field, lines that end in CRLF, no control octet, no syntax of its making. */
static void hostile(void **state)
{
    (void)state;
    srandom(5);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t junk[6][300];
        struct span s[6];
        for (unsigned i = 0; i < 6; i++) {
            s[i] = span_of(junk[i], (size_t)random() % sizeof junk[i]);
            for (size_t k = 0; k < s[i].n; k++)
                junk[i][k] =
                    random() % 4 ? (uint8_t)random() : (uint8_t) "\r\n;()<>\"\\ :"[(size_t)random() % 11];
        }
        struct received r = {
            s[0],         s[1],         s[2], s[3], random() % 2, random() % 2, random() % 2,
            random() % 2, random() % 2, s[4], s[4], s[5],         s[3],         (uint64_t)random()};
        char memory[8192];
        struct buf b = buf_on(memory, sizeof memory);
        received_put(&b, &r);
        assert_false(b.over);
        struct span rest = buf_span(&b);
        assert_true(span_starts_nocase(rest, SPAN("Received: from")));
        while (rest.n) {
            size_t lf = span_find(rest, '\n');
            assert_int_not_equal(lf, SPAN_NPOS);
            assert_true(lf > 0 && rest.p[lf - 1] == '\r');
            assert_true(lf < 998);
            for (size_t i = 0; i + 1 < lf; i++) {
                assert_true(rest.p[i] >= 32 ? rest.p[i] != 127 : (rest.p[i] == '\t' && i == 0));
                if (!r.utf8) assert_true(rest.p[i] < 128);
            }
            rest = span_skip(rest, lf + 1);
            if (rest.n) assert_int_equal(rest.p[0], '\t');
        }
    }
}

static void no_room(void **state)
{
    (void)state;
    struct received r = sample();
    for (size_t max = 0; max < 140; max++) {
        char *exact = malloc(max + 1);
        struct buf b = buf_on(exact, max);
        received_put(&b, &r);
        assert_true(b.n <= max);
        assert_int_equal(b.over, max < strlen(put(&r)));
        free(exact);
    }
}

static void dates(void **state)
{
    (void)state;
    srandom(6);
    for (unsigned i = 0; i < 200000; i++) {
        time_t t = (time_t)(((uint64_t)random() << 31 | (uint64_t)random()) % 253402300800u);
        if (i == 0) t = 0;
        if (i == 1) t = 951782400; /* 2000-02-29 */
        if (i == 2) t = 253402300799;
        if (i == 3) t = 4107542400; /* 2100-03-01 */
        struct tm tm;
        char want[64], memory[64];
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(want, sizeof want, "%a, %-d %b %Y %H:%M:%S +0000", &tm) > 0);
        struct buf b = buf_on(memory, sizeof memory);
        date_put(&b, (uint64_t)t);
        assert_true(span_eq(buf_span(&b), span_str(want)));
        assert_true(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.007Z", &tm) > 0);
        b.n = 0;
        date_put_rfc3339(&b, (uint64_t)t * 1000 + 7);
        assert_true(span_eq(buf_span(&b), span_str(want)));
    }
    char memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    date_put(&b, UINT64_MAX);
    assert_true(span_eq(buf_span(&b), SPAN("Fri, 31 Dec 9999 23:59:59 +0000")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_field), cmocka_unit_test(protocols),
                                       cmocka_unit_test(hostile), cmocka_unit_test(no_room),
                                       cmocka_unit_test(dates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
