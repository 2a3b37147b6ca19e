/* supervise: what the supervisor and its children say to each other over descriptor 3 of the child. */
#ifndef PROCESS_SUPERVISE_H
#define PROCESS_SUPERVISE_H

#include "base/buf.h"
#include "process/messages.h"
#include "process/role.h"

enum supervise_type {
    /* supervisor -> child */
    SUPERVISE_HELLO = MSG_SUPERVISOR_FIRST, /* first of all, with the config bundle: struct supervise_hello */
    SUPERVISE_GRANT,                        /* with a descriptor: struct supervise_grant */
    SUPERVISE_PEER,                         /* with one end of a socketpair: struct supervise_peer */
    SUPERVISE_START,
    SUPERVISE_CONFIG, /* with a fresh config bundle: u32 generation */
    SUPERVISE_DRAIN,  /* u8 stopping */
    SUPERVISE_PING,   /* u64, to be sent back */
    SUPERVISE_REPORT, /* u32 tag: say STATUS */
    SUPERVISE_ANSWER, /* u32 question, then text */
    /* child -> supervisor */
    SUPERVISE_READY,    /* u8 enum sandbox_result */
    SUPERVISE_FAILED,   /* text: why it cannot start; it ends */
    SUPERVISE_MAP,      /* with the recipient map */
    SUPERVISE_PONG,     /* u64 of the ping */
    SUPERVISE_STATUS,   /* u32 tag, then members of a JSON object */
    SUPERVISE_LOST,     /* struct supervise_peer: that conversation broke off */
    SUPERVISE_QUESTION, /* u32 enum child_question */
    SUPERVISE_DRAINING, /* the drain began: from here on it takes no new work */
};

enum {
    SUPERVISE_VERSION = 1,
    SUPERVISE_FD = 3,
    SUPERVISE_TEXT_OCTETS = 16384,
    SUPERVISE_REASON_OCTETS = 1024,
    SUPERVISE_STATUS_OCTETS = 1024
};
#define SUPERVISE_BUNDLE_OCTETS (4 * LIMIT_CONFIG_OCTETS) /* main file and includes together */
#define SUPERVISE_GRANTS_MAX    (2 * LIMIT_LISTENERS + LIMIT_KEYRING_KEYS + 16) /* to one process */

struct supervise_hello {
    uint8_t role;
    uint32_t index, generation, n_edges, column;
    uint32_t uid, gid, group; /* group: one more; 0: none */
    struct pool_geometry pool;
    uint8_t insecure_no_sandbox, debug_sandbox, listeners_shared;
};
struct supervise_grant {
    uint8_t kind; /* enum grant */
    uint32_t a, b;
};
struct supervise_peer {
    uint8_t role;
    uint32_t index, generation;
    uint32_t serial; /* counts conversations: the loss of one that was replaced already is no news */
};

enum { SUPERVISE_HELLO_OCTETS = 42, SUPERVISE_GRANT_OCTETS = 9, SUPERVISE_PEER_OCTETS = 13 };

extern const struct ipc_allowed supervise_to_child[], supervise_from_child[];
extern const unsigned supervise_to_child_n, supervise_from_child_n;

void supervise_hello_put(struct buf *b, const struct supervise_hello *m);
bool supervise_hello_read(struct span payload, struct supervise_hello *ret);
void supervise_grant_put(struct buf *b, const struct supervise_grant *m);
bool supervise_grant_read(struct span payload, struct supervise_grant *ret);
void supervise_peer_put(struct buf *b, const struct supervise_peer *m);
bool supervise_peer_read(struct span payload, struct supervise_peer *ret);

#endif
