/* A response of a stranger's name server. The first octet chooses the type that was asked for; whatever comes out of the packet is an
 * answer that its reader takes. */
#include <stdlib.h>

#include "system/dns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = {DNS_A, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA};
    static struct dns_packet_memory memory;
    static uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS];
    struct dns_answer a, again;
    if (size == 0) return 0;
    struct dns_question q = {1, types[data[0] % 6], SPAN("example.org")};
    dns_packet_answer(span_of(data + 1, size - 1), &q, &memory, &a);
    a.tag = 1;
    struct buf b = buf_on(octets, sizeof octets);
    dns_answer_put(&b, &a);
    if (b.over || !dns_answer_read(buf_span(&b), &again) || again.count != a.count) abort();
    return 0;
}
