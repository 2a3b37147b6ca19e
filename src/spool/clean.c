/* clean: two small files beside the segments: `salt`, and the mark of a clean stop (STATES.md). Each is one record with salt 0 and epoch
 * 0, filled up with zeros. */
#include "spool/store_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

static const char salt_name[] = "salt", clean_name[] = "clean-stop";

#define ROW_OCTETS   9
#define CLEAN_OCTETS (24U + ROW_OCTETS * LIMIT_SEGMENTS)

/* A fresh file with one record, durable as its name is. 0 or a negative errno. */
static int write_file(const struct disk *d, const char *name, enum record_type type, struct span payload)
{
    size_t n = record_align(record_octets(payload.n), DISK_ALIGN);
    uint8_t *p = aligned_alloc(DISK_ALIGN, n);
    if (!p) return -ENOMEM;
    memset(p, 0, n);
    struct record r = {.length = (uint32_t)payload.n,
                       .payload_crc = crc32c(0, payload.p, payload.n),
                       .type = (uint8_t)type,
                       .flags = RECORD_END};
    record_head_put(p, &r, 0);
    memcpy(p + RECORD_HEAD_OCTETS, payload.p, payload.n);
    int error = d->ops->unlink(d->context, name);
    int file = error && error != -ENOENT ? error : d->ops->open(d->context, name, DISK_CREATE);
    error = file < 0 ? file : disk_write(d, file, p, n, 0);
    if (!error) error = d->ops->sync(d->context, file);
    if (!error) error = d->ops->sync_directory(d->context);
    if (file >= 0) d->ops->close(d->context, file);
    free(p);
    return error;
}

/* The payload, in malloc'd *memory. Empty: no such file, or it is not intact. *there: something of that name is. */
static struct span read_file(const struct disk *d, const char *name, enum record_type type, uint8_t **memory,
                             bool *there)
{
    int file = d->ops->open(d->context, name, DISK_READ);
    *memory = NULL;
    *there = file != -ENOENT;
    if (file < 0) return (struct span){0};
    size_t most = record_align(record_octets(CLEAN_OCTETS), DISK_ALIGN);
    int64_t size = d->ops->size(d->context, file);
    if (size > 0 && (uint64_t)size <= most) *memory = malloc((size_t)size);
    int64_t got = *memory ? d->ops->read(d->context, file, *memory, (size_t)size, 0) : -1;
    d->ops->close(d->context, file);
    struct record r;
    if (got < RECORD_HEAD_OCTETS || !record_head_read(*memory, 0, 0, &r) || r.type != type ||
        r.length > (size_t)got - RECORD_HEAD_OCTETS ||
        crc32c(0, *memory + RECORD_HEAD_OCTETS, r.length) != r.payload_crc)
        return (struct span){0};
    return span_of(*memory + RECORD_HEAD_OCTETS, r.length);
}

void clean_salt_read(struct store *s)
{
    uint8_t *memory;
    bool there;
    enum segment_kind kind;
    uint32_t rows;
    uint64_t salt;
    struct wire w = wire_on(read_file(&s->o.disk, salt_name, RECORD_SEGMENT, &memory, &there));
    if (segment_payload_read(&w, &kind, &salt, &rows)) {
        s->salt = salt;
        s->salt_known = s->salt_kept = true;
    }
    free(memory);
}

int clean_salt_keep(struct store *s)
{
    uint8_t payload[SEGMENT_PAYLOAD_OCTETS(0)];
    struct buf b = buf_on(payload, sizeof payload);
    segment_payload_begin(&b, SEGMENT_LOG, s->salt, 0);
    int error = write_file(&s->o.disk, salt_name, RECORD_SEGMENT, buf_span(&b));
    s->salt_kept = error == 0;
    return error;
}

static bool decode(struct span payload, struct clean *ret)
{
    struct wire w = wire_on(payload);
    ret->salt = wire_u64(&w);
    ret->messages = wire_u64(&w);
    ret->active = wire_u32(&w);
    ret->n = wire_u32(&w);
    if (w.bad || ret->n > LIMIT_SEGMENTS || w.rest.n != (size_t)ret->n * ROW_OCTETS) return false;
    ret->rows = calloc(ret->n + 1, sizeof *ret->rows);
    if (!ret->rows) return false;
    for (uint32_t i = 0; i < ret->n; i++) {
        struct clean_row *row = &ret->rows[i];
        row->number = wire_u32(&w);
        row->end = wire_u32(&w);
        row->kind = wire_u8(&w);
    }
    return wire_done(&w);
}

bool clean_read(struct store *s, struct clean *ret)
{
    uint8_t *memory;
    struct span payload = read_file(&s->o.disk, clean_name, RECORD_CLEAN, &memory, &s->marked);
    *ret = (struct clean){0};
    s->mark_holds = payload.n > 0 && decode(payload, ret);
    free(memory);
    if (!s->mark_holds) {
        free(ret->rows);
        *ret = (struct clean){0};
    }
    return s->mark_holds;
}

/* A log segment whose first batch failed is as good as prepared: the next start gives it another name. */
static bool in_use(const struct segment *g)
{
    if (g->kind == SEGMENT_LOG && g->end == 0) return false;
    return g->state == SEGMENT_ACTIVE || g->state == SEGMENT_SEALED;
}

bool clean_write(struct store *s)
{
    if (s->mark_holds) return true; /* nothing was written since it was made */
    uint8_t *memory = malloc(CLEAN_OCTETS);
    if (!memory) return false;
    struct buf b = buf_on(memory, CLEAN_OCTETS);
    uint32_t n = 0;
    for (size_t i = 0; i < s->segments.n; i++)
        n += in_use(s->segments.all[i]) ? 1 : 0;
    wire_put_u64(&b, s->salt);
    wire_put_u64(&b, s->index.messages);
    wire_put_u32(&b, s->log ? s->log->number : 0);
    wire_put_u32(&b, n);
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *g = s->segments.all[i];
        if (!in_use(g)) continue;
        wire_put_u32(&b, g->number);
        wire_put_u32(&b, g->end);
        wire_put_u8(&b, g->kind);
    }
    int error = write_file(&s->o.disk, clean_name, RECORD_CLEAN, buf_span(&b));
    free(memory);
    if (error)
        store_say(s, ALARM_WRITE_FAILED, 0, 0, 0, -error, "the mark of the clean stop cannot be written");
    return error == 0;
}

bool clean_remove(struct store *s)
{
    if (!s->marked) return true;
    const struct disk *d = &s->o.disk;
    int error = d->ops->unlink(d->context, clean_name);
    if (!error || error == -ENOENT) error = d->ops->sync_directory(d->context);
    if (error) {
        store_say(s, ALARM_WRITE_FAILED, 0, 0, 0, -error, "the mark of the clean stop cannot be removed");
        return false;
    }
    s->marked = s->mark_holds = false;
    return true;
}
