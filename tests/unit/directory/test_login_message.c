#include "directory/login_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "directory/sender_message.h"

static uint8_t memory[65536];

/* What was put is read back, and nothing shorter or longer is a message. */
static void only_whole(struct span s, bool (*reads)(struct span))
{
    static uint8_t longer[65536];
    assert_true(reads(s));
    for (size_t n = 0; n < s.n; n++)
        assert_false(reads(span_head(s, n)));
    memcpy(longer, s.p, s.n);
    longer[s.n] = 0;
    assert_false(reads(span_of(longer, s.n + 1)));
}

static bool reads_begin(struct span s)
{
    struct login_begin m;
    return login_begin_read(s, &m);
}

static bool reads_step(struct span s)
{
    struct login_step m;
    return login_step_read(s, &m);
}

static bool reads_answer(struct span s)
{
    struct login_answer m;
    return login_answer_read(s, &m);
}

static bool reads_question(struct span s)
{
    struct sender_question m;
    return sender_question_read(s, &m);
}

static bool reads_verdict(struct span s)
{
    struct sender_answer m;
    return sender_answer_read(s, &m);
}

static struct login_begin a_begin(void)
{
    return (struct login_begin){.session = 7,
                                .slot = 3,
                                .server = 1,
                                .mechanism = 11,
                                .tls = LOGIN_TLS_1_3,
                                .client = {1, 2, 3},
                                .local = {4, 5, [15] = 6},
                                .local_port = 465,
                                .exporter = SPAN("0123456789abcdef0123456789abcdef"),
                                .end_point = SPAN("hash"),
                                .certificate = SPAN("der"),
                                .initial = true,
                                .response = SPAN("\0user\0word")};
}

static void begin(void **state)
{
    struct buf b = buf_on(memory, sizeof memory);
    struct login_begin m = a_begin(), got;
    (void)state;
    login_begin_put(&b, &m);
    only_whole(buf_span(&b), reads_begin);
    assert_true(login_begin_read(buf_span(&b), &got));
    assert_int_equal(got.session, 7);
    assert_int_equal(got.slot, 3);
    assert_int_equal(got.mechanism, 11);
    assert_memory_equal(got.client, m.client, sizeof m.client);
    assert_memory_equal(got.local, m.local, sizeof m.local);
    assert_int_equal(got.local_port, 465);
    assert_true(span_eq(got.exporter, m.exporter) && span_eq(got.response, m.response) && got.initial);
}

/* A response that did not come cannot be there; an exporter has one length; TLS is one of four. */
static void begin_in_range(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        struct login_begin m = a_begin();
        if (i == 0) m.initial = false;
        if (i == 1) m.exporter = SPAN("short");
        if (i == 2) m.tls = LOGIN_TLS_COUNT;
        login_begin_put(&b, &m);
        assert_int_equal(reads_begin(buf_span(&b)), i == 3);
    }
}

static void step(void **state)
{
    struct buf b = buf_on(memory, sizeof memory);
    (void)state;
    login_step_put(&b, &(struct login_step){1, 2, SPAN("x")});
    only_whole(buf_span(&b), reads_step);
}

/* Only a success names somebody, and it names somebody with a right. */
static void answer(void **state)
{
    static const struct {
        struct login_answer a;
        bool good;
    } t[] = {
        {{.kind = LOGIN_CHALLENGE, .challenge = SPAN("r=1")}, true},
        {{.kind = LOGIN_REFUSED}, true},
        {{.kind = LOGIN_SUCCESS,
          .principal = 1,
          .rights = 1,
          .number = 5,
          .valid_until = 9,
          .stamp = {1, [LIMIT_STAMP_OCTETS - 1] = 2},
          .name = SPAN("a@b"),
          .label = SPAN("phone")},
         true},
        {{.kind = LOGIN_SUCCESS,
          .principal = 0,
          .rights = 1,
          .number = 5,
          .valid_until = 9,
          .name = SPAN("a@b")},
         false},
        {{.kind = LOGIN_SUCCESS,
          .principal = 1,
          .rights = 0,
          .number = 5,
          .valid_until = 9,
          .name = SPAN("a@b")},
         false},
        {{.kind = LOGIN_SUCCESS,
          .principal = 1,
          .rights = 1,
          .number = 5,
          .valid_until = 0,
          .name = SPAN("a@b")},
         false},
        {{.kind = LOGIN_SUCCESS, .principal = 1, .rights = 1, .number = 5, .valid_until = 9}, false},
        {{.kind = LOGIN_REFUSED, .valid_until = 9}, false},
        {{.kind = LOGIN_REFUSED, .stamp = {[LIMIT_STAMP_OCTETS - 1] = 1}}, false},
        {{.kind = LOGIN_REFUSED, .rights = 1}, false},
        {{.kind = LOGIN_CHALLENGE, .name = SPAN("a@b")}, false},
        {{.kind = LOGIN_CHALLENGE, .label = SPAN("phone")}, false},
        {{.kind = LOGIN_KIND_COUNT}, false},
    };
    struct login_answer got;
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        login_answer_put(&b, &t[i].a);
        assert_int_equal(reads_answer(buf_span(&b)), t[i].good);
        if (t[i].good) only_whole(buf_span(&b), reads_answer);
        if (t[i].good) assert_true(login_answer_read(buf_span(&b), &got));
        if (t[i].good) assert_memory_equal(got.stamp, t[i].a.stamp, sizeof got.stamp);
        if (t[i].good) assert_true(span_eq(got.label, t[i].a.label));
    }
}

static void too_long(void **state)
{
    static uint8_t text[LIMIT_SASL_RESPONSE_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory);
    (void)state;
    login_step_put(&b, &(struct login_step){1, 2, span_of(text, sizeof text)});
    assert_true(b.over);
    b = buf_on(memory, sizeof memory);
    login_answer_put(&b, &(struct login_answer){.challenge = span_of(text, LIMIT_SASL_CHALLENGE_OCTETS + 1)});
    assert_true(b.over);
    b = buf_on(memory, sizeof memory);
    login_answer_put(&b, &(struct login_answer){.label = span_of(text, LIMIT_IDENTITY_LABEL_OCTETS + 1)});
    assert_true(b.over);
}

static void sender(void **state)
{
    struct sender_question got;
    struct buf b = buf_on(memory, sizeof memory);
    (void)state;
    sender_question_put(
        &b, &(struct sender_question){1, 2, 3, {4, [LIMIT_STAMP_OCTETS - 1] = 5}, SPAN("a@b"), SPAN("c@d")});
    only_whole(buf_span(&b), reads_question);
    assert_true(sender_question_read(buf_span(&b), &got));
    assert_int_equal(got.stamp[0], 4);
    assert_int_equal(got.stamp[LIMIT_STAMP_OCTETS - 1], 5);
    b.n = 0;
    sender_question_put(&b, &(struct sender_question){1, 2, 3, {4}, SPAN("a@b"), SPAN("")});
    only_whole(buf_span(&b), reads_question);
    b.n = 0;
    sender_question_put(&b, &(struct sender_question){1, 2, 3, {4}, SPAN(""), SPAN("c@d")});
    assert_false(reads_question(buf_span(&b)));
    b.n = 0;
    sender_answer_put(&b, &(struct sender_answer){1, 2, SENDER_ENDED});
    only_whole(buf_span(&b), reads_verdict);
    b.n = 0;
    sender_answer_put(&b, &(struct sender_answer){1, 2, SENDER_VERDICT_COUNT});
    assert_false(reads_verdict(buf_span(&b)));
}

/* What is shorter an edge's or the directory's channel refuses before anybody reads it. */
static void shortest(void **state)
{
    struct buf b = buf_on(memory, sizeof memory);
    (void)state;
    login_begin_put(&b, &(struct login_begin){.session = 1});
    assert_int_equal(b.n, LOGIN_BEGIN_LEAST);
    b.n = 0;
    login_step_put(&b, &(struct login_step){.session = 1});
    assert_int_equal(b.n, LOGIN_STEP_LEAST);
    b.n = 0;
    login_answer_put(&b, &(struct login_answer){.session = 1});
    assert_int_equal(b.n, LOGIN_ANSWER_LEAST);
    b.n = 0;
    sender_question_put(&b, &(struct sender_question){.session = 1, .name = SPAN("a")});
    assert_int_equal(b.n, SENDER_QUESTION_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin),    cmocka_unit_test(begin_in_range), cmocka_unit_test(step),
        cmocka_unit_test(answer),   cmocka_unit_test(too_long),       cmocka_unit_test(sender),
        cmocka_unit_test(shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
