#include "directory/domain_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t memory[65536], longer[65536];

/* What was put is read back, and nothing shorter or longer is a message. */
static void only_whole(struct span s, bool (*reads)(struct span))
{
    assert_true(reads(s));
    for (size_t n = 0; n < s.n; n++)
        assert_false(reads(span_head(s, n)));
    memcpy(longer, s.p, s.n);
    longer[s.n] = 0;
    assert_false(reads(span_of(longer, s.n + 1)));
}

static bool reads_question(struct span s)
{
    struct domain_question m;
    return domain_question_read(s, &m);
}

static bool reads_answer(struct span s)
{
    struct domain_answer m;
    return domain_answer_read(s, &m);
}

static struct domain_question a_question(void)
{
    return (struct domain_question){.tag = 7,
                                    .user = SPAN("j\xc3\xb6"
                                                 "e"),
                                    .domain = SPAN("CORP"),
                                    .workstation = SPAN("PC"),
                                    .challenge = {1, 2, 3, 4, 5, 6, 7, 8},
                                    .response = SPAN("12345678901234567890123456")};
}

static struct domain_answer an_answer(void)
{
    return (struct domain_answer){.tag = 9,
                                  .status = DOMAIN_PROVEN,
                                  .session_key = {1, 2, 3},
                                  .account = SPAN("joe"),
                                  .domain = SPAN("CORP"),
                                  .n_groups = 2,
                                  .groups = {SPAN("Mail Users@example.org"), SPAN("S-1-5-21-1-2-3-513")}};
}

static struct span question(const struct domain_question *m)
{
    struct buf b = buf_on(memory, sizeof memory);
    domain_question_put(&b, m);
    assert_false(b.over);
    return buf_span(&b);
}

static struct span answer(const struct domain_answer *m)
{
    struct buf b = buf_on(memory, sizeof memory);
    domain_answer_put(&b, m);
    assert_false(b.over);
    return buf_span(&b);
}

static void a_question_comes_as_it_went(void **state)
{
    struct domain_question m = a_question(), ret;
    (void)state;
    only_whole(question(&m), reads_question);
    assert_true(domain_question_read(question(&m), &ret));
    assert_int_equal(ret.tag, 7);
    assert_true(span_eq(ret.user, m.user) && span_eq(ret.domain, m.domain));
    assert_true(span_eq(ret.workstation, m.workstation) && span_eq(ret.response, m.response));
    assert_memory_equal(ret.challenge, m.challenge, sizeof m.challenge);
    m.domain = m.workstation = SPAN("");
    only_whole(question(&m), reads_question);
}

/* A NUL would cut the name short that winbind is told. */
static void what_is_no_question(void **state)
{
    static const struct span texts[] = {SPAN("a\0b"), SPAN("a\nb"), SPAN("\xff"), SPAN("\xe2\x80\xae")};
    static uint8_t many[LIMIT_SASL_RESPONSE_OCTETS + 1];
    struct domain_question m;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        m = a_question();
        m.user = texts[i];
        assert_false(reads_question(question(&m)));
        m = a_question();
        m.domain = texts[i];
        assert_false(reads_question(question(&m)));
        m = a_question();
        m.workstation = texts[i];
        assert_false(reads_question(question(&m)));
    }
    m = a_question();
    m.user = SPAN("");
    assert_false(reads_question(question(&m)));
    m = a_question();
    m.response = span_head(m.response, 24); /* NTLMv1 never leaves this house */
    assert_false(reads_question(question(&m)));
    m.response = span_of(many, sizeof many - 1);
    assert_true(reads_question(question(&m)));
    m.response = span_of(many, sizeof many);
    assert_false(reads_question(question(&m)));
    memset(many, 'a', sizeof many);
    m = a_question();
    m.user = m.domain = m.workstation = span_of(many, LIMIT_DOMAIN_NAME_OCTETS);
    m.response = span_of(many, LIMIT_SASL_RESPONSE_OCTETS);
    assert_int_equal(question(&m).n, DOMAIN_QUESTION_OCTETS);
    assert_true(reads_question(question(&m)));
    m.user.n++;
    assert_false(reads_question(question(&m)));
    m = a_question();
    m.user = SPAN("a");
    m.domain = m.workstation = SPAN("");
    m.response = span_head(a_question().response, 25);
    assert_int_equal(question(&m).n, DOMAIN_QUESTION_LEAST);
}

static void an_answer_comes_as_it_went(void **state)
{
    struct domain_answer m = an_answer(), ret;
    (void)state;
    only_whole(answer(&m), reads_answer);
    assert_true(domain_answer_read(answer(&m), &ret));
    assert_int_equal(ret.tag, 9);
    assert_memory_equal(ret.session_key, m.session_key, sizeof m.session_key);
    assert_true(span_eq(ret.account, m.account) && span_eq(ret.domain, m.domain));
    assert_int_equal(ret.n_groups, 2);
    assert_true(span_eq(ret.groups[1], m.groups[1]));
    for (unsigned s = DOMAIN_PROVEN + 1; s < DOMAIN_STATUS_COUNT; s++) {
        m.status = (uint8_t)s;
        only_whole(answer(&m), reads_answer);
        assert_true(domain_answer_read(answer(&m), &ret));
        assert_true(ret.status == s && ret.account.n == 0 && ret.n_groups == 0);
    }
    m.status = DOMAIN_STATUS_COUNT;
    assert_false(reads_answer(answer(&m)));
}

static void what_is_no_answer(void **state)
{
    static uint8_t many[LIMIT_DOMAIN_NAME_OCTETS + 1];
    struct domain_answer m = an_answer();
    (void)state;
    memset(many, 'a', sizeof many);
    m.account = SPAN("");
    assert_false(reads_answer(answer(&m)));
    m = an_answer();
    m.domain = SPAN("");
    assert_false(reads_answer(answer(&m)));
    m = an_answer();
    m.account = SPAN("a\rb");
    assert_false(reads_answer(answer(&m)));
    m = an_answer();
    m.groups[1] = SPAN("");
    assert_false(reads_answer(answer(&m)));
    m.groups[1] = span_of(many, LIMIT_GROUP_NAME_OCTETS + 1);
    assert_false(reads_answer(answer(&m)));
    m.account = m.domain = span_of(many, LIMIT_DOMAIN_NAME_OCTETS);
    m.n_groups = LIMIT_IDENTITY_GROUPS;
    for (unsigned i = 0; i < LIMIT_IDENTITY_GROUPS; i++)
        m.groups[i] = span_of(many, LIMIT_GROUP_NAME_OCTETS);
    assert_int_equal(answer(&m).n, DOMAIN_ANSWER_OCTETS);
    assert_true(reads_answer(answer(&m)));
    struct span whole = answer(&m);
    size_t count = 8 + 1 + 16 + 2 * (2 + LIMIT_DOMAIN_NAME_OCTETS);
    memory[count] = LIMIT_IDENTITY_GROUPS + 1; /* it says one more, and has one more */
    memcpy(memory + whole.n, memory + whole.n - 2 - LIMIT_GROUP_NAME_OCTETS, 2 + LIMIT_GROUP_NAME_OCTETS);
    assert_false(reads_answer(span_of(memory, whole.n + 2 + LIMIT_GROUP_NAME_OCTETS)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_comes_as_it_went),
        cmocka_unit_test(what_is_no_question),
        cmocka_unit_test(an_answer_comes_as_it_went),
        cmocka_unit_test(what_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
