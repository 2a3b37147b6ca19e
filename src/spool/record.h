/* record: the unit of a segment (see STATES.md): a head of 32 octets, the payload, zeros up to a multiple of 8. The head has a
 * CRC of its own, so its length can be trusted before the payload is looked at. */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "base/limits.h"
#include "base/span.h"

#define RECORD_HEAD_OCTETS 32
#define RECORD_EPOCH_AT    24 /* in the head */
#define RECORD_ALIGN       8
#define RECORD_BATCH_ALIGN 4096

enum record_type {
    RECORD_SEGMENT = 1,
    RECORD_BODY,
    RECORD_ENVELOPE,
    RECORD_COMMIT,
    RECORD_STATE,
    RECORD_HOLD,
    RECORD_TOMBSTONE,
    RECORD_VOID,
    RECORD_CLEAN,      /* the one record of the mark of a clean stop (clean.c) */
    RECORD_CHECKPOINT, /* a block of a checkpoint */
    RECORD_TYPE_END
};

enum {
    RECORD_END = 1,   /* last of its batch */
    RECORD_MOVED = 2, /* COMMIT of a message that was copied forward */
    RECORD_LAST = 4,  /* STATE that finishes its message */
};

struct record {
    uint64_t id;
    uint32_t length;      /* octets of payload */
    uint32_t payload_crc; /* CRC-32C */
    uint32_t epoch;       /* number of the segment it was written for */
    uint16_t batch;       /* counted within the segment, modulo 65536 */
    uint8_t type, flags;
};

/* salt: random, one for the whole spool, kept in every SEGMENT record. A sender does not know it, so content of a message never
 * passes for a record when the scan searches behind damage. SEGMENT and CLEAN records are written with salt 0: they are read
 * at offset 0 only. */
void record_head_put(uint8_t head[RECORD_HEAD_OCTETS], const struct record *r, uint64_t salt);
/* False unless the head is intact and of this epoch. */
bool record_head_read(const uint8_t head[RECORD_HEAD_OCTETS], uint32_t epoch, uint64_t salt,
                      struct record *ret);
/* The first position at or behind `from` (both multiples of 8, relative to p) where an intact head of this epoch stands; n: none. */
size_t record_find(const uint8_t *p, size_t n, size_t from, uint32_t epoch, uint64_t salt);

static inline uint64_t record_align(uint64_t n, uint64_t to) /* to: a power of two */
{
    return (n + to - 1) & ~(to - 1);
}

static inline uint64_t record_octets(uint64_t length) /* head, payload and filling */
{
    return record_align(RECORD_HEAD_OCTETS + length, RECORD_ALIGN);
}

static inline uint64_t record_next(uint64_t offset,
                                   const struct record *r) /* where the record behind it begins */
{
    uint64_t next = offset + record_octets(r->length);
    return r->flags & RECORD_END ? record_align(next, RECORD_BATCH_ALIGN) : next;
}

#endif
