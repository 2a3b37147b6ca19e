/* ipc: typed messages over a SOCK_SEQPACKET socketpair. A packet holds one or more messages; the receiver checks length and
 * type of each and every octet is consumed. Sending is batched: ipc_send appends to the packet under construction, which
 * leaves when it is full or at ipc_flush (once a loop turn). When the peer does not read, packets queue up to a bound;
 * beyond it ipc_send says false and the caller applies back-pressure. */
#ifndef SYSTEM_IPC_H
#define SYSTEM_IPC_H

#include "base/limits.h"
#include "base/span.h"
#include "system/loop.h"

struct ipc;

/* payload is valid during the call only. fds: n_fds descriptors, the receiver's to close (close-on-exec is set). */
typedef void ipc_message_fn(void *context, uint16_t type, struct span payload, const int *fds,
                            unsigned n_fds);
/* reason: constant text: "end of file", "malformed packet", "truncated descriptors", ... */
typedef void ipc_closed_fn(void *context, const char *reason);

struct ipc_allowed { /* what may arrive here: anything else is "malformed" and closes the channel */
    uint16_t type;
    uint16_t min, max; /* octets of payload */
    uint8_t fds;       /* exactly this many descriptors */
};

/* Takes fd. allowed: n rows, kept by reference. max_queued: packets (of LIMIT_IPC_MESSAGE_OCTETS) that may wait. */
struct ipc *ipc_open(struct loop *l, int fd, const struct ipc_allowed *allowed, unsigned n,
                     unsigned max_queued, ipc_message_fn *message, ipc_closed_fn *closed, void *context);
void ipc_close(struct ipc **c);
/* From here on what this channel carries is wiped from its buffers as soon as it was sent or served (invariant I10). */
void ipc_secret(struct ipc *c);
MUST_USE bool ipc_send(struct ipc *c, uint16_t type, struct span payload);
/* Sends alone in a packet; the descriptor stays the caller's. */
MUST_USE bool ipc_send_fd(struct ipc *c, uint16_t type, struct span payload, int fd);
void ipc_flush(struct ipc *c);
bool ipc_can_send(const struct ipc *c);                    /* room for at least one more full packet */
bool ipc_can_queue(const struct ipc *c, unsigned packets); /* ... for so many */
bool ipc_idle(const struct ipc *c); /* nothing waits to be sent, or nothing can be any more */
bool ipc_broken(
    const struct ipc
        *c); /* nothing can be sent any more; `closed` follows when everything that came was served */
int ipc_fd(const struct ipc *c);

#endif
