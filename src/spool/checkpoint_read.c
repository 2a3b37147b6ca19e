/* checkpoint_read: loads a checkpoint. All of it or nothing: any octet that is wrong makes it useless. */
#include "spool/store_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

struct loading {
    struct store *s;
    int file, error;
    uint64_t offset, size, blocks, messages, last_id;
    uint8_t *p;
    size_t max;
    struct checkpoint_position position;
    struct span reasons[256]; /* of the block at hand */
    bool ended;
};

static bool read_at(struct loading *l, size_t n)
{
    if (n > l->max) {
        uint8_t *p = aligned_alloc(DISK_ALIGN, n);
        if (!p) {
            l->error = ENOMEM;
            return false;
        }
        if (l->p) memcpy(p, l->p, l->max);
        free(l->p);
        l->p = p;
        l->max = n;
    }
    const struct disk *d = &l->s->o.disk;
    return n <= l->size - l->offset && d->ops->read(d->context, l->file, l->p, n, l->offset) == (int64_t)n;
}

/* The next block's payload. */
static bool next_block(struct loading *l, struct span *payload)
{
    struct record r;
    if (l->size - l->offset < DISK_ALIGN || !read_at(l, DISK_ALIGN)) return false;
    if (!record_head_read(l->p, 0, l->s->salt, &r) || r.type != RECORD_CHECKPOINT || r.id != ++l->blocks)
        return false;
    size_t n = record_align(record_octets(r.length), DISK_ALIGN);
    if (!read_at(l, n) || crc32c(0, l->p + RECORD_HEAD_OCTETS, r.length) != r.payload_crc) return false;
    *payload = span_of(l->p + RECORD_HEAD_OCTETS, r.length);
    l->offset += n;
    return true;
}

static bool read_head(struct loading *l, struct wire *w)
{
    if (l->blocks != 1 || wire_u64(w) != l->s->salt) return false;
    l->position.segment = wire_u32(w);
    l->position.end = wire_u32(w);
    return wire_done(w);
}

static bool read_needs(struct loading *l, struct wire *w)
{
    uint32_t number = wire_u32(w), n = wire_u32(w);
    if (w->bad || w->rest.n != (size_t)n * 4) return false;
    struct segment *g = segments_find(&l->s->segments, number);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t home = wire_u32(w);
        if (g) segment_need(g, home);
    }
    return wire_done(w);
}

static bool read_reasons(struct loading *l, struct wire *w)
{
    uint16_t n = wire_u16(w);
    memset(l->reasons, 0, sizeof l->reasons);
    for (uint16_t i = 0; i < n && !w->bad; i++) {
        uint8_t number = wire_u8(w);
        l->reasons[number] = wire_span(w, REASON_TEXT_OCTETS);
    }
    return !w->bad;
}

static void know_reasons(struct loading *l, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &message_recipients(m)[i];
        struct span text = r->reason == REASON_OTHER ? SPAN("other reasons") : l->reasons[r->reason];
        r->reason = REASON_NONE;
        if (!recipient_final(r->state)) r->reason = reasons_known(&l->s->index.reasons, text);
    }
}

static bool read_messages(struct loading *l, struct wire *w)
{
    struct index *x = &l->s->index;
    if (!read_reasons(l, w)) return false;
    while (w->rest.n) {
        struct message *m = checkpoint_message_read(x, w, &l->error);
        if (!m) return false;
        if (m->id <= l->last_id || m->id == UINT64_MAX || !id_map_insert(&x->map, m->id, m)) {
            index_free(x, m);
            return false;
        }
        l->last_id = m->id;
        l->messages++;
        know_reasons(l, m);
    }
    return true;
}

static bool read_block(struct loading *l, struct span payload)
{
    struct wire w = wire_on(payload);
    switch (wire_u8(&w)) {
    case CHECKPOINT_HEAD: return read_head(l, &w);
    case CHECKPOINT_NEEDS: return l->blocks > 1 && read_needs(l, &w);
    case CHECKPOINT_MESSAGES: return l->blocks > 1 && read_messages(l, &w);
    case CHECKPOINT_END:
        l->ended = true;
        return wire_u64(&w) == l->messages && wire_done(&w) && l->blocks > 1;
    default: return false;
    }
}

bool checkpoint_read(struct store *s, struct checkpoint_position *ret, int *error)
{
    const struct disk *d = &s->o.disk;
    struct loading l = {.s = s, .file = d->ops->open(d->context, CHECKPOINT_NAME, DISK_READ)};
    *error = 0;
    s->checkpoint.there = l.file != -ENOENT;
    if (l.file < 0 || !s->o.checkpoint || !s->salt_known) {
        if (l.file >= 0) d->ops->close(d->context, l.file);
        return false;
    }
    int64_t size = d->ops->size(d->context, l.file);
    l.size = size < 0 ? 0 : (uint64_t)size;
    struct span payload;
    bool fine = true;
    while (fine && !l.ended)
        fine = next_block(&l, &payload) && read_block(&l, payload);
    d->ops->close(d->context, l.file);
    free(l.p);
    *error = l.error;
    *ret = l.position;
    s->checkpoint.size = l.offset;
    return fine;
}
