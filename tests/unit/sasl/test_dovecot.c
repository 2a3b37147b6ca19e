#include "sasl/dovecot.h"

#include "sasl/mechanism.h"

#include "../span_check.h"

#include <string.h>

/* --- fields */

static void lines(void **state)
{
    (void)state;
    struct span input = SPAN("a\tb\n\nlast\nrest"), line;
    assert_true(dovecot_line_take(&input, &line));
    assert_span(line, "a\tb");
    assert_true(dovecot_line_take(&input, &line));
    assert_span(line, "");
    assert_true(dovecot_line_take(&input, &line));
    assert_span(line, "last");
    assert_false(dovecot_line_take(&input, &line));
    assert_span(input, "rest");
}

static void escapes(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    dovecot_put_escaped(&b, SPAN("joe"));
    assert_span(buf_span(&b), "joe");
    b.n = 0;
    dovecot_put_escaped(&b, span_of("a\0b\1c\td\re\nf", 11));
    assert_span(buf_span(&b), "a\1"
                              "0b\1"
                              "1c\1td\1re\1nf");
    struct span escaped = SPAN("a\1"
                               "0b\1"
                               "1c\1td\1re\1nf");
    b.n = 0;
    dovecot_put_plain(&b, escaped);
    assert_true(span_eq(buf_span(&b), span_of("a\0b\1c\td\re\nf", 11)));
    b.n = 0;
    dovecot_put_plain(&b, SPAN("x\1l\1")); /* any other octet is itself; nothing behind the last one */
    assert_span(buf_span(&b), "xl\1");
}

/* --- the handshake */

static bool greeted(const char *text, struct dovecot_server *s)
{
    struct span input = span_str(text), line;
    *s = (struct dovecot_server){0};
    while (!s->done && dovecot_line_take(&input, &line))
        if (!dovecot_handshake(s, line)) return false;
    return s->done;
}

/* As Dovecot 2.3.19 of Debian 12 says it, and as 2.4 does, in another order. */
static void greetings(void **state)
{
    (void)state;
    struct dovecot_server s;
    assert_true(
        greeted("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\nSPID\t15\nCUID\t1\n"
                "COOKIE\tf56692bee41f471ed01bd83520025305\nDONE\n",
                &s));
    assert_int_equal(s.minor, 2);
    assert_int_equal(s.mechanisms, MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256));
    assert_true(greeted("VERSION\t1\t4\nSPID\t15\nCUID\t1\nCOOKIE\tx\nMECH\tlogin\nNEWS\tof\ttomorrow\n"
                        "MECH\tSCRAM-SHA-256-PLUS\tmutual-auth\tchannel-binding\nDONE\n",
                        &s));
    assert_int_equal(s.mechanisms,
                     MECHANISM_BIT(MECHANISM_LOGIN) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS));
    /* nobody's mechanisms, and those that are not to be offered, whatever they are called */
    assert_true(greeted(
        "VERSION\t1\t2\nMECH\tANONYMOUS\tanonymous\nMECH\tPLAIN\tplaintext\tanonymous\n"
        "MECH\tCRAM-MD5\tdictionary\tprivate=\nMECH\tLOGIN\tprivately\nMECH\nMECH\t\tplaintext\nDONE\n",
        &s));
    assert_int_equal(s.mechanisms, MECHANISM_BIT(MECHANISM_LOGIN));
}

static void no_greetings(void **state)
{
    (void)state;
    static const char *const t[] = {"VERSION\t2\t0\nDONE\n",
                                    "DONE\n",
                                    "MECH\tPLAIN\nVERSION\t1\t2\nDONE\n",
                                    "VERSION\t1\nDONE\n",
                                    "VERSION\t1\tx\nDONE\n",
                                    "VERSION\t1\t2\nVERSION\t1\t2\nDONE\n",
                                    "VERSION\t-1\t2\nDONE\n",
                                    "",
                                    "VERSION\t1\t2\nMECH\tPLAIN\n",
                                    "VERSION\t4294967297\t2\nDONE\n",
                                    "220 mail.example.org ESMTP\r\n",
                                    "VERSION\n",
                                    "version\t1\t2\nDONE\n"};
    struct dovecot_server s;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (greeted(t[i], &s)) fail_msg("%s", t[i]);
    s = (struct dovecot_server){0};
    assert_true(dovecot_handshake(&s, SPAN("VERSION\t1\t2")));
    for (unsigned i = 1; i < LIMIT_DOVECOT_HANDSHAKE_LINES; i++)
        assert_true(dovecot_handshake(&s, SPAN("MECH\tPLAIN")));
    assert_false(dovecot_handshake(&s, SPAN("DONE")));
}

/* --- what is said */

static void said(void **state)
{
    (void)state;
    uint8_t memory[512];
    struct buf b = buf_on(memory, sizeof memory);
    dovecot_put_hello(&b, 7);
    assert_span(buf_span(&b), "VERSION\t1\t2\nCPID\t7\n");
    b.n = 0;
    dovecot_put_auth(&b, &(struct dovecot_request){.id = 1,
                                                   .mechanism = "PLAIN",
                                                   .tls = true,
                                                   .client = SPAN("2001:db8::1"),
                                                   .local = SPAN("2001:db8::25"),
                                                   .local_port = 587,
                                                   .initial = true,
                                                   .response = span_of("\0joe\0pw", 7)});
    assert_span(buf_span(&b), "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tno-penalty\trip=2001:db8::1\tlip=2001:"
                              "db8::25\tlport=587\tsecured=tls\t"
                              "resp=AGpvZQBwdw==\n");
    b.n = 0;
    dovecot_put_auth(&b, &(struct dovecot_request){
                             .id = 4294967295, .mechanism = "CRAM-MD5", .client = SPAN("192.0.2.1")});
    assert_span(buf_span(&b),
                "AUTH\t4294967295\tCRAM-MD5\tservice=smtp\tnologin\tno-penalty\trip=192.0.2.1\n");
    b.n = 0;
    dovecot_put_auth(
        &b, &(struct dovecot_request){.id = 1, .mechanism = "PLAIN", .client = SPAN("x"), .initial = true});
    assert_span(buf_span(&b), "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tno-penalty\trip=x\tresp=\n");
    b.n = 0;
    dovecot_put_cont(&b, 3, SPAN("\n\t"));
    dovecot_put_cont(&b, 3, SPAN(""));
    dovecot_put_cancel(&b, 3);
    assert_span(buf_span(&b), "CONT\t3\tCgk=\nCONT\t3\t\nCANCEL\t3\n");
}

/* --- what is heard */

static uint8_t kept[256];
static struct dovecot_reply hear(const char *line)
{
    struct buf b = buf_on(kept, sizeof kept);
    struct dovecot_reply r;
    dovecot_reply_read(span_str(line), 7, &b, &r);
    return r;
}

static void challenges(void **state)
{
    (void)state;
    struct dovecot_reply r = hear("CONT\t7\tUGFzc3dvcmQ6");
    assert_int_equal(r.kind, DOVECOT_CONT);
    assert_span(r.challenge, "Password:");
    r = hear("CONT\t7\t");
    assert_int_equal(r.kind, DOVECOT_CONT);
    assert_int_equal(r.challenge.n, 0);
    assert_int_equal(hear("CONT\t7").kind, DOVECOT_CONT);
}

static void successes(void **state)
{
    (void)state;
    struct dovecot_reply r = hear("OK\t7\tuser=joe@example.org");
    assert_int_equal(r.kind, DOVECOT_OK);
    assert_span(r.user, "joe@example.org");
    assert_false(r.no_login || r.anonymous || r.actor.n);
    r = hear("OK\t7\toriginal_user=x\tuser=a\1tb\tmail=/"
             "x\tnologinx\tuserx=z\tgroup=submit\tright=relay\tresp=eA==");
    assert_int_equal(r.kind, DOVECOT_OK);
    assert_span(r.user, "a\tb");
    assert_false(r.no_login || r.anonymous);
    assert_true(hear("OK\t7\tuser=joe\tnologin").no_login);
    assert_true(hear("OK\t7\tnologin=\tuser=joe").no_login);
    assert_true(hear("OK\t7\tuser=joe\tproxy=y\thost=x").no_login);
    assert_false(hear("OK\t7\tuser=joe\thost=x").no_login);
    assert_true(hear("OK\t7\tuser=joe\tanonymous").anonymous);
    r = hear("OK\t7\tuser=joe\tauth_user=admin");
    assert_span(r.actor, "admin");
    r = hear("OK\t7");
    assert_int_equal(r.kind, DOVECOT_OK);
    assert_int_equal(r.user.n, 0);
}

static void failures(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum dovecot_code code;
    } t[] = {
        {"FAIL\t7\tuser=joe", DOVECOT_REFUSED},
        {"FAIL\t7", DOVECOT_REFUSED},
        {"FAIL\t7\treason=code=temp_fail\tuser=joe", DOVECOT_REFUSED},
        {"FAIL\t7\tuser=joe\tcode=temp_fail", DOVECOT_TEMPORARY},
        {"FAIL\t7\tuser=joe\ttemp", DOVECOT_TEMPORARY},
        {"FAIL\t7\tcode=authz_fail", DOVECOT_AUTHORISATION},
        {"FAIL\t7\tauthz", DOVECOT_AUTHORISATION},
        {"FAIL\t7\tcode=user_disabled", DOVECOT_DISABLED},
        {"FAIL\t7\tuser_disabled", DOVECOT_DISABLED},
        {"FAIL\t7\tcode=pass_expired", DOVECOT_EXPIRED},
        {"FAIL\t7\tpass_expired", DOVECOT_EXPIRED},
        {"FAIL\t7\tcode=of_another_version", DOVECOT_REFUSED},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct dovecot_reply r = hear(t[i].line);
        assert_int_equal(r.kind, DOVECOT_FAIL);
        if (r.code != t[i].code) fail_msg("%s: %d", t[i].line, r.code);
    }
}

static void nonsense(void **state)
{
    (void)state;
    static const char *const t[] = {"",
                                    "OK",
                                    "OK\t8\tuser=joe",
                                    "OK\t07x\tuser=joe",
                                    "OK\t\tuser=joe",
                                    "OK\t4294967303\tuser=joe",
                                    "OK 7 user=joe",
                                    "ok\t7\tuser=joe",
                                    "OKAY\t7\tuser=joe",
                                    "CONT\t7\t*",
                                    "CONT\t7\teA=",
                                    "CONT\t8\t",
                                    "FAIL\t-7",
                                    "NOTFOUND\t7",
                                    "USER\t7\tjoe",
                                    "OK\t7\tuser=joe\tuser=root",
                                    "MECH\tPLAIN"};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (hear(t[i]).kind != DOVECOT_NONSENSE) fail_msg("%s", t[i]);
    char line[600] = "OK\t7\tuser=";
    memset(line + 10, 'a', 500); /* more than there is memory for */
    assert_int_equal(hear(line).kind, DOVECOT_NONSENSE);
    memcpy(line, "CONT\t7\tAAA", 10);
    line[7 + 400] = 0;
    assert_int_equal(hear(line).kind, DOVECOT_NONSENSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),        cmocka_unit_test(escapes),  cmocka_unit_test(greetings),
        cmocka_unit_test(no_greetings), cmocka_unit_test(said),     cmocka_unit_test(challenges),
        cmocka_unit_test(successes),    cmocka_unit_test(failures), cmocka_unit_test(nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
