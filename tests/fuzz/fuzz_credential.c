/* The file of a credential, and what relay and directory say about it: what is read is written as the same octets; nothing that could
 * break a line of the protocol is taken. */
#include "directory/credential.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static void one_line(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] != 0 && s.p[i] != '\r' && s.p[i] != '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 16];
    struct span in = {data, size < sizeof memory ? size : sizeof memory};
    struct buf b = buf_on(memory, sizeof memory);
    struct credential c;
    struct credential_question q;
    struct credential_answer a;
    uint32_t line;
    if (!credential_parse(in, &c, &line)) {
        must(c.user.n > 0 && c.user.n <= LIMIT_CREDENTIAL_USER_OCTETS);
        must(c.password.n > 0 && c.password.n <= LIMIT_PASSWORD_OCTETS);
        one_line(c.user);
        one_line(c.password);
    } else {
        must(line <= 3);
    }
    if (credential_question_read(in, &q)) {
        one_line(q.user);
        one_line(q.mechanisms);
        one_line(q.challenge);
        credential_question_put(&b, &q);
        must(!b.over && span_eq(buf_span(&b), in));
    }
    b.n = 0;
    if (credential_answer_read(in, &a)) {
        one_line(a.mechanism);
        one_line(a.response);
        credential_answer_put(&b, &a);
        must(!b.over && span_eq(buf_span(&b), in));
    }
    return 0;
}
