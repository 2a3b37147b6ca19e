/* Questions to the resolver and its answers: what is read is what would be written. */
#include <stdlib.h>

#include "system/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS];
    struct span s = span_of(data, size);
    struct dns_question q;
    struct dns_answer a;
    struct buf b = buf_on(octets, sizeof octets);
    if (size > LIMIT_IPC_MESSAGE_OCTETS) return 0;
    if (dns_question_read(s, &q)) {
        dns_question_put(&b, &q);
        if (b.over || !span_eq(buf_span(&b), s)) abort();
    }
    b = buf_on(octets, sizeof octets);
    if (dns_answer_read(s, &a)) {
        dns_answer_put(&b, &a);
        if (b.over || !span_eq(buf_span(&b), s)) abort();
    }
    return 0;
}
