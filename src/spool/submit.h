/* submit: what edge and spooler say to each other (IPC payloads). The content itself lies in the edge's pool (a sealed
 * memfd that the spooler maps read-only): messages carry block references. The spooler copies a block before it checks and
 * writes it, and treats every reference as hostile (index and length are checked against the pool's geometry). */
#ifndef SPOOL_SUBMIT_H
#define SPOOL_SUBMIT_H

#include "base/limits.h"
#include "base/wire.h"

/* Block index: 0..small-1 are blocks of LIMIT_BLOCK_SMALL_OCTETS, then large ones of LIMIT_BLOCK_LARGE_OCTETS. */
struct block_ref {
    uint32_t block;
    uint32_t length; /* octets used, from the block's start */
};

/* edge -> spooler */
struct
    submit_pool { /* how its pool is cut; the spooler checks that against the size of the memory it was given */
    uint32_t small, large;
};
struct submit_chunk { /* content of a message that is still arriving: write it, then give the blocks back */
    uint64_t id;      /* message id, chosen by the edge; first chunk opens the message */
    uint32_t count;
    struct block_ref blocks[LIMIT_SUBMIT_BLOCKS];
};
struct submit_commit { /* all of it: envelope and the rest of the content; answered when durable */
    uint64_t id;
    uint64_t content_octets; /* of the whole message, to be checked */
    uint32_t envelope_count; /* blocks[0..envelope_count) are the envelope */
    uint32_t count;          /* all blocks */
    struct block_ref blocks[LIMIT_SUBMIT_BLOCKS];
};
struct submit_abort { /* forget a message of which chunks were sent */
    uint64_t id;
};

/* spooler -> edge */
enum submit_status {
    SUBMIT_DURABLE = 0, /* on disk: 250 */
    SUBMIT_WRITTEN = 1, /* a chunk was taken (not durable): its blocks are free */
    SUBMIT_FULL = 2,    /* 452 4.3.1: no space */
    SUBMIT_FAILED = 3,  /* 451 4.3.0: write or sync failed */
    SUBMIT_REFUSED = 4, /* 451 4.3.0: the edge's message was malformed, or its id is taken */
    SUBMIT_STATUS_COUNT
};
struct submit_result {
    uint64_t id;
    uint8_t status;
    uint8_t reserved[3];
    uint32_t blocks; /* how many of the message's blocks, in the order they were sent, are free again */
};

#define SUBMIT_POOL_OCTETS 8
void submit_pool_put(struct buf *b, const struct submit_pool *m);
bool submit_pool_read(struct span payload, struct submit_pool *ret);
void submit_chunk_put(struct buf *b, const struct submit_chunk *m);
bool submit_chunk_read(struct span payload, struct submit_chunk *ret);
void submit_commit_put(struct buf *b, const struct submit_commit *m);
bool submit_commit_read(struct span payload, struct submit_commit *ret);
void submit_abort_put(struct buf *b, const struct submit_abort *m);
bool submit_abort_read(struct span payload, struct submit_abort *ret);
void submit_result_put(struct buf *b, const struct submit_result *m);
bool submit_result_read(struct span payload, struct submit_result *ret);

#endif
