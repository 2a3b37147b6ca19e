#include "../span_check.h"

#include "base/limits.h"
#include "smtp/ehlo.h"
#include "smtp/reply.h"

static uint8_t memory[4096];

static void writing(void **state)
{
    (void)state;
    struct buf b = buf_on(memory, sizeof memory);
    ehlo_put(&b, SPAN("mail.example greets you"), &(struct ehlo){0});
    assert_span(buf_span(&b), "250 mail.example greets you\r\n");
    b = buf_on(memory, sizeof memory);
    ehlo_put(&b, SPAN("mail.example"),
             &(struct ehlo){.extensions = EXT_PIPELINING | EXT_SIZE | EXT_LIMITS | EXT_STARTTLS | EXT_AUTH,
                            .size = 52428800,
                            .auth = SPAN("PLAIN LOGIN"),
                            .limit_rcptmax = 1000});
    assert_span(buf_span(&b),
                "250-mail.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-LIMITS RCPTMAX=1000\r\n"
                "250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n");
}

/* A peer's name with anything in it never makes a line of its own (MS02-037: an EHLO reply overflowed). */
static void hostile_name(void **state)
{
    (void)state;
    static uint8_t name[3000];
    memset(name, 'n', sizeof name);
    name[5] = '\r';
    name[6] = '\n';
    struct buf b = buf_on(memory, sizeof memory);
    ehlo_put(&b, span_of(name, sizeof name), &(struct ehlo){.extensions = EXT_DSN});
    assert_int_equal(b.n, LIMIT_REPLY_LINE_OCTETS + 9);
    assert_memory_equal(memory, "250-n", 5);
    assert_int_equal(span_find(buf_span(&b), '\n'), LIMIT_REPLY_LINE_OCTETS - 1);
    for (size_t max = 0; max < 37; max++) {
        b = buf_on(memory, max);
        ehlo_put(&b, SPAN("mail.example"), &(struct ehlo){.extensions = EXT_DSN | EXT_SIZE});
        assert_true(b.over);
    }
}

/* Everything that is written is read back. */
static void round_trip(void **state)
{
    (void)state;
    struct ehlo all = {.extensions = EXT_REQUIRETLS * 2 - 1,
                       .size = UINT64_MAX,
                       .auth = SPAN("SCRAM-SHA-256 PLAIN"),
                       .limit_rcptmax = 999999,
                       .limit_mailmax = 1},
                got = {0};
    for (unsigned bits = 0; bits < 17; bits++) {
        struct ehlo want = all;
        if (bits < 16) want.extensions = 1u << bits;
        struct buf b = buf_on(memory, sizeof memory);
        ehlo_put(&b, SPAN("first"), &want);
        got = (struct ehlo){0};
        struct span rest = buf_span(&b);
        for (unsigned line = 0; rest.n; line++) {
            struct reply_line r;
            size_t n = span_find(rest, '\n') + 1;
            assert_true(reply_parse(span_head(rest, n - 2), &r));
            assert_int_equal(r.last, n == rest.n);
            if (line) ehlo_read_line(r.text, &got);
            rest = span_skip(rest, n);
        }
        assert_int_equal(got.extensions, want.extensions);
        if (got.extensions & EXT_SIZE) assert_int_equal(got.size, UINT64_MAX);
        if (got.extensions & EXT_AUTH) assert_span(got.auth, "SCRAM-SHA-256 PLAIN");
        if (got.extensions & EXT_LIMITS) assert_int_equal(got.limit_rcptmax, 999999);
        if (got.extensions & EXT_LIMITS) assert_int_equal(got.limit_mailmax, 1);
    }
}

static void reading(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t extensions;
        uint64_t size;
        const char *auth;
        uint32_t rcptmax, mailmax;
    } t[] = {
        {"SIZE", EXT_SIZE, 0, "", 0, 0},
        {"size 0", EXT_SIZE, 0, "", 0, 0},
        {"SIZE 35882577", EXT_SIZE, 35882577, "", 0, 0},
        {"SIZE -1", EXT_SIZE, 0, "", 0, 0},
        {"SIZE 99999999999999999999999", EXT_SIZE, 0, "", 0, 0},
        {"SIZE x", EXT_SIZE, 0, "", 0, 0},
        {"SIZEX 5", 0, 0, "", 0, 0},
        {"SIZ", 0, 0, "", 0, 0},
        {"", 0, 0, "", 0, 0},
        {"   ", 0, 0, "", 0, 0},
        {"XYZZY", 0, 0, "", 0, 0},
        {"AUTH", EXT_AUTH, 0, "", 0, 0},
        {"AUTH   PLAIN LOGIN", EXT_AUTH, 0, "PLAIN LOGIN", 0, 0},
        {"AUTH=LOGIN", 0, 0, "", 0, 0},
        {"LIMITS RCPTMAX=100 MAILMAX=20 X=1", EXT_LIMITS, 0, "", 100, 20},
        {"LIMITS RCPTMAX=0 MAILMAX=1000000 RCPTMAX=-1 RCPTMAX RCPTMAX=", EXT_LIMITS, 0, "", 0, 0},
        {"LIMITS", EXT_LIMITS, 0, "", 0, 0},
        {"starttls", EXT_STARTTLS, 0, "", 0, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct ehlo e = {0};
        ehlo_read_line(span_str(t[i].text), &e);
        assert_int_equal(e.extensions, t[i].extensions);
        assert_int_equal(e.size, t[i].size);
        assert_span(e.auth, t[i].auth);
        assert_int_equal(e.limit_rcptmax, t[i].rcptmax);
        assert_int_equal(e.limit_mailmax, t[i].mailmax);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),
        cmocka_unit_test(hostile_name),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
