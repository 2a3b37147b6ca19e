/* The packet parser of ipc, for its tests and its fuzzer. */
#ifndef SYSTEM_IPC_PRIVATE_H
#define SYSTEM_IPC_PRIVATE_H

#include "system/ipc.h"

enum { IPC_HEADER_OCTETS = 4 }; /* u16 type, u16 octets of payload */

struct ipc_parsed {
    uint16_t type;
    struct span payload;
};

/* Takes the first message off *packet. False when it is malformed: short, an unknown type, a length outside the table, or
 * another number of descriptors than the type has; *packet is then untouched. */
MUST_USE bool ipc_packet_next(struct span *packet, const struct ipc_allowed *allowed, unsigned n,
                              unsigned n_fds, struct ipc_parsed *ret);

#endif
