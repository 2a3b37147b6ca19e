#include "directory/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void good(const char *text, const char *user, const char *password)
{
    struct credential c;
    uint32_t line = 99;
    assert_null(credential_parse(span_str(text), &c, &line));
    assert_true(span_eq(c.user, span_str(user)));
    assert_true(span_eq(c.password, span_str(password)));
    assert_int_equal(line, 0);
}

static void bad(struct span text, uint32_t where)
{
    struct credential c = {.user = SPAN("untouched")};
    uint32_t line = 99;
    const char *wrong = credential_parse(text, &c, &line);
    assert_non_null(wrong);
    assert_int_equal(line, where);
    assert_true(span_eq(c.user, SPAN("untouched")));
    assert_null(strstr(wrong, "secret")); /* nothing of the file is repeated */
}

static void file(void **state)
{
    (void)state;
    good("joe\nsecret\n", "joe", "secret");
    good("joe\nsecret", "joe", "secret");
    good("joe@example.org\r\n se cret \r\n", "joe@example.org", " se cret ");
    good("j\xc3\xb6\n#\xe2\x82\xac\n", "j\xc3\xb6", "#\xe2\x82\xac");
    bad(SPAN(""), 0);
    bad(SPAN("\nsecret\n"), 1);
    bad(SPAN("joe"), 2);
    bad(SPAN("joe\n"), 2);
    bad(SPAN("joe\n\n"), 2);
    bad(SPAN("joe\nsecret\n\n"), 3);
    bad(SPAN("joe\nsecret\nsecret"), 3);
    bad(SPAN(" joe\nsecret\n"), 1);
    bad(SPAN("joe \nsecret\n"), 1);
    bad(SPAN("joe\0\nsecret\n"), 1);
    bad(SPAN("joe\rx\nsecret\n"), 1);
    bad(SPAN("\xef\xbb\xbfjoe\nsecret\n"), 1);
    bad(SPAN("joe\nsec\0ret\n"), 2);
    bad(SPAN("joe\nsec\tret\n"), 2);
    bad(SPAN("joe\nsecret\r\r\n"), 2);
    bad(SPAN("joe\nsecret\xff\n"), 2);
    bad(SPAN("j\xc3\nsecret\n"), 1);
}

static void file_lengths(void **state)
{
    (void)state;
    char text[LIMIT_CREDENTIAL_FILE_OCTETS + 2];
    for (unsigned more = 0; more < 2; more++) {
        struct buf b = buf_on(text, sizeof text);
        for (unsigned i = 0; i < LIMIT_CREDENTIAL_USER_OCTETS + more; i++)
            buf_byte(&b, 'u');
        buf_str(&b, "\np\n");
        struct credential c;
        uint32_t line;
        assert_int_equal(credential_parse(buf_span(&b), &c, &line) == NULL, !more);
        b.n = 0;
        buf_str(&b, "u\n");
        for (unsigned i = 0; i < LIMIT_PASSWORD_OCTETS + more; i++)
            buf_byte(&b, 'p');
        assert_int_equal(credential_parse(buf_span(&b), &c, &line) == NULL, !more);
    }
    memset(text, 'x', sizeof text);
    bad(span_of(text, LIMIT_CREDENTIAL_FILE_OCTETS + 1), 0);
}

static uint8_t memory[CREDENTIAL_QUESTION_OCTETS + 64];

static bool question_passes(struct credential_question q)
{
    struct buf b = buf_on(memory, sizeof memory);
    struct credential_question back;
    credential_question_put(&b, &q);
    assert_false(b.over);
    if (!credential_question_read(buf_span(&b), &back)) return false;
    assert_true(back.tag == q.tag && back.step == q.step && span_eq(back.user, q.user) &&
                span_eq(back.mechanisms, q.mechanisms) && span_eq(back.challenge, q.challenge) &&
                span_eq(back.exporter, q.exporter));
    for (size_t i = 0; i < b.n; i++)
        assert_false(credential_question_read(span_of(memory, i), &back));
    buf_byte(&b, 0);
    assert_false(credential_question_read(buf_span(&b), &back));
    return true;
}

static void question(void **state)
{
    (void)state;
    static char large[LIMIT_AUTH_LINE_OCTETS + 1];
    memset(large, 'A', sizeof large);
    struct span file = SPAN("/etc/sallyport/provider"), all = SPAN("LOGIN PLAIN");
    assert_true(question_passes((struct credential_question){UINT64_MAX, file, all, 0, SPAN(""), SPAN("")}));
    assert_true(
        question_passes((struct credential_question){1, file, SPAN(""), 3, SPAN("VXNlcm5hbWU6"), SPAN("")}));
    assert_true(
        question_passes((struct credential_question){1, file, all, 1, SPAN("what? no base64"), SPAN("")}));
    assert_true(question_passes(
        (struct credential_question){1, file, all, 1, span_of(large, LIMIT_AUTH_LINE_OCTETS), SPAN("")}));
    assert_true(question_passes((struct credential_question){1, span_of(large, LIMIT_CONFIG_PATH_OCTETS), all,
                                                             CREDENTIAL_STEPS_MAX - 1, SPAN(""), SPAN("")}));
    assert_false(question_passes((struct credential_question){1, SPAN(""), all, 0, SPAN(""), SPAN("")}));
    assert_false(question_passes((struct credential_question){1, SPAN("/a\nb"), all, 0, SPAN(""), SPAN("")}));
    assert_false(
        question_passes((struct credential_question){1, file, SPAN("PLAIN\r\n"), 0, SPAN(""), SPAN("")}));
    assert_false(question_passes((struct credential_question){1, file, all, 0, SPAN("QQ=="), SPAN("")}));
    assert_false(question_passes(
        (struct credential_question){1, file, all, CREDENTIAL_STEPS_MAX, SPAN(""), SPAN("")}));
    assert_false(question_passes((struct credential_question){1, file, all, 1, SPAN("a\0b"), SPAN("")}));
    assert_false(question_passes(
        (struct credential_question){1, file, all, 1, span_of(large, sizeof large), SPAN("")}));
    struct span exporter = span_of(large, LIMIT_EXPORTER_OCTETS);
    assert_true(question_passes((struct credential_question){1, file, all, 0, SPAN(""), exporter}));
    assert_false(question_passes((struct credential_question){1, file, all, 1, SPAN(""), exporter}));
    assert_false(
        question_passes((struct credential_question){1, file, all, 0, SPAN(""), span_head(exporter, 31)}));
    /* an offer without end is cut */
    struct buf b = buf_on(memory, sizeof memory);
    struct credential_question back;
    credential_question_put(
        &b, &(struct credential_question){1, file, span_of(large, 5000), 0, SPAN(""), SPAN("")});
    assert_true(credential_question_read(buf_span(&b), &back));
    assert_int_equal(back.mechanisms.n, CREDENTIAL_MECHANISMS_OCTETS);
}

static bool answer_passes(struct credential_answer a)
{
    struct buf b = buf_on(memory, sizeof memory);
    struct credential_answer back;
    credential_answer_put(&b, &a);
    assert_false(b.over);
    if (!credential_answer_read(buf_span(&b), &back)) return false;
    assert_true(back.tag == a.tag && back.status == a.status && span_eq(back.mechanism, a.mechanism) &&
                span_eq(back.response, a.response) && back.last == a.last && span_eq(back.text, a.text));
    for (size_t i = 0; i < b.n; i++)
        assert_false(credential_answer_read(span_of(memory, i), &back));
    buf_byte(&b, 0);
    assert_false(credential_answer_read(buf_span(&b), &back));
    return true;
}

static void answer(void **state)
{
    (void)state;
    assert_true(answer_passes((struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("PLAIN"),
                                                         SPAN("AGEAYg=="), false, SPAN("")}));
    assert_true(answer_passes((struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("SCRAM-SHA-256"),
                                                         SPAN(""), false, SPAN("")}));
    assert_true(answer_passes(
        (struct credential_answer){7, CREDENTIAL_NO_MECHANISM, SPAN(""), SPAN(""), false, SPAN("")}));
    assert_true(answer_passes(
        (struct credential_answer){7, CREDENTIAL_UNKNOWN, SPAN(""), SPAN(""), false, SPAN("")}));
    assert_true(
        answer_passes((struct credential_answer){7, CREDENTIAL_BROKEN, SPAN(""), SPAN(""), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_STATUS_COUNT, SPAN(""), SPAN(""), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_UNKNOWN, SPAN("PLAIN"), SPAN(""), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_BROKEN, SPAN(""), SPAN("QQ=="), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN(""), SPAN("QQ=="), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("plain"), SPAN(""), false, SPAN("")}));
    assert_false(answer_passes((struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("PLAIN\r\nMAIL"),
                                                          SPAN(""), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("PLAIN"), SPAN("QQ="), false, SPAN("")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("PLAIN"), SPAN("QQ\r\n"), false, SPAN("")}));
    assert_false(answer_passes((struct credential_answer){
        7, CREDENTIAL_RESPONSE, SPAN("MORE-THAN-20-OCTETS-X"), SPAN(""), false, SPAN("")}));
}

static void answer_text(void **state)
{
    (void)state;
    assert_true(
        answer_passes((struct credential_answer){7, CREDENTIAL_RESPONSE, SPAN("XOAUTH2"), SPAN("QQ=="), true,
                                                 SPAN("the token in /t, written 3 days ago")}));
    assert_true(answer_passes(
        (struct credential_answer){7, CREDENTIAL_BROKEN, SPAN(""), SPAN(""), false, SPAN("no")}));
    assert_false(answer_passes(
        (struct credential_answer){7, CREDENTIAL_BROKEN, SPAN(""), SPAN(""), true, SPAN("no")}));
    /* what steers terminals, and what is no ASCII, does not get through */
    struct buf b = buf_on(memory, sizeof memory);
    struct credential_answer back;
    credential_answer_put(
        &b, &(struct credential_answer){.status = CREDENTIAL_BROKEN, .text = SPAN("a\xc3\xb6\033[1m")});
    assert_true(credential_answer_read(buf_span(&b), &back));
    assert_true(span_eq(back.text, SPAN("a???[1m")));
    memory[b.n - 1] = '\n';
    assert_false(credential_answer_read(buf_span(&b), &back));
}

static void token(void **state)
{
    static char text[LIMIT_CREDENTIAL_TOKEN_OCTETS + 64];
    static const struct {
        const char *text, *token;
    } rows[] = {
        {"ya29.a0Af_B-x~+/==\n", "ya29.a0Af_B-x~+/=="},
        {" \t abc \r\n\r\n", "abc"},
        {"abc", "abc"},
        {"", NULL},
        {" \n", NULL},
        {"abc def", NULL},
        {"abc\ndef\n", NULL},
        {"a=bc", NULL},
        {"===", NULL},
        {"{\"access_token\":\"x\"}", NULL},
        {"ab\xc3\xb6", NULL},
        {"ab\1", NULL},
    };
    struct span got;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *wrong = credential_token(span_str(rows[i].text), &got);
        assert_int_equal(wrong == NULL, rows[i].token != NULL);
        if (rows[i].token) assert_true(span_eq(got, span_str(rows[i].token)));
    }
    memset(text, 'x', sizeof text);
    assert_null(credential_token(span_of(text, LIMIT_CREDENTIAL_TOKEN_OCTETS), &got));
    assert_non_null(credential_token(span_of(text, LIMIT_CREDENTIAL_TOKEN_OCTETS + 1), &got));
    assert_non_null(credential_token(SPAN("ab\0c"), &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file),   cmocka_unit_test(file_lengths), cmocka_unit_test(question),
        cmocka_unit_test(answer), cmocka_unit_test(answer_text),  cmocka_unit_test(token),
    };
    return cmocka_run_group_tests_name("credential", tests, NULL, NULL);
}
