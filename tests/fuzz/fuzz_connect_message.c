/* Questions of relays and directories to the connector and its answers: what is read is what would be written. */
#include <stdlib.h>

#include "service/connect_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS];
    struct span s = span_of(data, size);
    struct connect_question q;
    struct connect_service_question service;
    struct connect_answer a;
    struct buf b = buf_on(octets, sizeof octets);
    if (size > LIMIT_IPC_MESSAGE_OCTETS) return 0;
    if (connect_question_read(s, &q)) {
        if (!next_hop_valid(&q.hop) || q.n_tried > CONNECT_TRIED) abort();
        connect_question_put(&b, &q);
        if (b.over || !span_eq(buf_span(&b), s)) abort();
    }
    b = buf_on(octets, sizeof octets);
    if (connect_service_question_read(s, &service)) {
        connect_service_question_put(&b, &service);
        if (b.over || !span_eq(buf_span(&b), s)) abort();
    }
    b = buf_on(octets, sizeof octets);
    if (connect_answer_read(s, &a)) {
        connect_answer_put(&b, &a);
        if (b.over || !span_eq(buf_span(&b), s)) abort();
    }
    return 0;
}
