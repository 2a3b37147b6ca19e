#include "mail/dsn.h"

#include "base/limits.h"
#include "mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct dsn_recipient one = {DSN_FAILED,
                                         SPAN("bob@example.com"),
                                         SPAN("rfc822;Bob@example.com"),
                                         SPAN("5.1.1"),
                                         SPAN("550 5.1.1 No such user"),
                                         SPAN("mx.example.com"),
                                         1795620600,
                                         0,
                                         {NULL, 0},
                                         false};

static struct dsn sample(void)
{
    return (struct dsn){.host = SPAN("mail.example.org"),
                        .to = SPAN("alice@example.org"),
                        .envid = SPAN("QQ314159"),
                        .id = SPAN("1abcdefghijkm"),
                        .arrival_seconds = 1795620000,
                        .now_seconds = 1795620600,
                        .seed = 0x0123456789abcdef,
                        .content = SPAN("From: alice\r\nMessage-ID: <1@x>\r\nSubject: hi\r\n\r\nbody\r\n"),
                        .content_whole = true,
                        .recipients = &one,
                        .n = 1};
}

static char *text;
static unsigned flags;

static const char *put(const struct dsn *d)
{
    free(text);
    size_t max = dsn_octets(d);
    text = malloc(max + 1);
    assert_non_null(text);
    struct buf b = buf_on(text, max);
    flags = dsn_put(&b, d);
    assert_false(b.over);
    text[b.n] = 0;
    return text;
}

/* Lines end in CRLF, none is too long, no control character is in any. */
static void check_lines(const char *z)
{
    size_t line = 0;
    for (; *z; z++) {
        if (*z == '\n') {
            assert_true(line > 0 && z[-1] == '\r');
            line = 0;
            continue;
        }
        assert_true((uint8_t)*z >= 32 || *z == '\t' || (*z == '\r' && z[1] == '\n'));
        assert_true(*z != 127);
        assert_true(++line <= LIMIT_TEXT_LINE_OCTETS + 1);
    }
    assert_int_equal(line, 0);
}

#define HAS(z, part)                                                                                         \
    do {                                                                                                     \
        if (!strstr(z, part)) fail_msg("lacks %s:\n%s", part, z);                                            \
    } while (0)

static void failed_message(void **state)
{
    (void)state;
    struct dsn d = sample();
    const char *z = put(&d);
    check_lines(z);
    assert_int_equal(flags, 0);
    HAS(z, "Date: Wed, 25 Nov 2026 15:30:00 +0000\r\n");
    HAS(z, "From: Mail Delivery System <MAILER-DAEMON@mail.example.org>\r\n");
    HAS(z, "To: <alice@example.org>\r\n");
    HAS(z, "Auto-Submitted: auto-replied\r\n");
    HAS(z, "In-Reply-To: <1@x>\r\n");
    HAS(z, "Content-Type: multipart/report; report-type=delivery-status;");
    HAS(z, "\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: "
           "QQ314159\r\nReporting-MTA: dns; mail.example.org\r\n"
           "Arrival-Date: Wed, 25 Nov 2026 15:20:00 +0000\r\n\r\n"
           "Original-Recipient: rfc822; Bob@example.com\r\nFinal-Recipient: rfc822; "
           "bob@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
           "Remote-MTA: dns; mx.example.com\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user\r\n"
           "Last-Attempt-Date: Wed, 25 Nov 2026 15:30:00 +0000\r\n\r\n--");
    HAS(z, "There is no mailbox of that name.");
    HAS(z, "text/rfc822-headers\r\n\r\nFrom: alice\r\nMessage-ID: <1@x>\r\nSubject: hi\r\n\r\n--");
    assert_null(strstr(z, "body"));
    d.full = true;
    HAS(put(&d),
        "message/rfc822\r\n\r\nFrom: alice\r\nMessage-ID: <1@x>\r\nSubject: hi\r\n\r\nbody\r\n\r\n--");
}

static void what_comes_back(void **state)
{
    (void)state;
    static const struct {
        struct span content;
        bool whole, full;
    } t[] = {
        {{(const uint8_t *)"A: b\r\n\r\nx\r\n", 11}, true, true},
        {{(const uint8_t *)"A: b\r\n\r\nx\r\n", 11}, false, false},
        {{(const uint8_t *)"A: b\r\n\r\n\0\r\n", 11}, true, false},
        {{(const uint8_t *)"A: b\r\n\r\nx\ny\r\n", 13}, true, false},
        {{(const uint8_t *)"A: b\r\n\r\nx\ry\r\n", 13}, true, false},
        {{(const uint8_t *)"A: b\r\n\r\nx\r", 10}, true, false},
        {{(const uint8_t *)"", 0}, true, true},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct dsn d = sample();
        d.full = true;
        d.content = t[i].content;
        d.content_whole = t[i].whole;
        bool full = strstr(put(&d), "message/rfc822\r\n") != NULL;
        if (full != t[i].full) fail_msg("%zu", i);
        check_lines(text);
    }
    /* large ones: headers only, and of those whole lines up to the limit */
    struct dsn d = sample();
    size_t n = LIMIT_DSN_CONTENT_OCTETS + 10;
    char *big = malloc(n);
    assert_non_null(big);
    for (size_t i = 0; i < n; i++)
        big[i] = "a: 45678\r\n"[i % 10];
    d.full = true;
    d.content = span_of(big, n);
    assert_null(strstr(put(&d), "message/rfc822\r\n"));
    assert_true(strlen(text) < LIMIT_DSN_HEADER_OCTETS + 4096);
    check_lines(text);
    memset(big, 'x', 5000); /* one line of 5000 octets */
    d.content = span_of(big, 5000);
    put(&d);
    check_lines(text);
    free(big);
}

static void internationalized(void **state)
{
    (void)state;
    struct dsn_recipient r = one;
    struct dsn d = sample();
    r.final = SPAN("j\xc3\xb6rg@example.com");
    r.orcpt = SPAN("utf-8;j\xc3\xb6rg@example.com");
    r.diagnostic = SPAN("550 f\xc3\xbcr \xff \xe2\x80\xae");
    d.recipients = &r;
    const char *z = put(&d);
    assert_int_equal(flags, 0);
    for (const char *p = z; *p; p++)
        assert_true((uint8_t)*p < 128);
    HAS(z, "Original-Recipient: utf-8; j\\x{F6}rg@example.com\r\nFinal-Recipient: utf-8; "
           "j\\x{F6}rg@example.com\r\n");
    d.utf8 = true;
    z = put(&d);
    assert_int_equal(flags, DSN_IS_8BIT | DSN_IS_UTF8);
    HAS(z, "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n");
    HAS(z, "Final-Recipient: utf-8; j\xc3\xb6rg@example.com\r\n");
    HAS(z, "550 f\xc3\xbcr ? ");
    HAS(z, "message/global-headers\r\n");
    d.content = SPAN("Subject: \xff\r\n\r\n");
    HAS(put(&d), "text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: \xff\r\n");
    d.utf8 = false;
    put(&d);
    assert_int_equal(flags, DSN_IS_8BIT);
}

static void other_actions(void **state)
{
    (void)state;
    struct dsn d = sample();
    struct dsn_recipient r = one;
    d.recipients = &r;
    r.ours = true; /* it was reached, and the words are not its */
    HAS(put(&d), "Remote-MTA: dns; mx.example.com\r\nDiagnostic-Code: x-sallyport; 550");
    assert_null(strstr(text, "The server mx.example.com said"));
    r.remote = SPAN("");
    r.expanded_from = SPAN("team\r\n@example.com");
    HAS(put(&d), "<bob@example.com>\r\n    (expanded from <team");
    assert_null(strstr(text, "team\r\n@")); /* no line of its own */
    r.expanded_from = SPAN("");
    assert_null(strstr(put(&d), "expanded from"));
    r.action = DSN_DELAYED;
    r.status = SPAN("4.4.1");
    r.retry_until_seconds = 1795880000;
    HAS(put(&d), "Action: delayed\r\nStatus: 4.4.1\r\nDiagnostic-Code: x-sallyport; 550");
    HAS(text, "Will-Retry-Until: ");
    r.action = DSN_DELIVERED;
    r.status = SPAN("nonsense");
    HAS(put(&d), "Action: delivered\r\nStatus: 2.0.0\r\n");
    r.action = DSN_FAILED;
    r.status = SPAN("5.1.1\r\nX: y");
    HAS(put(&d), "Status: 5.0.0\r\n");
    r.orcpt = SPAN("rfc 822;x");
    assert_null(strstr(put(&d), "Original-Recipient"));
}

static void i8_no_notification_to_nobody(void **state)
{
    (void)state;
    struct dsn d = sample();
    char memory[4096];
    struct buf b = buf_on(memory, sizeof memory);
    d.to = SPAN("");
    dsn_put(&b, &d);
    assert_true(b.over);
    assert_int_equal(b.n, 0);
    d = sample();
    d.n = 0;
    b = buf_on(memory, sizeof memory);
    dsn_put(&b, &d);
    assert_true(b.over);
}

static void boundary_is_not_in_the_content(void **state)
{
    (void)state;
    struct dsn d = sample();
    d.content = SPAN("A: b\r\n\r\n--=_sallyport_0123456789abcdef--\r\n--=_sallyport_0123456789abcdf0\r\n");
    d.full = true;
    HAS(put(&d), "boundary=\"=_sallyport_0123456789abcdf1\"");
}

/* Fields of the status part by name, and boundaries: hostile text adds none. */
static unsigned lines_that_begin(const char *z, const char *with)
{
    unsigned n = 0;
    for (const char *p = z; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        n += strncmp(p, with, strlen(with)) == 0;
        if (!*p) break;
    }
    return n;
}

static struct span hostile_text(uint8_t *memory, size_t max)
{
    static const char *const pieces[] = {"\r\n",
                                         "\n",
                                         "\r",
                                         "Action: delivered",
                                         "Final-Recipient: x",
                                         "--=_sallyport_",
                                         "\r\n\r\n",
                                         " ",
                                         "\t",
                                         "<",
                                         ">",
                                         "\"",
                                         "\\",
                                         "\xc3\xa4",
                                         "\xff",
                                         "\0x",
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                         ";",
                                         "@"};
    struct buf b = buf_on(memory, max);
    for (long k = random() % 30; k > 0; k--)
        buf_str(&b, pieces[(size_t)random() % (sizeof pieces / sizeof pieces[0])]);
    return buf_span(&b);
}

static void hostile(void **state)
{
    (void)state;
    srandom(9);
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t m[10][400];
        struct dsn_recipient r[2] = {one, one};
        struct dsn d = sample();
        for (unsigned i = 0; i < 2; i++) {
            r[i].final = hostile_text(m[4 * i], 300);
            r[i].orcpt = hostile_text(m[4 * i + 1], 400);
            r[i].diagnostic = hostile_text(m[4 * i + 2], 400);
            r[i].remote = hostile_text(m[4 * i + 3], 300);
            r[i].expanded_from = r[i].remote;
            r[i].status = random() % 2 ? SPAN("5.1.1") : r[i].diagnostic;
        }
        d.recipients = r;
        d.n = 2;
        d.envid = hostile_text(m[8], 200);
        d.to = hostile_text(m[9], 300);
        if (d.to.n == 0) continue;
        d.id = d.envid;
        d.utf8 = random() % 2;
        const char *z = put(&d);
        check_lines(z);
        assert_int_equal(lines_that_begin(z, "Action:"), 2);
        assert_int_equal(lines_that_begin(z, "Final-Recipient:"), 2);
        assert_int_equal(lines_that_begin(z, "Reporting-MTA:"), 1);
        assert_int_equal(lines_that_begin(z, "Content-Type:"), 4);
        assert_int_equal(lines_that_begin(z, "Content-Description:"), 3);
        assert_int_equal(lines_that_begin(z, "To:"), 1);
        assert_int_equal(lines_that_begin(z, "--=_sallyport_0123456789abcdef"), 4);
    }
}

static void header_helpers(void **state)
{
    (void)state;
    bool whole;
    struct span c = SPAN("A: 1\r\nB: 2\r\n 3\r\nb: 4\r\n\r\nC: 5\r\n");
    struct span s = header_section(c, 1000, &whole);
    assert_int_equal(s.n, 22);
    assert_true(whole);
    assert_true(span_eq(header_find(s, SPAN("b")), SPAN(" 2\r\n 3\r\n")));
    assert_true(span_eq(header_find(s, SPAN("A")), SPAN(" 1\r\n")));
    assert_int_equal(header_find(s, SPAN("C")).n, 0);
    assert_int_equal(header_find(SPAN("A"), SPAN("A")).n, 0);
    assert_int_equal(header_find(SPAN(""), SPAN("A")).n, 0);
    s = header_section(c, 15, &whole);
    assert_int_equal(s.n, 12);
    assert_false(whole);
    s = header_section(SPAN("\r\nx"), 10, &whole);
    assert_int_equal(s.n, 0);
    s = header_section(SPAN("A: 1"), 10, &whole);
    assert_int_equal(s.n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_message),
        cmocka_unit_test(what_comes_back),
        cmocka_unit_test(internationalized),
        cmocka_unit_test(other_actions),
        cmocka_unit_test(i8_no_notification_to_nobody),
        cmocka_unit_test(boundary_is_not_in_the_content),
        cmocka_unit_test(hostile),
        cmocka_unit_test(header_helpers),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(text);
    return failed;
}
