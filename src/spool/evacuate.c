/* evacuate: copies the live messages of a mostly dead segment forward, so that it can be written again. A copy is: content,
 * ENVELOPE, COMMIT with MOVED, the newest STATEs and HOLD, and a tombstone for the copy it replaces. Batches of copies hold
 * nothing else: when one fails, nothing of it is written again and the old copies stay. */
#include "spool/store_private.h"

#include "base/crc32c.h"

#include <stdlib.h>

#define STEP_OCTETS       1048576 /* copied in one step */
#define STEP_MESSAGES     128
#define STEP_LOOKED       4096 /* messages looked at in one step */
#define SEGMENTS_AT_LEAST 4    /* so many may be mostly dead without anybody copying */
#define PAUSE_MS          10000
#define STATE_OCTETS      (LIMIT_STATE_HISTORY_OCTETS + 64)

struct copy {
    uint64_t id;
    uint32_t home, envelope_offset, hold_offset;
    struct open_message content; /* its extents where they will be, each pinned */
    uint32_t *states;            /* by recipient: offset of the new STATE, or 0 */
    struct message *block;       /* what takes the message's place, when its number of extents changes */
};

static void choose(struct store *s)
{
    uint64_t used = 0, live = 0;
    struct segment *best = NULL;
    if (s->now_ms < s->evacuation.after_ms || s->full) return;
    for (size_t i = 0; i < s->segments.n; i++) {
        struct segment *g = s->segments.all[i];
        if (g == s->log || g->state != SEGMENT_SEALED || g->damaged || g->kept || g->leases || g->unsynced)
            continue;
        used += segment_octets(s);
        live += g->live_octets;
        if (g->live == 0 && g->bodies == 0) continue; /* goes by itself */
        if (!best || g->live_octets < best->live_octets) best = g;
    }
    if (!best || best->live_octets > segment_octets(s) / 2) return;
    if (used <= 2 * live + (uint64_t)SEGMENTS_AT_LEAST * segment_octets(s)) return;
    s->evacuation.segment = best->number;
    s->evacuation.cursor = 0;
}

static bool lies_in(const struct message *m, uint32_t segment)
{
    if (m->home == segment) return true;
    for (uint32_t i = 0; i < m->n_extents; i++)
        if (message_extents(m)[i].segment == segment) return true;
    return false;
}

/* How much the records will take at most; 0: a state cannot be read back. */
static size_t measure(struct store *s, const struct message *m, const struct segment *victim)
{
    uint8_t state[STATE_OCTETS];
    struct span payload;
    size_t octets = record_octets(m->envelope_length) + record_octets(TOMBSTONE_OCTETS) +
                    record_octets(HOLD_PAYLOAD_OCTETS(LIMIT_HOLD_EVENTS));
    uint32_t extents = m->n_extents;
    for (uint32_t i = 0; i < m->n_extents; i++) {
        const struct extent *e = &message_extents(m)[i];
        if (e->segment != victim->number) continue;
        if (victim->kind == SEGMENT_LOG) octets += record_octets(e->length);
        extents += e->length / (LIMIT_LARGE_BUFFER_OCTETS / 2) + 4; /* it may be split */
    }
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &message_recipients(m)[i];
        if (r->state_segment == 0) continue;
        if (r->state == RECIPIENT_EXPANDED) { /* as long as its derived recipients */
            if (!store_read_record(s, r->state_segment, r->state_offset, RECORD_STATE, m->id, s->scratch,
                                   LIMIT_ENVELOPE_OCTETS, &payload))
                return 0;
        } else if (!store_read_record(s, r->state_segment, r->state_offset, RECORD_STATE, m->id, state,
                                      sizeof state, &payload)) {
            return 0;
        }
        octets += record_octets(payload.n);
    }
    return octets + record_octets(COMMIT_PAYLOAD_OCTETS((size_t)extents));
}

static bool keep_extent(struct store *s, struct copy *c, const struct extent *e)
{
    if (!large_extent_add(&c->content, e)) return false;
    store_pin_extents(s, e, 1, 1);
    return true;
}

static bool copy_to_large(struct store *s, struct copy *c, const struct extent *e)
{
    uint8_t *p = malloc(e->length ? e->length : 1);
    struct span part = {p, e->length};
    bool fine = p && store_read_extent(s, e, p) && large_add(s, &c->content, &part, 1);
    free(p);
    return fine;
}

static bool copy_extent(struct store *s, struct copy *c, const struct extent *e, struct segment *victim)
{
    if (e->segment != victim->number) return keep_extent(s, c, e);
    if (victim->kind == SEGMENT_LARGE) {
        if (copy_to_large(s, c, e)) return true;
    } else {
        struct slot slot = journal_begin(s, RECORD_BODY, 0, c->id, e->length);
        if (store_read_extent(s, e, slot.payload)) {
            journal_end(s, &slot, e->crc);
            return keep_extent(s, c, &(struct extent){s->log->number, e->length, slot.offset, e->crc});
        }
        victim->damaged = true;
        store_damage(s, e->segment, e->offset - RECORD_HEAD_OCTETS, e->offset + e->length, c->id,
                     "content cannot be copied forward");
    }
    return false;
}

/* Copies a record and names its new home in its first field. */
static bool copy_state(struct store *s, const struct message *m, enum record_type type, uint32_t segment,
                       uint32_t offset, uint32_t *fresh)
{
    struct span payload;
    if (!store_read_record(s, segment, offset, type, m->id, s->scratch, LIMIT_ENVELOPE_OCTETS, &payload))
        return false;
    struct slot slot = journal_begin(s, type, 0, m->id, (uint32_t)payload.n);
    memcpy(slot.payload, payload.p, payload.n);
    struct buf home = buf_on(slot.payload, sizeof(uint32_t));
    wire_put_u32(&home, s->log->number);
    journal_end_crc(s, &slot);
    *fresh = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
    return true;
}

static bool copy_states(struct store *s, struct copy *c, const struct message *m)
{
    c->states = calloc(m->n_recipients, sizeof *c->states);
    if (!c->states) return false;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &message_recipients(m)[i];
        if (r->state_segment &&
            !copy_state(s, m, RECORD_STATE, r->state_segment, r->state_offset, &c->states[i]))
            return false;
    }
    return !m->hold_segment ||
           copy_state(s, m, RECORD_HOLD, m->hold_segment, m->hold_offset, &c->hold_offset);
}

static bool copy_message(struct store *s, struct copy *c, const struct message *m, struct segment *victim)
{
    c->id = m->id;
    c->content.id = m->id;
    c->home = s->log->number;
    for (uint32_t i = 0; i < m->n_extents; i++)
        if (!copy_extent(s, c, &message_extents(m)[i], victim)) return false;
    if (m->n_extents != c->content.n_extents) {
        c->block = index_copy(&s->index, m, m->n_recipients, c->content.n_extents, 0);
        if (!c->block) return false;
    }
    struct slot envelope = journal_begin(s, RECORD_ENVELOPE, 0, m->id, m->envelope_length);
    if (!store_read_envelope(s, m, envelope.payload)) {
        victim->damaged = true;
        return false;
    }
    c->envelope_offset = envelope.offset;
    journal_end_crc(s, &envelope);
    struct commit_payload commit = {.content_octets = m->content_octets,
                                    .arrival_ms = m->arrival_ms,
                                    .envelope_offset = c->envelope_offset,
                                    .envelope_length = m->envelope_length,
                                    .count = c->content.n_extents};
    struct slot slot =
        journal_begin(s, RECORD_COMMIT, RECORD_MOVED, m->id, COMMIT_PAYLOAD_OCTETS(commit.count));
    struct buf b = buf_on(slot.payload, slot.record.length);
    commit_payload_put(&b, &commit, c->content.extents);
    journal_end_crc(s, &slot);
    if (!copy_states(s, c, m)) return false;
    if (m->home == s->log->number)
        return true; /* only content moved: the newer COMMIT of this segment counts */
    slot = journal_begin(s, RECORD_TOMBSTONE, 0, 0, TOMBSTONE_OCTETS);
    b = buf_on(slot.payload, slot.record.length);
    tombstone_put(&b, &(struct tombstone){m->id, m->home});
    journal_end_crc(s, &slot);
    return true;
}

static void drop_copy(struct store *s, struct copy *c)
{
    store_pin_extents(s, c->content.extents, c->content.n_extents, -1);
    free(c->content.extents);
    free(c->states);
    if (c->block) index_free(&s->index, c->block);
    *c = (struct copy){0};
}

/* The copy is durable: the message is there from now on. */
static void settle_copy(struct store *s, struct copy *c)
{
    struct message *m = id_map_find(&s->index.map, c->id);
    struct segment *log = segments_find(&s->segments, c->home);
    if (!m || !log) return;
    segment_need(log, m->home); /* the tombstone */
    store_pin(s, m, -1);
    if (c->block) {
        index_swap(&s->index, m, c->block);
        m = c->block;
        c->block = NULL;
        schedule_moved(&s->schedule, m);
    }
    if (m->n_extents) memcpy(message_extents(m), c->content.extents, m->n_extents * sizeof(struct extent));
    m->home = c->home;
    m->envelope_offset = c->envelope_offset;
    if (m->hold_segment) {
        m->hold_segment = c->home;
        m->hold_offset = c->hold_offset;
    }
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        if (!c->states[i]) continue;
        message_recipients(m)[i].state_segment = c->home;
        message_recipients(m)[i].state_offset = c->states[i];
    }
    store_pin(s, m, 1);
}

/* Copies one message into the batch. False: it does not fit any more, or cannot be copied. */
static bool add(struct store *s, struct copy *c, const struct message *m, struct segment *victim,
                struct journal_mark *before)
{
    size_t octets = measure(s, m, victim);
    if (octets == 0 || octets > s->batch_max) {
        victim->kept = true; /* stays as it is */
        return true;
    }
    bool first = !s->batch->moving;
    if (first ? journal_room(s, octets, false) != STORE_DURABLE : !journal_fits(s, octets)) return false;
    struct journal_mark mark = journal_mark(s);
    if (first) *before = mark;
    s->batch->moving = true;
    if (copy_message(s, c, m, victim)) return true;
    journal_cut(s, mark);
    drop_copy(s, c);
    victim->kept |= victim->damaged;
    return victim->damaged;
}

static bool all_durable(const struct store *s, const struct copy *copies, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (uint32_t e = 0; e < copies[i].content.n_extents; e++)
            if (!large_durable(s, &copies[i].content.extents[e])) return false;
    return true;
}

static void write_copies(struct store *s, struct copy *copies, unsigned n, struct journal_mark before,
                         bool large)
{
    if (large) (void)large_sync(s);
    bool fine = all_durable(s, copies, n);
    if (!fine) {
        journal_cut(s, before);
        s->batch->moving = false;
    }
    fine = fine && journal_flush(s);
    for (unsigned i = 0; i < n; i++) {
        if (fine && copies[i].id) settle_copy(s, &copies[i]);
        drop_copy(s, &copies[i]);
    }
    if (!fine) s->evacuation.after_ms = s->now_ms + PAUSE_MS;
}

static void step(struct store *s, struct segment *victim)
{
    struct copy copies[STEP_MESSAGES] = {0};
    struct journal_mark before = {0};
    unsigned n = 0;
    const struct message *m = NULL;
    uint64_t octets = 0;
    if (!journal_flush(s)) return;
    bool more = true;
    for (unsigned looked = 0; more && looked < STEP_LOOKED && n < STEP_MESSAGES && octets < STEP_OCTETS;
         looked++) {
        m = store_after(s, s->evacuation.cursor);
        if (!m) break;
        if (lies_in(m, victim->number)) {
            more = add(s, &copies[n], m, victim, &before);
            if (!more) break;
            octets += m->content_octets;
            if (copies[n].id) n++;
        }
        s->evacuation.cursor = m->id;
    }
    if (n > 0)
        write_copies(s, copies, n, before, victim->kind == SEGMENT_LARGE);
    else
        s->batch->moving = false;
    bool stuck = !more && n == 0; /* no space */
    if (m && !stuck) return;
    bool left = victim->live > 0 || victim->bodies > 0;
    s->evacuation.segment = 0;
    s->evacuation.after_ms = left ? s->now_ms + PAUSE_MS : 0;
    s->recheck = true;
}

void evacuate_step(struct store *s)
{
    if (s->evacuation.segment == 0) choose(s);
    if (s->evacuation.segment == 0) return;
    struct segment *victim = segments_find(&s->segments, s->evacuation.segment);
    if (victim && victim->state == SEGMENT_SEALED)
        step(s, victim);
    else
        s->evacuation.segment = 0;
}
