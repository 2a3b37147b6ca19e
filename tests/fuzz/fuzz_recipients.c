/* The recipient map with hostile content: no look-up leaves the memory or goes on for ever. */
#include "directory/recipients.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recipients r;
    uint8_t head[24] = "SLYRECP1";
    if (size < 1) return 0;
    uint32_t slots = (uint32_t)16 << (data[0] % 3);
    size_t octets = sizeof head + 4 * (size_t)slots + 200;
    uint8_t *memory = calloc(1, octets);
    if (!memory) return 0;
    uint64_t text = 200;
    memcpy(head + 8, &slots, sizeof slots);
    memcpy(head + 16, &text, sizeof text);
    memcpy(memory, head, sizeof head);
    memcpy(memory + sizeof head, data + 1, size - 1 < octets - sizeof head ? size - 1 : octets - sizeof head);
    if (!recipients_open(&r, memory, octets)) abort();
    recipients_find(&r, SPAN("bob@example.org"));
    recipients_find(&r, SPAN("bob+x@example.org"));
    recipients_find(&r, span_of(data, size < 300 ? size : 300));
    free(memory);
    if (recipients_open(&r, data, size)) recipients_find(&r, SPAN("bob@example.org"));
    return 0;
}
