/* large: content of streamed and of large messages, in segments of its own, and the supply of fresh segments of both kinds. */
#include "spool/store_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

uint32_t segment_octets(const struct store *s)
{
    return s->o.segment_octets;
}

static void take_results(struct store *s, bool wait)
{
    struct prepare_job job;
    while (preparer_result(s->preparer, wait, &job)) {
        wait = false;
        struct segment *old = job.old ? segments_find(&s->segments, job.old) : NULL;
        if (job.what != PREPARE_REMOVE) s->asked[job.kind]--;
        if (job.error) {
            bool known = s->prepare_error[job.kind] == job.error; /* it is tried each second: said once */
            s->prepare_error[job.kind] = job.error;
            s->prepare_after_ms[job.kind] = s->now_ms + 1000;
            bool full = job.error == -ENOSPC || job.error == -EDQUOT;
            if (full && !s->full)
                store_say(s, ALARM_FULL, job.number, 0, 0, -job.error, "no space for a segment");
            if (full) s->full = s->recheck = true; /* what is dead makes room, at once */
            if (!full && !known)
                store_say(s, ALARM_WRITE_FAILED, job.number, 0, 0, -job.error,
                          "a segment could not be prepared");
            /* A recycling that failed may have happened or not: that segment is counted as existing, for good. */
            continue;
        }
        if (old) {
            damage_forget(s, old->number);
            segments_remove(&s->segments, &s->o.disk, old);
        }
        if (job.what == PREPARE_REMOVE) continue;
        s->prepare_error[job.kind] = 0;
        if (s->full) store_say(s, ALARM_SPACE, job.number, 0, 0, 0, "space for segments again");
        s->full = false;
        struct segment *fresh =
            segments_add(&s->segments, job.number, (enum segment_kind)job.kind, SEGMENT_PREPARED);
        if (!fresh || s->n_ready[job.kind] == READY_MAX) { /* it is found again at the next start */
            if (fresh) segments_remove(&s->segments, &s->o.disk, fresh);
            s->o.disk.ops->close(s->o.disk.context, job.file);
            continue;
        }
        fresh->file = job.file;
        s->ready[job.kind][s->n_ready[job.kind]++] = fresh;
    }
}

static bool ask_one(struct store *s, enum segment_kind kind)
{
    struct prepare_job job = {.what = PREPARE_CREATE, .kind = (uint8_t)kind, .number = s->next_number};
    if (s->segments.n + 2 >= LIMIT_SEGMENTS || s->next_number == UINT32_MAX) return false;
    /* Of a fresh spool the salt goes first: a segment for which a small disk has no room takes all there is for a moment. */
    if (!s->salt_kept && s->segments.n == 0) (void)clean_salt_keep(s);
    if (!preparer_ask(s->preparer, &job)) return false;
    s->next_number++;
    s->asked[kind]++;
    return true;
}

void large_prepare(struct store *s)
{
    take_results(s, false);
    for (int kind = SEGMENT_LOG; kind < SEGMENT_KIND_COUNT; kind++) {
        if (kind == SEGMENT_LARGE && !s->large) continue; /* none until the first large message */
        if (s->n_ready[kind] + s->asked[kind] == 0 &&
            (!s->prepare_error[kind] || s->now_ms >= s->prepare_after_ms[kind]))
            (void)ask_one(s, (enum segment_kind)kind);
    }
}

bool segment_ready(struct store *s, enum segment_kind kind, int *error)
{
    take_results(s, false);
    if (s->n_ready[kind] == 0 && s->prepare_error[kind] && s->now_ms < s->prepare_after_ms[kind]) {
        *error = -s->prepare_error[kind];
        return false;
    }
    if (s->n_ready[kind] == 0 && s->asked[kind] == 0 && !ask_one(s, kind)) {
        *error = EMFILE;
        return false;
    }
    while (s->n_ready[kind] == 0 && s->asked[kind] > 0)
        take_results(s, true);
    if (s->n_ready[kind] > 0) return true;
    *error = -s->prepare_error[kind];
    return false;
}

struct segment *segment_take(struct store *s, enum segment_kind kind, int *error)
{
    if (!segment_ready(s, kind, error)) return NULL;
    struct segment *fresh = s->ready[kind][0];
    s->n_ready[kind]--;
    memmove(s->ready[kind], s->ready[kind] + 1, s->n_ready[kind] * sizeof(struct segment *));
    return fresh;
}

static void spoil(struct store *s, struct segment *l, int error)
{
    store_say(s, ALARM_WRITE_FAILED, l->number, l->end, 0, -error, "write or sync of a large segment failed");
    l->spoiled = true;
    segment_seal(l, &s->o.disk);
    if (s->large == l) {
        s->large = NULL;
        s->large_n = 0;
    }
}

static bool write_out(struct store *s)
{
    struct segment *l = s->large;
    if (!l || s->large_n == 0) return true;
    uint64_t n = record_align(s->large_n, RECORD_BATCH_ALIGN);
    memset(s->large_buffer + s->large_n, 0, n - s->large_n);
    int error = disk_write(&s->o.disk, l->file, s->large_buffer, n, l->written);
    if (error) {
        spoil(s, l, error);
        return false;
    }
    l->written += (uint32_t)n;
    l->unsynced = true;
    s->octets_written += n;
    s->large_n = 0;
    return true;
}

bool large_sync(struct store *s)
{
    bool fine = write_out(s);
    for (size_t i = 0; i < s->segments.n; i++) {
        struct segment *l = s->segments.all[i];
        if (!l->unsynced || l->spoiled) continue;
        int error = s->o.disk.ops->sync(s->o.disk.context, l->file);
        s->syncs++;
        l->unsynced = false;
        if (error) {
            spoil(s, l, error);
            fine = false;
        } else {
            l->end = l->written;
            if (l->state != SEGMENT_ACTIVE) segment_seal(l, &s->o.disk);
        }
    }
    for (size_t i = 0; i < s->segments.n; i++)
        fine &= !(s->segments.all[i]->kind == SEGMENT_LARGE && s->segments.all[i]->spoiled);
    return fine;
}

bool large_durable(const struct store *s, const struct extent *e)
{
    const struct segment *l = segments_find(&s->segments, e->segment);
    return l && (l->kind != SEGMENT_LARGE || e->offset + e->length <= l->end);
}

/* An active large segment with room for at least one block of content. */
static struct segment *room(struct store *s, size_t *octets)
{
    const size_t least = RECORD_HEAD_OCTETS + RECORD_BATCH_ALIGN;
    for (int i = 0; i < 2; i++) {
        if (s->large) {
            uint64_t used = record_align(s->large->written + s->large_n, RECORD_ALIGN);
            uint64_t left = segment_octets(s) > used ? segment_octets(s) - used : 0;
            size_t buffer = LIMIT_LARGE_BUFFER_OCTETS - s->large_n;
            if (left >= least && buffer >= least) {
                *octets = (left < buffer ? (size_t)left : buffer) - RECORD_HEAD_OCTETS - RECORD_ALIGN;
                return s->large;
            }
            if (!write_out(s)) continue;
            used = s->large->written;
            if (segment_octets(s) - used >= least) {
                i = -1; /* the buffer is empty now */
                continue;
            }
            s->large->state = SEGMENT_SEALED; /* synced with the next commit: it is still marked unsynced */
            s->recheck = true;
        }
        int error = 0;
        s->large = segment_take(s, SEGMENT_LARGE, &error);
        if (!s->large) return NULL;
        s->large->state = SEGMENT_ACTIVE;
        s->large->end = s->large->written = 0;
    }
    return NULL;
}

bool large_extent_add(struct open_message *o, const struct extent *e)
{
    if (o->n_extents == o->max_extents) {
        uint32_t max = o->max_extents ? o->max_extents * 2 : 4;
        if (max > LIMIT_MESSAGE_EXTENTS) return false;
        struct extent *grown = realloc(o->extents, max * sizeof *grown);
        if (!grown) return false;
        o->extents = grown;
        o->max_extents = max;
    }
    o->extents[o->n_extents++] = *e;
    return true;
}

/* Copies up to `most` octets from the parts, from their octet `at` on; the CRC is that of the copy. */
static size_t copy_parts(uint8_t *to, size_t most, const struct span *parts, uint32_t n, uint32_t *part,
                         size_t *at, uint32_t *crc)
{
    size_t done = 0;
    *crc = 0;
    while (*part < n && done < most) {
        size_t left = parts[*part].n - *at, take = left < most - done ? left : most - done;
        *crc = crc32c_copy(*crc, to + done, parts[*part].p + *at, take);
        done += take;
        *at += take;
        if (*at == parts[*part].n) {
            ++*part;
            *at = 0;
        }
    }
    return done;
}

bool large_add(struct store *s, struct open_message *o, const struct span *parts, uint32_t n)
{
    uint32_t part = 0;
    size_t at = 0;
    while (part < n) {
        size_t most;
        struct segment *l = room(s, &most);
        if (!l) return false;
        struct slot slot = {.head = s->large_n, .payload = s->large_buffer + s->large_n + RECORD_HEAD_OCTETS};
        uint32_t crc;
        size_t length = copy_parts(slot.payload, most, parts, n, &part, &at, &crc);
        if (length == 0) break;
        struct extent e = {.segment = l->number,
                           .length = (uint32_t)length,
                           .offset = (uint64_t)l->written + slot.head + RECORD_HEAD_OCTETS,
                           .crc = crc};
        if (!large_extent_add(o, &e)) return false;
        struct record r = {.id = o->id,
                           .length = (uint32_t)length,
                           .payload_crc = crc,
                           .epoch = l->number,
                           .type = RECORD_BODY};
        record_head_put(s->large_buffer + slot.head, &r, s->salt);
        size_t octets = record_octets(length), used = RECORD_HEAD_OCTETS + length;
        memset(s->large_buffer + slot.head + used, 0, octets - used);
        s->large_n += octets;
        l->bodies++;
        l->live_octets += length;
        o->content_octets += length;
    }
    return true;
}
