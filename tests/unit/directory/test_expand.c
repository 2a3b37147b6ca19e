#include "directory/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void question(void **state)
{
    (void)state;
    uint8_t memory[600];
    struct buf b = buf_on(memory, sizeof memory);
    struct expand_question q = {UINT64_MAX - 3, 7, SPAN("Bob+x@Example.ORG")}, back;
    expand_question_put(&b, &q);
    assert_true(expand_question_read(buf_span(&b), &back));
    assert_true(back.id == q.id && back.recipient == 7 && span_eq(back.path, q.path));
    for (size_t i = 0; i < b.n; i++)
        assert_false(expand_question_read(span_of(memory, i), &back));
    buf_byte(&b, 0);
    assert_false(expand_question_read(buf_span(&b), &back));
    b.n = 0;
    q.path = SPAN("");
    expand_question_put(&b, &q);
    assert_false(expand_question_read(buf_span(&b), &back));
    char huge[EXPAND_PATH_OCTETS + 1];
    memset(huge, 'a', sizeof huge);
    b.n = 0;
    q.path = span_of(huge, sizeof huge);
    expand_question_put(&b, &q);
    assert_false(expand_question_read(buf_span(&b), &back));
}

static struct span answer(struct buf *b, uint8_t status, uint8_t last, uint16_t count, struct span targets)
{
    struct expand_answer a = {9, 3, status, last, count, SPAN("owner-l@x"), targets};
    b->n = 0;
    expand_answer_put(b, &a);
    assert_false(b->over);
    return buf_span(b);
}

static void answers(void **state)
{
    (void)state;
    uint8_t memory[600], targets[300];
    struct buf t = buf_on(targets, sizeof targets), b = buf_on(memory, sizeof memory);
    expand_target_put(&t, &(struct expand_target){EXPAND_MAILBOX, SPAN("bob@example.org")});
    expand_target_put(&t, &(struct expand_target){EXPAND_REMOTE, SPAN("al@example.com")});
    struct expand_answer back;
    assert_true(expand_answer_read(answer(&b, EXPAND_OK, 1, 2, buf_span(&t)), &back));
    struct wire w = wire_on(back.targets);
    struct expand_target one;
    assert_true(span_eq(back.owner, SPAN("owner-l@x")));
    assert_true(expand_target_read(&w, &one) && one.kind == EXPAND_MAILBOX &&
                span_eq(one.path, SPAN("bob@example.org")));
    assert_true(expand_target_read(&w, &one) && one.kind == EXPAND_REMOTE &&
                span_eq(one.path, SPAN("al@example.com")));
    assert_false(expand_target_read(&w, &one));
    assert_false(w.bad);
    assert_false(expand_answer_read(answer(&b, EXPAND_OK, 1, 1, buf_span(&t)), &back));
    assert_false(expand_answer_read(answer(&b, EXPAND_OK, 1, 3, buf_span(&t)), &back));
    assert_false(expand_answer_read(answer(&b, EXPAND_OK, 2, 2, buf_span(&t)), &back));
    assert_false(expand_answer_read(answer(&b, EXPAND_STATUS_COUNT, 1, 2, buf_span(&t)), &back));
    assert_false(expand_answer_read(answer(&b, EXPAND_UNKNOWN, 1, 2, buf_span(&t)), &back));
    assert_false(expand_answer_read(answer(&b, EXPAND_UNKNOWN, 0, 0, SPAN("")), &back));
    assert_true(expand_answer_read(answer(&b, EXPAND_UNKNOWN, 1, 0, SPAN("")), &back));
    assert_true(expand_answer_read(answer(&b, EXPAND_OK, 1, 0, SPAN("")), &back));
    struct span whole = answer(&b, EXPAND_OK, 1, 2, buf_span(&t));
    for (size_t i = 0; i < whole.n; i++)
        assert_false(expand_answer_read(span_head(whole, i), &back));
}

static void bad_targets(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind;
        struct span path;
    } t[] = {{EXPAND_KIND_COUNT, {(const uint8_t *)"a@b", 3}},
             {0, {(const uint8_t *)"", 0}},
             {0, {(const uint8_t *)"ab", 2}},
             {0, {(const uint8_t *)"a\r@b", 4}},
             {1, {(const uint8_t *)"a@b\0", 4}},
             {1, {(const uint8_t *)"a\x7f@b", 4}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        uint8_t memory[100];
        struct buf b = buf_on(memory, sizeof memory);
        expand_target_put(&b, &(struct expand_target){t[i].kind, t[i].path});
        struct wire w = wire_on(buf_span(&b));
        struct expand_target back;
        assert_false(expand_target_read(&w, &back));
        assert_true(w.bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(question), cmocka_unit_test(answers),
                                       cmocka_unit_test(bad_targets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
