/* journal: the active log segment and the batch that is being built for it (STATES.md, "Batch"). */
#include "spool/store_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>

#define NO_RECORD SIZE_MAX

static uint64_t padded(size_t n)
{
    return record_align(n, RECORD_BATCH_ALIGN);
}

static void batch_empty(struct batch *b)
{
    b->n = 0;
    b->last = NO_RECORD;
    b->n_commits = b->n_finished = 0;
    b->moving = b->urgent = false;
}

struct slot journal_begin(struct store *s, enum record_type type, uint8_t flags, uint64_t id, uint32_t length)
{
    struct batch *b = s->batch;
    struct slot slot = {.payload = b->p + b->n + RECORD_HEAD_OCTETS,
                        .head = b->n,
                        .offset = (uint32_t)(s->log->end + b->n + RECORD_HEAD_OCTETS),
                        .record = {.id = id,
                                   .length = length,
                                   .epoch = s->log->number,
                                   .batch = s->batch_number,
                                   .type = (uint8_t)type,
                                   .flags = flags}};
    return slot;
}

void journal_end(struct store *s, struct slot *slot, uint32_t payload_crc)
{
    struct batch *b = s->batch;
    slot->record.payload_crc = payload_crc;
    record_head_put(b->p + slot->head, &slot->record, slot->record.type == RECORD_SEGMENT ? 0 : s->salt);
    size_t octets = record_octets(slot->record.length), used = RECORD_HEAD_OCTETS + slot->record.length;
    memset(b->p + slot->head + used, 0, octets - used);
    b->last = slot->head;
    if (slot->record.type != RECORD_BODY && slot->record.type != RECORD_SEGMENT) b->urgent = true;
    b->n = slot->head + octets;
}

void journal_end_crc(struct store *s, struct slot *slot)
{
    journal_end(s, slot, crc32c(0, slot->payload, slot->record.length));
}

struct journal_mark journal_mark(const struct store *s)
{
    return (struct journal_mark){s->batch->n, s->batch->last, s->batch->urgent};
}

void journal_cut(struct store *s, struct journal_mark mark)
{
    s->batch->n = mark.n;
    s->batch->last = mark.last;
    s->batch->urgent = mark.urgent;
}

void journal_finish(struct store *s, struct message *m)
{
    struct batch *b = s->batch;
    if (b->n_finished == b->max_finished) {
        uint32_t max = b->max_finished ? b->max_finished * 2 : LIMIT_BATCH_MESSAGES;
        struct message **grown = realloc(b->finished, max * sizeof(struct message *));
        if (!grown) return; /* what it needs stays needed until the next start: nothing is lost but space */
        b->finished = grown;
        b->max_finished = max;
    }
    b->finished[b->n_finished++] = m;
}

static int write_batch(struct store *s);

/* The salt outlives a damaged SEGMENT record; while no SEGMENT record has it, nothing is written without it. */
static int keep_salt(struct store *s)
{
    int error = s->salt_kept ? 0 : clean_salt_keep(s);
    for (size_t i = 0; error && i < s->segments.n; i++) {
        const struct segment *g = s->segments.all[i];
        if (g->kind == SEGMENT_LOG && g->state != SEGMENT_PREPARED) error = 0;
    }
    return error;
}

static void put_segment_record(struct store *s)
{
    uint32_t rows = 0;
    for (size_t i = 0; i < s->segments.n; i++)
        if (s->segments.all[i]->kind == SEGMENT_LOG && s->segments.all[i]->state >= SEGMENT_SEALED) rows++;
    struct slot slot = journal_begin(s, RECORD_SEGMENT, 0, 0, SEGMENT_PAYLOAD_OCTETS(rows));
    struct buf b = buf_on(slot.payload, slot.record.length);
    segment_payload_begin(&b, SEGMENT_LOG, s->salt, rows);
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *old = s->segments.all[i];
        if (old->kind == SEGMENT_LOG && old->state >= SEGMENT_SEALED)
            segment_payload_row(&b, (struct segment_end){old->number, old->end});
    }
    journal_end_crc(s, &slot);
}

/* Makes the next segment the active one: its SEGMENT record is a batch of its own, durable before anything else is in it. The batch
 * must be empty. */
static enum store_status next_segment(struct store *s)
{
    int error = -keep_salt(s);
    struct segment *fresh = error ? NULL : segment_take(s, SEGMENT_LOG, &error);
    if (!fresh) return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_FAILED;
    if (s->log) segment_seal(s->log, &s->o.disk);
    fresh->state = SEGMENT_ACTIVE;
    fresh->end = 0;
    s->log = fresh;
    s->batch_number = 1;
    s->recheck = true;
    put_segment_record(s);
    error = write_batch(s);
    batch_empty(s->batch);
    return error ? STORE_FAILED : STORE_DURABLE;
}

static bool fits_segment(const struct store *s, size_t octets)
{
    return s->log && s->log->state == SEGMENT_ACTIVE &&
           s->log->end + padded(s->batch->n + octets) <= segment_octets(s);
}

/* Ordinary mail leaves the end of the last free segment to states, so that a full disk can still be emptied. */
static bool reserve_touched(struct store *s, size_t octets)
{
    uint64_t reserve = segment_octets(s) / 4 < LIMIT_SPOOL_RESERVE_OCTETS ? segment_octets(s) / 4
                                                                          : LIMIT_SPOOL_RESERVE_OCTETS;
    if (s->n_ready[SEGMENT_LOG] > 0) return false;
    return s->log->end + padded(s->batch->n + octets) + reserve > segment_octets(s);
}

bool journal_fits(const struct store *s, size_t octets)
{
    return !s->stuck && s->batch->n + octets <= s->batch_max && fits_segment(s, octets);
}

enum store_status journal_room(struct store *s, size_t octets, bool urgent)
{
    if (s->stuck) return STORE_FAILED;
    if (octets > s->batch_max) return STORE_REFUSED;
    if (s->batch->n && s->batch->n + octets > s->batch_max && !journal_flush(s)) return STORE_FAILED;
    if (!fits_segment(s, octets)) {
        if (s->batch->n && !journal_flush(s)) return STORE_FAILED;
        if (!fits_segment(s, octets)) {
            enum store_status status = next_segment(s);
            if (status != STORE_DURABLE) return status;
            if (!fits_segment(s, octets)) return STORE_FAILED;
        }
    }
    if (!clean_remove(s)) return STORE_FAILED;
    int error = 0;
    if (!urgent && reserve_touched(s, octets) && !segment_ready(s, SEGMENT_LOG, &error))
        return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_FAILED;
    return STORE_DURABLE;
}

static void answer(struct store *s, const struct pending *p, enum store_status status)
{
    struct message *m = p->message;
    uint64_t id = m->id;
    if (status != STORE_DURABLE) {
        s->refused++;
        (void)id_map_remove(&s->index.map, id);
        store_pin(s, m, -1);
        s->o.committed(s->o.context, p->token, NULL, id, status);
        index_free(&s->index, m);
        return;
    }
    s->committed++;
    m->flags &= (uint8_t)~MESSAGE_PENDING;
    index_count_all(&s->index, m, 1);
    store_place_message(s, m);
    s->o.committed(s->o.context, p->token, m, id, status);
}

static void apply(struct store *s, struct batch *b)
{
    for (uint32_t i = 0; i < b->n_commits; i++)
        answer(s, &b->commits[i], b->commits[i].failed ? STORE_FAILED : STORE_DURABLE);
    for (uint32_t i = 0; i < b->n_finished; i++) {
        store_pin(s, b->finished[i], -1);
        index_free(&s->index, b->finished[i]);
    }
    batch_empty(b);
}

static void rewrite_head(struct store *s, size_t at, uint8_t type, uint8_t more_flags)
{
    struct record r;
    uint64_t salt = at == 0 && s->log->end == 0 ? 0 : s->salt;                 /* the SEGMENT record */
    if (!record_head_read(s->batch->p + at, s->log->number, salt, &r)) return; /* ours: always readable */
    if (type) r.type = type;
    r.flags |= more_flags;
    record_head_put(s->batch->p + at, &r, salt);
}

/* Content in large segments must be durable before a COMMIT that names it is written. */
static void sync_large(struct store *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->batch->n_commits; i++)
        any |= s->batch->commits[i].large;
    if (!any || large_sync(s)) return;
    for (uint32_t i = 0; i < s->batch->n_commits; i++) {
        struct pending *p = &s->batch->commits[i];
        for (uint32_t e = 0; p->large && e < p->message->n_extents; e++)
            if (!large_durable(s, &message_extents(p->message)[e])) p->failed = true;
        if (p->failed) rewrite_head(s, p->record, RECORD_VOID, 0);
    }
}

static int write_batch(struct store *s)
{
    struct batch *b = s->batch;
    rewrite_head(s, b->last, 0, RECORD_END);
    uint64_t n = padded(b->n);
    memset(b->p + b->n, 0, n - b->n);
    int error = disk_write(&s->o.disk, s->log->file, b->p, n, s->log->end);
    if (!error) error = s->o.disk.ops->sync(s->o.disk.context, s->log->file);
    s->syncs++;
    if (error) {
        store_say(s, ALARM_WRITE_FAILED, s->log->number, s->log->end, 0, -error,
                  "write or sync of a batch failed");
        s->log->spoiled = true;
        segment_seal(s->log, &s->o.disk); /* its end stays what it was */
        return error;
    }
    s->log->end += (uint32_t)n;
    s->octets_written += n;
    s->n_batches++;
    s->batch_number++;
    return 0;
}

/* A state that was in a failed batch is written to the successor: what happened to a recipient has happened. */
static void carry(struct store *s, const struct record *r, const uint8_t *payload)
{
    struct slot slot =
        journal_begin(s, (enum record_type)r->type, r->flags & (uint8_t)~RECORD_END, r->id, r->length);
    memcpy(slot.payload, payload, r->length);
    journal_end(s, &slot, r->payload_crc);
    struct state_payload state;
    struct hold_payload hold;
    struct message *m = id_map_find(&s->index.map, r->id);
    if (r->type == RECORD_STATE && state_payload_read(span_of(payload, r->length), &state)) {
        if (m && m->home == state.home && state.recipient < m->n_recipients) {
            message_recipients(m)[state.recipient].state_segment = s->log->number;
            message_recipients(m)[state.recipient].state_offset =
                (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
        }
        segment_need(s->log, state.home);
    } else if (r->type == RECORD_HOLD && hold_payload_read(span_of(payload, r->length), &hold)) {
        if (m && m->home == hold.home) {
            m->hold_segment = s->log->number;
            m->hold_offset = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
        }
        segment_need(s->log, hold.home);
    } else if (r->type == RECORD_TOMBSTONE) {
        struct wire w = wire_on(span_of(payload, r->length));
        struct tombstone t;
        while (tombstone_read(&w, &t))
            segment_need(s->log, t.home);
    }
}

static void carry_all(struct store *s, const struct batch *failed, uint32_t epoch)
{
    size_t at = 0;
    struct record r;
    if (failed->moving) return;
    while (at + RECORD_HEAD_OCTETS <= failed->n && record_head_read(failed->p + at, epoch, s->salt, &r)) {
        if (r.type == RECORD_STATE || r.type == RECORD_HOLD || r.type == RECORD_TOMBSTONE)
            carry(s, &r, failed->p + at + RECORD_HEAD_OCTETS);
        at += record_octets(r.length);
    }
}

#define SUCCESSORS_TRIED 4
#define STUCK_RETRY_MS   1000

/* The failed batch is s->batch. Makes a successor durable that names the end of the failed segment and carries the states, then
 * answers. False: not possible now; everything waits. */
static bool succeed(struct store *s)
{
    struct batch *failed = s->batch, *fresh = failed == &s->batches[0] ? &s->batches[1] : &s->batches[0];
    const struct segment *lost = s->log;
    uint32_t epoch = lost->number;
    for (int i = 0; i < SUCCESSORS_TRIED; i++) {
        s->batch = fresh;
        batch_empty(fresh);
        if (next_segment(s) != STORE_DURABLE) continue;
        carry_all(s, failed, epoch);
        if (fresh->n && write_batch(s) != 0) continue;
        for (uint32_t c = 0; c < failed->n_commits; c++)
            failed->commits[c].failed = true;
        batch_empty(fresh);
        apply(s, failed);
        s->batch = fresh;
        s->stuck = false;
        return true;
    }
    s->batch = failed;
    batch_empty(fresh);
    s->log = segments_find(&s->segments, epoch);
    if (!s->stuck)
        store_say(s, ALARM_STUCK, epoch, 0, 0, 0, "no successor for a failed segment; answers wait");
    s->stuck = true;
    s->stuck_until_ms = s->now_ms + STUCK_RETRY_MS;
    return false;
}

bool journal_recover_failed(struct store *s)
{
    return !s->stuck || succeed(s);
}

bool journal_flush(struct store *s)
{
    if (s->stuck) return false;
    if (s->batch->n == 0) return true;
    sync_large(s);
    if (write_batch(s) == 0) {
        apply(s, s->batch);
        return true;
    }
    bool moving = s->batch->moving;
    return succeed(s) && !moving;
}
