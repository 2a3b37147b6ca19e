/* What edge and directory say to each other about logging in: what is read is written as the same octets. The first octet chooses. */
#include <stdlib.h>

#include "directory/login_message.h"
#include "directory/sender_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 16];
    struct buf b = buf_on(memory, sizeof memory);
    struct login_begin begin;
    struct login_step step;
    struct login_answer answer;
    struct sender_question question;
    struct sender_answer verdict;
    bool read = false;
    if (size == 0) return 0;
    struct span in = span_of(data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        if ((read = login_begin_read(in, &begin))) login_begin_put(&b, &begin);
        break;
    case 1:
        if ((read = login_step_read(in, &step))) login_step_put(&b, &step);
        break;
    case 2:
        if ((read = login_answer_read(in, &answer))) login_answer_put(&b, &answer);
        break;
    case 3:
        if ((read = sender_question_read(in, &question))) sender_question_put(&b, &question);
        break;
    default:
        if ((read = sender_answer_read(in, &verdict))) sender_answer_put(&b, &verdict);
    }
    must(!read || (!b.over && span_eq(buf_span(&b), in)));
    return 0;
}
