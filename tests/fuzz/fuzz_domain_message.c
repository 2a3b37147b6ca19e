/* What directory and winbind say to each other about a login: what is read is written as the same octets, and no text in it ends early or
 * breaks a line. */
#include <stdlib.h>

#include "directory/domain_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void one_line(struct span s, size_t max)
{
    must(s.n <= max);
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 16];
    struct span in = {data, size < sizeof memory ? size : sizeof memory};
    struct buf b = buf_on(memory, sizeof memory);
    struct domain_question q;
    struct domain_answer a;
    if (domain_question_read(in, &q)) {
        must(in.n >= DOMAIN_QUESTION_LEAST && in.n <= DOMAIN_QUESTION_OCTETS);
        must(q.user.n > 0 && q.response.n > 24);
        one_line(q.user, LIMIT_DOMAIN_NAME_OCTETS);
        one_line(q.domain, LIMIT_DOMAIN_NAME_OCTETS);
        one_line(q.workstation, LIMIT_DOMAIN_NAME_OCTETS);
        domain_question_put(&b, &q);
        must(!b.over && span_eq(buf_span(&b), in));
    }
    b.n = 0;
    if (domain_answer_read(in, &a)) {
        must(in.n <= DOMAIN_ANSWER_OCTETS && a.n_groups <= LIMIT_IDENTITY_GROUPS);
        must((a.status == DOMAIN_PROVEN) == (a.account.n > 0));
        one_line(a.account, LIMIT_DOMAIN_NAME_OCTETS);
        one_line(a.domain, LIMIT_DOMAIN_NAME_OCTETS);
        for (uint16_t i = 0; i < a.n_groups; i++)
            one_line(a.groups[i], LIMIT_GROUP_NAME_OCTETS);
        domain_answer_put(&b, &a);
        must(!b.over && span_eq(buf_span(&b), in));
    }
    return 0;
}
