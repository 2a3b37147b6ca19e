#include "spool/submit.h"

void submit_pool_put(struct buf *b, const struct submit_pool *m)
{
    wire_put_u32(b, m->small);
    wire_put_u32(b, m->large);
}

bool submit_pool_read(struct span payload, struct submit_pool *ret)
{
    struct wire w = wire_on(payload);
    ret->small = wire_u32(&w);
    ret->large = wire_u32(&w);
    return wire_done(&w);
}

static void put_blocks(struct buf *b, uint32_t count, const struct block_ref *blocks)
{
    if (count > LIMIT_SUBMIT_BLOCKS) {
        b->over = true;
        return;
    }
    wire_put_u32(b, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_u32(b, blocks[i].block);
        wire_put_u32(b, blocks[i].length);
    }
}

static uint32_t read_blocks(struct wire *w, struct block_ref *blocks)
{
    uint32_t count = wire_u32(w);
    if (count > LIMIT_SUBMIT_BLOCKS) w->bad = true;
    for (uint32_t i = 0; i < count && !w->bad; i++) {
        blocks[i].block = wire_u32(w);
        blocks[i].length = wire_u32(w);
        if (blocks[i].length > LIMIT_BLOCK_LARGE_OCTETS) w->bad = true;
    }
    return w->bad ? 0 : count;
}

void submit_chunk_put(struct buf *b, const struct submit_chunk *m)
{
    wire_put_u64(b, m->id);
    put_blocks(b, m->count, m->blocks);
}

bool submit_chunk_read(struct span payload, struct submit_chunk *ret)
{
    struct wire w = wire_on(payload);
    ret->id = wire_u64(&w);
    ret->count = read_blocks(&w, ret->blocks);
    return wire_done(&w) && ret->id != 0 && ret->count > 0;
}

void submit_commit_put(struct buf *b, const struct submit_commit *m)
{
    wire_put_u64(b, m->id);
    wire_put_u64(b, m->content_octets);
    wire_put_u32(b, m->envelope_count);
    put_blocks(b, m->count, m->blocks);
}

bool submit_commit_read(struct span payload, struct submit_commit *ret)
{
    struct wire w = wire_on(payload);
    ret->id = wire_u64(&w);
    ret->content_octets = wire_u64(&w);
    ret->envelope_count = wire_u32(&w);
    ret->count = read_blocks(&w, ret->blocks);
    return wire_done(&w) && ret->id != 0 && ret->envelope_count > 0 && ret->envelope_count <= ret->count;
}

void submit_abort_put(struct buf *b, const struct submit_abort *m)
{
    wire_put_u64(b, m->id);
}

bool submit_abort_read(struct span payload, struct submit_abort *ret)
{
    struct wire w = wire_on(payload);
    ret->id = wire_u64(&w);
    return wire_done(&w);
}

void submit_result_put(struct buf *b, const struct submit_result *m)
{
    wire_put_u64(b, m->id);
    wire_put_u32(b, m->status); /* the status and three reserved octets of zero */
    wire_put_u32(b, m->blocks);
}

bool submit_result_read(struct span payload, struct submit_result *ret)
{
    struct wire w = wire_on(payload);
    *ret = (struct submit_result){0};
    ret->id = wire_u64(&w);
    uint32_t status = wire_u32(&w);
    ret->blocks = wire_u32(&w);
    if (!wire_done(&w) || status >= SUBMIT_STATUS_COUNT) return false;
    ret->status = (uint8_t)status;
    return true;
}
