/* Codecs of what edges, mailbox and admin say: submit, job, question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/job.h"
#include "spool/question.h"
#include "spool/submit.h"

static uint8_t memory[65536];

/* Every cut and one octet more must be refused. */
#define EXACT(read, b, to)                                                                                   \
    do {                                                                                                     \
        assert_false((b).over);                                                                              \
        for (size_t n = 0; n < (b).n; n++)                                                                   \
            assert_false(read(span_of((b).p, n), to));                                                       \
        (b).p[(b).n] = 0;                                                                                    \
        assert_false(read(span_of((b).p, (b).n + 1), to));                                                   \
        assert_true(read(buf_span(&(b)), to));                                                               \
    } while (0)

static void chunk(void **state)
{
    (void)state;
    static struct submit_chunk m = {.id = 7, .count = 2, .blocks = {{1, 2048}, {70000, 65536}}}, back;
    struct buf b = buf_on(memory, sizeof memory);
    submit_chunk_put(&b, &m);
    EXACT(submit_chunk_read, b, &back);
    assert_int_equal(back.blocks[1].block, 70000);
    assert_int_equal(back.blocks[1].length, 65536);
    struct {
        struct submit_chunk m;
    } bad[] = {{{.id = 0, .count = 1, .blocks = {{0, 1}}}},
               {{.id = 1, .count = 0}},
               {{.id = 1, .count = 1, .blocks = {{0, 65537}}}}};
    for (size_t i = 0; i < 3; i++) {
        b = buf_on(memory, sizeof memory);
        submit_chunk_put(&b, &bad[i].m);
        assert_false(submit_chunk_read(buf_span(&b), &back));
    }
    m.count = LIMIT_SUBMIT_BLOCKS + 1;
    submit_chunk_put(&b, &m);
    assert_true(b.over);
}

static void commit(void **state)
{
    (void)state;
    static struct submit_commit m = {.id = 7,
                                     .content_octets = 9,
                                     .envelope_count = 1,
                                     .count = 2,
                                     .blocks = {{1, 20}, {2, 9}}},
                                back;
    struct buf b = buf_on(memory, sizeof memory);
    submit_commit_put(&b, &m);
    EXACT(submit_commit_read, b, &back);
    assert_int_equal(back.content_octets, 9);
    static const uint32_t counts[][2] = {{0, 1}, {2, 1}, {0, 0}};
    for (size_t i = 0; i < 3; i++) {
        m.envelope_count = counts[i][0];
        m.count = counts[i][1];
        b = buf_on(memory, sizeof memory);
        submit_commit_put(&b, &m);
        assert_false(submit_commit_read(buf_span(&b), &back));
    }
    b = buf_on(memory, sizeof memory);
    wire_put_u64(&b, 1);
    wire_put_u64(&b, 1);
    wire_put_u32(&b, 1);
    wire_put_u32(&b, UINT32_MAX); /* blocks that are not there */
    assert_false(submit_commit_read(buf_span(&b), &back));
}

static void result(void **state)
{
    (void)state;
    struct submit_result m = {.id = 3, .status = SUBMIT_FULL, .blocks = 17}, back;
    struct buf b = buf_on(memory, sizeof memory);
    submit_result_put(&b, &m);
    EXACT(submit_result_read, b, &back);
    assert_int_equal(back.status, SUBMIT_FULL);
    assert_int_equal(back.blocks, 17);
    b.p[8] = SUBMIT_STATUS_COUNT;
    assert_false(submit_result_read(buf_span(&b), &back));
}

static void jobs(void **state)
{
    (void)state;
    static struct job_deliver m = {.id = 1,
                                   .recipient = 2,
                                   .last = 1,
                                   .count = 2,
                                   .extents = {{1, 2, 3, 4}, {5, 6, 7, 8}}},
                              back;
    m.domain = SPAN("example.org");
    m.local = SPAN("a");
    m.delivered_to = SPAN("A+x@example.org");
    struct buf b = buf_on(memory, sizeof memory);
    job_deliver_put(&b, &m);
    EXACT(job_deliver_read, b, &back);
    assert_int_equal(back.extents[1].offset, 7);
    assert_true(span_eq(back.delivered_to, SPAN("A+x@example.org")));
    struct job_result r = {.id = 1,
                           .recipient = 2,
                           .status = JOB_DEFERRED,
                           .enhanced = "4.2.2",
                           .text = SPAN("full")},
                      rback;
    b = buf_on(memory, sizeof memory);
    job_result_put(&b, &r);
    EXACT(job_result_read, b, &rback);
    assert_string_equal(rback.enhanced, "4.2.2");
    r.text = SPAN("two\nlines");
    b = buf_on(memory, sizeof memory);
    job_result_put(&b, &r);
    assert_false(job_result_read(buf_span(&b), &rback));
    r.text = SPAN("ok");
    r.status = JOB_STATUS_COUNT;
    b = buf_on(memory, sizeof memory);
    job_result_put(&b, &r);
    assert_false(job_result_read(buf_span(&b), &rback));
}

static void questions(void **state)
{
    (void)state;
    struct question q = {.tag = 5,
                         .cursor = 6,
                         .page = 10,
                         .kind = QUESTION_LIST,
                         .uid = 1000,
                         .filter = {.id = 9,
                                    .states = QUESTION_HELD,
                                    .from = SPAN("a"),
                                    .to = SPAN("b"),
                                    .domain = SPAN("c"),
                                    .reason = SPAN("d"),
                                    .destination = SPAN("e"),
                                    .larger = 1,
                                    .smaller = 2,
                                    .older_ms = 3,
                                    .newer_ms = 4}},
                    back;
    struct buf b = buf_on(memory, sizeof memory);
    question_put(&b, &q);
    EXACT(question_read, b, &back);
    assert_int_equal(b.n, QUESTION_HEAD_OCTETS + 5);
    assert_true(span_eq(back.filter.destination, SPAN("e")));
    assert_int_equal(back.filter.newer_ms, 4);
    assert_int_equal(back.uid, 1000);
    struct question named = q, bad[] = {q, q, q, q, q, q, q, q};
    named.kind = QUESTION_DESTINATIONS;
    named.hop = bad[7].hop = SPAN("a next hop");
    b = buf_on(memory, sizeof memory);
    question_put(&b, &named);
    EXACT(question_read, b, &back);
    assert_true(span_eq(back.hop, named.hop));
    bad[0].page = 0;
    bad[1].page = LIMIT_QUESTION_PAGE_LINES + 1;
    bad[2].kind = QUESTION_KIND_COUNT;
    bad[3].filter.states = 8;
    bad[4].what = 1;
    bad[5].kind = QUESTION_CHANGE;
    bad[5].what = QUESTION_CHANGE_COUNT;
    bad[6].kind = QUESTION_SUMMARY;
    bad[6].what = QUESTION_GROUP_COUNT;
    for (size_t i = 0; i < 8; i++) {
        b = buf_on(memory, sizeof memory);
        question_put(&b, &bad[i]);
        assert_false(question_read(buf_span(&b), &back));
    }
    struct answer a = {.tag = 5, .cursor = 9, .status = ANSWER_OK, .last = 1, .text = SPAN("{}\n")}, aback;
    b = buf_on(memory, sizeof memory);
    answer_put(&b, &a);
    EXACT(answer_read, b, &aback);
    assert_true(span_eq(aback.text, SPAN("{}\n")));
    assert_int_equal(b.n, ANSWER_HEAD_OCTETS + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chunk), cmocka_unit_test(commit),
                                       cmocka_unit_test(result), cmocka_unit_test(jobs),
                                       cmocka_unit_test(questions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
