#include "../span_check.h"

#include "smtp/params.h"

enum { ALL = PARAMS_SIZE | PARAMS_BODY | PARAMS_BINARY | PARAMS_SMTPUTF8 | PARAMS_DSN | PARAMS_AUTH };

#define E50  "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define E100 E50 E50
#define E490 E100 E100 E100 E100 E50 "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

static void mail_values(void **state)
{
    (void)state;
    struct mail_params m;
    struct span bad = SPAN("untouched");
    assert_int_equal(params_mail(SPAN(""), ALL, &m, &bad), PARAMS_OK);
    assert_false(m.has_size || m.has_body || m.smtputf8 || m.has_auth || m.ret || m.envid.n || m.auth.n);
    assert_int_equal(params_mail(SPAN("   "), ALL, &m, &bad), PARAMS_OK);
    assert_int_equal(
        params_mail(SPAN(" SIZE=18446744073709551615  body=8bitMIME SMTPutf8 RET=hdrs ENVID=a+20b AUTH=<>  "),
                    ALL, &m, &bad),
        PARAMS_OK);
    assert_true(m.has_size && m.has_body && m.smtputf8 && m.has_auth);
    assert_int_equal(m.size, UINT64_MAX);
    assert_int_equal(m.body, BODY_8BITMIME);
    assert_int_equal(m.ret, DSN_RET_HDRS);
    assert_span(m.envid, "a+20b");
    assert_span(m.auth, "<>");
    assert_int_equal(params_mail(SPAN(" BODY=BINARYMIME RET=FULL AUTH=e+3Dmc2@example.com"), ALL, &m, &bad),
                     PARAMS_OK);
    assert_int_equal(m.body, BODY_BINARYMIME);
    assert_int_equal(m.ret, DSN_RET_FULL);
    assert_span(m.auth, "e+3Dmc2@example.com");
    assert_false(m.has_size);
    assert_int_equal(params_mail(SPAN(" ENVID=" E100), ALL, &m, &bad), PARAMS_OK);
    assert_span(bad, "untouched");
}

static const struct {
    struct span in;
    enum params_error error;
    const char *bad;
} faulty[] = {
    {SPAN("junk"), PARAMS_SYNTAX, "junk"},
    {SPAN("SIZE=10"), PARAMS_SYNTAX, "SIZE=10"},
    {SPAN("<b@c>"), PARAMS_SYNTAX, "<b@c>"},
    {SPAN(" ,<b@c>"), PARAMS_SYNTAX, ",<b@c>"},
    {SPAN("\tSIZE=1"), PARAMS_SYNTAX, "\tSIZE=1"},
    {SPAN(" SIZE=1\tBODY=7BIT"), PARAMS_SYNTAX, "SIZE=1\tBODY=7BIT"},
    {SPAN(" FOO=bar"), PARAMS_UNKNOWN, "FOO=bar"},
    {SPAN(" X-FOO"), PARAMS_UNKNOWN, "X-FOO"},
    {SPAN(" SIZES=1"), PARAMS_UNKNOWN, "SIZES=1"},
    {SPAN(" SIZ=1"), PARAMS_UNKNOWN, "SIZ=1"},
    {SPAN(" NOTIFY=NEVER"), PARAMS_UNKNOWN, "NOTIFY=NEVER"},
    {SPAN(" ORCPT=rfc822;a"), PARAMS_UNKNOWN, "ORCPT=rfc822;a"},
    {SPAN(" =1"), PARAMS_SYNTAX, "=1"},
    {SPAN(" ="), PARAMS_SYNTAX, "="},
    {SPAN(" F_O=1"), PARAMS_SYNTAX, "F_O=1"},
    {SPAN(" -A=1"), PARAMS_SYNTAX, "-A=1"},
    {SPAN(" FOO="), PARAMS_SYNTAX, "FOO="},
    {SPAN(" FOO=a\0b"), PARAMS_SYNTAX, NULL},
    {SPAN(" FOO=a\x7f"), PARAMS_SYNTAX, NULL},
    {SPAN(" FOO=\xff"), PARAMS_SYNTAX, NULL},
    {SPAN(" FOO=\xc3\xbc"), PARAMS_UNKNOWN, NULL},
    {SPAN(" \xc3\xbc=a"), PARAMS_SYNTAX, NULL},
    {SPAN(" SIZE"), PARAMS_SYNTAX, "SIZE"},
    {SPAN(" SIZE="), PARAMS_SYNTAX, "SIZE="},
    {SPAN(" SIZE =1"), PARAMS_SYNTAX, "SIZE"},
    {SPAN(" SIZE==1"), PARAMS_SYNTAX, "SIZE==1"},
    {SPAN(" SIZE=+5"), PARAMS_SYNTAX, "SIZE=+5"},
    {SPAN(" SIZE=-1"), PARAMS_SYNTAX, "SIZE=-1"},
    {SPAN(" SIZE=0x10"), PARAMS_SYNTAX, "SIZE=0x10"},
    {SPAN(" SIZE=5abc"), PARAMS_SYNTAX, "SIZE=5abc"},
    {SPAN(" SIZE=18446744073709551616"), PARAMS_SIZE_HUGE, "SIZE=18446744073709551616"},
    {SPAN(" SIZE=99999999999999999999"), PARAMS_SIZE_HUGE, NULL},
    {SPAN(" SIZE=999999999999999999999"), PARAMS_SYNTAX, NULL}, /* 21 digits */
    {SPAN(" SIZE=1 SIZE=1"), PARAMS_TWICE, "SIZE=1"},
    {SPAN(" SMTPUTF8 SMTPUTF8"), PARAMS_TWICE, "SMTPUTF8"},
    {SPAN(" SMTPUTF8=1"), PARAMS_SYNTAX, "SMTPUTF8=1"},
    {SPAN(" BODY"), PARAMS_SYNTAX, "BODY"},
    {SPAN(" BODY="), PARAMS_SYNTAX, "BODY="},
    {SPAN(" BODY=9BIT"), PARAMS_SYNTAX, "BODY=9BIT"},
    {SPAN(" BODY=7BIT BODY=8BITMIME"), PARAMS_TWICE, "BODY=8BITMIME"},
    {SPAN(" RET=BOTH"), PARAMS_SYNTAX, "RET=BOTH"},
    {SPAN(" RET="), PARAMS_SYNTAX, "RET="},
    {SPAN(" RET"), PARAMS_SYNTAX, "RET"},
    {SPAN(" RET=FULL RET=FULL"), PARAMS_TWICE, "RET=FULL"},
    {SPAN(" ENVID"), PARAMS_SYNTAX, "ENVID"},
    {SPAN(" ENVID=+zz"), PARAMS_SYNTAX, "ENVID=+zz"},
    {SPAN(" ENVID=a+"), PARAMS_SYNTAX, "ENVID=a+"},
    {SPAN(" ENVID=a+2"), PARAMS_SYNTAX, "ENVID=a+2"},
    {SPAN(" ENVID=a+0D+0Ab"), PARAMS_SYNTAX, "ENVID=a+0D+0Ab"}, /* would be lines of a DSN */
    {SPAN(" ENVID=" E100 "e"), PARAMS_SYNTAX, NULL},
    {SPAN(" ENVID=a ENVID=b"), PARAMS_TWICE, "ENVID=b"},
    {SPAN(" AUTH"), PARAMS_SYNTAX, "AUTH"},
    {SPAN(" AUTH=bob"), PARAMS_SYNTAX, "AUTH=bob"},
    {SPAN(" AUTH=<a@b>"), PARAMS_SYNTAX, "AUTH=<a@b>"},
    {SPAN(" AUTH=a@b+3E+20SIZE+3D1"), PARAMS_SYNTAX, NULL},
    {SPAN(" AUTH=a+0A@b"), PARAMS_SYNTAX, NULL},
    {SPAN(" AUTH=" E100 E100 E100 "@b"), PARAMS_SYNTAX, NULL},
    {SPAN(" SIZE=1 FOO SIZE=1"), PARAMS_UNKNOWN, "FOO"},
};

static void mail_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        struct mail_params m;
        struct span bad = {NULL, 0};
        assert_int_equal(params_mail(faulty[i].in, ALL, &m, &bad), faulty[i].error);
        if (faulty[i].bad) assert_span(bad, faulty[i].bad);
        assert_true(bad.n > 0);
    }
}

static void not_offered_is_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        unsigned offer;
    } t[] = {
        {" SIZE=1", PARAMS_SIZE},  {" BODY=7BIT", PARAMS_BODY}, {" SMTPUTF8", PARAMS_SMTPUTF8},
        {" RET=FULL", PARAMS_DSN}, {" ENVID=a", PARAMS_DSN},    {" AUTH=<>", PARAMS_AUTH},
    };
    struct mail_params m;
    struct rcpt_params r;
    struct span bad;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        assert_int_equal(params_mail(span_str(t[i].in), ALL & ~t[i].offer, &m, &bad), PARAMS_UNKNOWN);
        assert_int_equal(params_mail(span_str(t[i].in), t[i].offer, &m, &bad), PARAMS_OK);
    }
    assert_int_equal(params_mail(SPAN(" BODY=BINARYMIME"), PARAMS_BODY, &m, &bad), PARAMS_UNKNOWN);
    assert_int_equal(params_rcpt(SPAN(" NOTIFY=NEVER"), ALL & ~PARAMS_DSN, &r, &bad), PARAMS_UNKNOWN);
    assert_int_equal(params_rcpt(SPAN(" ORCPT=rfc822;a"), ALL & ~PARAMS_DSN, &r, &bad), PARAMS_UNKNOWN);
    assert_int_equal(params_mail(SPAN(" FOO=\xc3\xbc"), ALL & ~PARAMS_SMTPUTF8, &m, &bad), PARAMS_SYNTAX);
}

static void rcpt(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        enum params_error error;
        uint8_t notify;
        const char *orcpt;
    } t[] = {
        {SPAN(""), PARAMS_OK, 0, ""},
        {SPAN(" NOTIFY=NEVER"), PARAMS_OK, DSN_NOTIFY_NEVER, ""},
        {SPAN(" notify=success,Failure,DELAY"), PARAMS_OK,
         DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, ""},
        {SPAN(" NOTIFY=failure ORCPT=rfc822;user+2Bx@a.example"), PARAMS_OK, DSN_NOTIFY_FAILURE,
         "rfc822;user+2Bx@a.example"},
        {SPAN(" ORCPT=x-a;b"), PARAMS_OK, 0, "x-a;b"},
        {SPAN(" ORCPT=rfc822;a;b"), PARAMS_OK, 0, "rfc822;a;b"},
        {SPAN(" ORCPT=rfc822;" E490 "eee"), PARAMS_OK, 0, NULL}, /* 500 octets */
        {SPAN(" ORCPT=utf-8;\xc3\xbc@b"), PARAMS_OK, 0, "utf-8;\xc3\xbc@b"},
        {SPAN(" ORCPT=rfc822;\xc3\xbc@b"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=utf-8;\xc2\x9b@b"), PARAMS_SYNTAX, 0, NULL}, /* CSI */
        {SPAN(" NOTIFY=NEVER,SUCCESS"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY=SUCCESS,NEVER"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY=BOGUS"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY="), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY=SUCCESS,"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY=,SUCCESS"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" NOTIFY=SUCCESS NOTIFY=FAILURE"), PARAMS_TWICE, 0, NULL},
        {SPAN(" ORCPT=user@a.example"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=rfc822;a+GG"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=rfc822;a+2b"), PARAMS_SYNTAX, 0, NULL}, /* hexadecimal is upper case in xtext */
        {SPAN(" ORCPT=rfc822;a+0D+0AX:+20y"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT="), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=;a"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=a b;c"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=rfc822;" E490 "eeee"), PARAMS_SYNTAX, 0, NULL},
        {SPAN(" ORCPT=rfc822;a ORCPT=rfc822;b"), PARAMS_TWICE, 0, NULL},
        {SPAN(" SIZE=1"), PARAMS_UNKNOWN, 0, NULL},
        {SPAN(" FOO"), PARAMS_UNKNOWN, 0, NULL},
        {SPAN("NOTIFY=NEVER"), PARAMS_SYNTAX, 0, NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct rcpt_params r;
        struct span bad = {NULL, 0};
        assert_int_equal(params_rcpt(t[i].in, ALL, &r, &bad), t[i].error);
        assert_int_equal(bad.n > 0, t[i].error != PARAMS_OK);
        if (t[i].error) continue;
        assert_int_equal(r.notify, t[i].notify);
        if (t[i].orcpt) assert_span(r.orcpt, t[i].orcpt);
    }
}

static void chunk(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        enum chunk_error error;
        uint64_t size;
        bool last;
    } t[] = {
        {SPAN("0"), CHUNK_OK, 0, false},
        {SPAN("5"), CHUNK_OK, 5, false},
        {SPAN("0 LAST"), CHUNK_OK, 0, true},
        {SPAN("12 last"), CHUNK_OK, 12, true},
        {SPAN("00000000000000000012 LAST"), CHUNK_OK, 12, true},
        {SPAN("18446744073709551615"), CHUNK_OK, UINT64_MAX, false},
        {SPAN("4294967300 LAST"), CHUNK_OK, UINT64_C(4294967300), true}, /* nothing wraps at 32 bits */
        {SPAN("9223372036854775812 LAST"), CHUNK_OK, UINT64_C(9223372036854775812), true},
        {SPAN("6 LATS"), CHUNK_BAD_REST, 6, false},
        {SPAN("6 LAST LAST"), CHUNK_BAD_REST, 6, false},
        {SPAN("6 LASTX"), CHUNK_BAD_REST, 6, false},
        {SPAN("6 5"), CHUNK_BAD_REST, 6, false},
        {SPAN("6 \tLAST"), CHUNK_BAD_REST, 6, false},
        {SPAN(""), CHUNK_BAD_SIZE, 0, false},
        {SPAN("LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("-1 LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("+5 LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("5abc LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("5.0 LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("1,000 LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("0x10"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("5LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("5\tLAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("5\0 LAST"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("18446744073709551616"), CHUNK_BAD_SIZE, 0, false},
        {SPAN("100000000000000000000000000004 LAST"), CHUNK_BAD_SIZE, 0, false},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint64_t size = 4711;
        bool last = false;
        assert_int_equal(params_chunk(t[i].in, &size, &last), t[i].error);
        if (t[i].error == CHUNK_BAD_SIZE) continue;
        assert_int_equal(size, t[i].size);
        assert_int_equal(last, t[i].last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_values),
        cmocka_unit_test(mail_faults),
        cmocka_unit_test(not_offered_is_unknown),
        cmocka_unit_test(rcpt),
        cmocka_unit_test(chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
