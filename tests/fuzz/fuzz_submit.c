/* What edges and spooler, spooler and mailbox or relay, admin and spooler say to each other: read, written again, the same octets. */
#include <stdlib.h>

#include "spool/job.h"
#include "spool/question.h"
#include "spool/relay_job.h"
#include "spool/submit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t octets[131072];

static struct buf out(void)
{
    return buf_on(octets, sizeof octets);
}

static void same(const struct buf *b, struct span s)
{
    if (b->over || !span_eq(buf_span(b), s)) abort();
}

static void submissions(struct span s)
{
    static struct submit_chunk chunk;
    static struct submit_commit commit;
    struct submit_abort gone;
    struct submit_result result;
    struct buf b = out();
    if (submit_chunk_read(s, &chunk)) {
        for (uint32_t i = 0; i < chunk.count; i++)
            if (chunk.blocks[i].length > LIMIT_BLOCK_LARGE_OCTETS) abort();
        submit_chunk_put(&b, &chunk);
        same(&b, s);
    }
    b = out();
    if (submit_commit_read(s, &commit)) {
        if (commit.envelope_count == 0 || commit.envelope_count > commit.count ||
            commit.count > LIMIT_SUBMIT_BLOCKS)
            abort();
        submit_commit_put(&b, &commit);
        same(&b, s);
    }
    b = out();
    if (submit_abort_read(s, &gone)) {
        submit_abort_put(&b, &gone);
        same(&b, s);
    }
    b = out();
    if (submit_result_read(s, &result)) {
        submit_result_put(&b, &result);
        same(&b, s);
    }
}

static void jobs(struct span s)
{
    static struct job_deliver deliver;
    struct job_result result;
    struct job_segment segment;
    struct buf b = out();
    if (job_deliver_read(s, &deliver)) {
        job_deliver_put(&b, &deliver);
        same(&b, s);
    }
    b = out();
    if (job_result_read(s, &result)) {
        for (size_t i = 0; i < result.text.n; i++)
            if (result.text.p[i] < 32 || result.text.p[i] > 126) abort();
        job_result_put(&b, &result);
        if (memchr(result.enhanced, 0, sizeof result.enhanced) == NULL) abort();
        if (strlen(result.enhanced) + 15 + 2 + result.text.n == s.n + 0) same(&b, s);
    }
    b = out();
    if (job_segment_read(s, &segment)) {
        job_segment_put(&b, &segment);
        same(&b, s);
    }
}

static void relay_jobs(struct span s)
{
    static struct relay_extents extents;
    struct relay_head head;
    struct relay_recipient recipient;
    struct relay_result result;
    struct buf b = out();
    if (relay_head_read(s, &head)) {
        relay_head_put(&b, &head);
        same(&b, s);
    }
    b = out();
    if (relay_recipient_read(s, &recipient)) {
        relay_recipient_put(&b, &recipient);
        same(&b, s);
    }
    b = out();
    if (relay_extents_read(s, &extents)) {
        relay_extents_put(&b, &extents);
        same(&b, s);
    }
    b = out();
    if (relay_result_read(s, &result)) {
        relay_result_put(&b, &result);
        same(&b, s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span s = span_of(data, size);
    struct question q;
    struct answer a;
    struct buf b = out();
    submissions(s);
    jobs(s);
    relay_jobs(s);
    if (question_read(s, &q)) {
        question_put(&b, &q);
        same(&b, s);
    }
    b = out();
    if (answer_read(s, &a)) {
        answer_put(&b, &a);
        same(&b, s);
    }
    return 0;
}
