/* dns_packet: a DNS response in wire form (RFC 1035 4), read into an answer. What resolves and validates is libunbound; it hands us its
 * packet, and every octet of data in it is a stranger's. Pure. */
#ifndef SYSTEM_DNS_PACKET_H
#define SYSTEM_DNS_PACKET_H

#include "system/dns_message.h"

#define DNS_PACKET_RECORDS_OCTETS (LIMIT_IPC_MESSAGE_OCTETS - 1024)

struct dns_packet_memory { /* what the answer points into */
    uint8_t canonical[LIMIT_DOMAIN_OCTETS];
    uint8_t records[DNS_PACKET_RECORDS_OCTETS];
};

/* Follows aliases from the name of the question; records in the order of the packet, bounded; names are lower case, and records whose
 * name is none that a host may have are left out. What cannot be read is DNS_FAILED with a constant reason. tag and secure are the
 * caller's to set. */
void dns_packet_answer(struct span packet, const struct dns_question *q, struct dns_packet_memory *memory,
                       struct dns_answer *ret);

#endif
