#include "spool/record.h"

#include "base/crc32c.h"

#define MAGIC 0x31725053U /* "SPr1" */

struct head { /* as on disk, little-endian; no filling between the fields */
    uint32_t magic, head_crc, payload_crc, length;
    uint64_t id;
    uint32_t epoch;
    uint8_t type, flags;
    uint16_t batch;
};
_Static_assert(sizeof(struct head) == RECORD_HEAD_OCTETS, "the head of a record has no filling");
_Static_assert(offsetof(struct head, epoch) == RECORD_EPOCH_AT, "for who does not know the epoch");
#define CHECKED_FROM 8 /* head_crc covers what stands behind it */

static uint32_t magic_of(uint64_t salt)
{
    return MAGIC ^ (uint32_t)(salt >> 32);
}

static uint32_t crc_of(const uint8_t *head, uint64_t salt)
{
    return crc32c((uint32_t)salt, head + CHECKED_FROM, RECORD_HEAD_OCTETS - CHECKED_FROM);
}

void record_head_put(uint8_t out[RECORD_HEAD_OCTETS], const struct record *r, uint64_t salt)
{
    struct head h = {magic_of(salt), 0,       r->payload_crc, r->length, r->id,
                     r->epoch,       r->type, r->flags,       r->batch};
    memcpy(out, &h, sizeof h);
    h.head_crc = crc_of(out, salt);
    memcpy(out, &h, sizeof h);
}

bool record_head_read(const uint8_t in[RECORD_HEAD_OCTETS], uint32_t epoch, uint64_t salt, struct record *ret)
{
    struct head h;
    memcpy(&h, in, sizeof h);
    if (h.magic != magic_of(salt) || h.epoch != epoch) return false;
    if (h.head_crc != crc_of(in, salt)) return false;
    if (h.type == 0 || h.type >= RECORD_TYPE_END || h.length > LIMIT_SEGMENT_OCTETS) return false;
    *ret = (struct record){.id = h.id,
                           .length = h.length,
                           .payload_crc = h.payload_crc,
                           .epoch = h.epoch,
                           .batch = h.batch,
                           .type = h.type,
                           .flags = h.flags};
    return true;
}

size_t record_find(const uint8_t *p, size_t n, size_t from, uint32_t epoch, uint64_t salt)
{
    const uint32_t wanted = magic_of(salt);
    for (size_t i = from; i + RECORD_HEAD_OCTETS <= n; i += RECORD_ALIGN) {
        uint32_t magic;
        struct record r;
        memcpy(&magic, p + i, sizeof magic);
        if (magic == wanted && record_head_read(p + i, epoch, salt, &r)) return i;
    }
    return n;
}
