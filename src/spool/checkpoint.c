/* checkpoint: writes the index beside the log, block by block, so that the next start need not read all of the log (STATES.md, "The
 * checkpoint"). Each block is a record of its own, padded to DISK_ALIGN; its id counts the blocks. */
#include "spool/store_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

#define NOT_WRITING (-1)
#define AGAIN_MS    60000 /* after one that failed */
#define REASON_ROW  (4U + REASON_TEXT_OCTETS)
#define REASONS_MAX (256U * REASON_ROW)

static uint64_t octets_between(const struct store *s)
{
    uint64_t least = s->o.checkpoint_octets ? s->o.checkpoint_octets : LIMIT_CHECKPOINT_OCTETS;
    return 2 * s->checkpoint.size > least ? 2 * s->checkpoint.size : least;
}

static bool is_large_enough(const struct store *s, uint64_t messages)
{
    uint64_t least = s->o.checkpoint_messages ? s->o.checkpoint_messages : LIMIT_CHECKPOINT_MESSAGES;
    return messages >= least;
}

static bool is_sound(const struct store *s)
{
    return s->n_damages == 0 && s->more_damages == 0 && !s->full && !s->stuck;
}

/* --- blocks --- */

static bool room(struct checkpoint *c, size_t payload)
{
    size_t max = record_align(record_octets(payload), DISK_ALIGN);
    if (max <= c->max) return true;
    free(c->p);
    c->p = aligned_alloc(DISK_ALIGN, max);
    c->max = c->p ? max : 0;
    return c->p != NULL;
}

static struct buf block_begin(struct checkpoint *c, enum checkpoint_block kind)
{
    struct buf b = buf_on(c->p + RECORD_HEAD_OCTETS, c->max - RECORD_HEAD_OCTETS);
    wire_put_u8(&b, (uint8_t)kind);
    return b;
}

static int block_write(struct store *s, const struct buf *b)
{
    struct checkpoint *c = &s->checkpoint;
    size_t n = record_align(record_octets(b->n), DISK_ALIGN);
    if (b->over) return -EOVERFLOW;
    struct record r = {.id = ++c->blocks,
                       .length = (uint32_t)b->n,
                       .payload_crc = crc32c(0, b->p, b->n),
                       .type = RECORD_CHECKPOINT,
                       .flags = RECORD_END};
    record_head_put(c->p, &r, s->salt);
    memset(c->p + RECORD_HEAD_OCTETS + b->n, 0, n - RECORD_HEAD_OCTETS - b->n);
    int error = disk_write(&s->o.disk, c->file, c->p, n, c->offset);
    c->offset += n;
    return error;
}

/* --- from the first block to the last --- */

static void abandon(struct store *s, int error)
{
    struct checkpoint *c = &s->checkpoint;
    const struct disk *d = &s->o.disk;
    if (c->file == NOT_WRITING) return;
    d->ops->close(d->context, c->file);
    c->file = NOT_WRITING;
    (void)d->ops->unlink(
        d->context, CHECKPOINT_NAME_NEW); /* what stays is removed by the next one, or at the next start */
    c->after_ms = s->now_ms + AGAIN_MS;
    if (error)
        store_say(s, ALARM_WRITE_FAILED, 0, 0, 0, -error,
                  "a checkpoint cannot be written: the next start takes longer");
}

/* What each log segment is needed for, beside the messages. */
static int write_needs(struct store *s)
{
    int error = 0;
    for (size_t i = 0; i < s->segments.n && !error; i++) {
        const struct segment *g = s->segments.all[i];
        if (g->kind != SEGMENT_LOG || g->n_needs == 0) continue;
        if (!room(&s->checkpoint, 16 + (size_t)g->n_needs * 4)) return -ENOMEM;
        struct buf b = block_begin(&s->checkpoint, CHECKPOINT_NEEDS);
        wire_put_u32(&b, g->number);
        wire_put_u32(&b, g->n_needs);
        for (uint32_t k = 0; k < g->n_needs; k++)
            wire_put_u32(&b, g->needs[k]);
        error = block_write(s, &b);
    }
    return error;
}

static int write_head(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    if (!room(c, LIMIT_CHECKPOINT_BLOCK)) return -ENOMEM;
    struct buf b = block_begin(c, CHECKPOINT_HEAD);
    wire_put_u64(&b, s->salt);
    wire_put_u32(&b, s->log->number);
    wire_put_u32(&b, s->log->end);
    int error = block_write(s, &b);
    return error ? error : write_needs(s);
}

static void begin(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    const struct disk *d = &s->o.disk;
    int error = d->ops->unlink(d->context, CHECKPOINT_NAME_NEW);
    int file = error && error != -ENOENT ? error : d->ops->open(d->context, CHECKPOINT_NAME_NEW, DISK_CREATE);
    if (file < 0) { /* a disk that cannot be written on says so elsewhere */
        c->after_ms = s->now_ms + AGAIN_MS;
        return;
    }
    c->file = file;
    c->done_next = s->octets_written;
    c->offset = c->cursor = c->messages = c->blocks = 0;
    c->last = id_map_last(&s->index.map); /* what comes later stands in the log behind P */
    error = write_head(s);
    if (error) abandon(s, error);
}

static void put_reasons(const struct store *s, struct buf *b)
{
    uint16_t n = 0;
    struct buf count = *b;
    wire_put_u16(b, 0);
    for (unsigned i = 1; i < REASON_OTHER; i++) {
        const struct reason *r = &s->index.reasons.all[i];
        if (r->count == 0) continue;
        wire_put_u8(b, (uint8_t)i);
        wire_put_span(b, span_of(r->text, r->n));
        n++;
    }
    wire_put_u16(&count, n); /* in its place */
}

/* The next messages. True: there are more. */
static bool write_messages(struct store *s, int *error)
{
    struct checkpoint *c = &s->checkpoint;
    const struct message *m = store_after(s, c->cursor);
    *error = 0;
    if (!m || m->id > c->last) return false;
    size_t first = checkpoint_message_octets(m) + REASONS_MAX + 16;
    if (!room(c, first > LIMIT_CHECKPOINT_BLOCK ? first : LIMIT_CHECKPOINT_BLOCK)) {
        *error = -ENOMEM;
        return false;
    }
    struct buf b = block_begin(c, CHECKPOINT_MESSAGES);
    put_reasons(s, &b);
    while (m && m->id <= c->last && b.n < LIMIT_CHECKPOINT_BLOCK &&
           checkpoint_message_octets(m) <= buf_room(&b)) {
        checkpoint_message_put(&b, m);
        c->cursor = m->id;
        c->messages++;
        m = store_after(s, c->cursor);
    }
    *error = block_write(s, &b);
    return *error == 0;
}

static void complete(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    const struct disk *d = &s->o.disk;
    struct buf b = block_begin(c, CHECKPOINT_END);
    wire_put_u64(&b, c->messages);
    int error = block_write(s, &b);
    if (!error) error = d->ops->sync(d->context, c->file);
    if (!error) error = d->ops->rename(d->context, CHECKPOINT_NAME_NEW, CHECKPOINT_NAME);
    if (error) {
        abandon(s, error);
        return;
    }
    (void)d->ops->sync_directory(
        d->context); /* else the older one is there after a power cut: as right, and longer to read on from */
    d->ops->close(d->context, c->file);
    c->file = NOT_WRITING;
    c->there = true;
    c->useless = false;
    c->done = c->done_next;
    c->size = c->offset;
    c->written++;
}

void checkpoint_drop(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    abandon(s, 0);
    if (!c->there) return;
    const struct disk *d = &s->o.disk;
    int error = d->ops->unlink(d->context, CHECKPOINT_NAME);
    if (!error || error == -ENOENT) error = d->ops->sync_directory(d->context);
    c->there = error != 0; /* tried again */
    c->size = 0;
}

static bool is_due(const struct store *s)
{
    const struct checkpoint *c = &s->checkpoint;
    if (!s->o.checkpoint || !is_sound(s) || s->now_ms < c->after_ms) return false;
    if (!s->log || s->log->state != SEGMENT_ACTIVE || !is_large_enough(s, s->index.messages)) return false;
    return !c->there || c->useless || s->octets_written - c->done >= octets_between(s);
}

/* Nothing in memory is ahead of the log: content that waits in the batch belongs to messages that are not there yet. */
static bool is_level(const struct store *s)
{
    return !s->stuck && !s->batch->urgent && s->batch->n_commits == 0 && s->batch->n_finished == 0;
}

void checkpoint_step(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    int error;
    bool wanted = s->o.checkpoint && is_sound(s) && is_large_enough(s, 2 * s->index.messages);
    if (!wanted) {
        if (c->there || c->file != NOT_WRITING) checkpoint_drop(s);
        return;
    }
    if (!is_level(s)) return;
    if (c->file == NOT_WRITING) {
        if (is_due(s)) begin(s);
    } else if (!write_messages(s, &error)) {
        error ? abandon(s, error) : complete(s);
    }
}

void checkpoint_finish(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    bool up_to_date = c->there && !c->useless && c->done == s->octets_written;
    abandon(s, 0);
    c->after_ms = 0;
    if (up_to_date || !s->log || s->log->state != SEGMENT_ACTIVE || !s->o.checkpoint || !is_sound(s) ||
        !is_large_enough(s, s->index.messages) || !is_level(s) || s->batch->n > 0)
        return;
    int error = 0;
    begin(s);
    while (c->file != NOT_WRITING)
        if (!write_messages(s, &error)) error ? abandon(s, error) : complete(s);
}

void checkpoint_close(struct store *s)
{
    if (s->checkpoint.file != NOT_WRITING) s->o.disk.ops->close(s->o.disk.context, s->checkpoint.file);
    s->checkpoint.file = NOT_WRITING;
    free(s->checkpoint.p);
    s->checkpoint.p = NULL;
}
