/* recycle: segments that nobody needs are written again; mostly dead ones are copied forward first. A full scan of what is left
 * must always give the same index (STATES.md, "Segment"). */
#include "spool/store_private.h"

#include "spool/scan.h"

#include <stdlib.h>

static bool exists(const struct store *s, uint32_t number)
{
    return segments_find(&s->segments, number) != NULL;
}

static bool needed_elsewhere(const struct store *s, const struct segment *g)
{
    for (uint32_t i = 0; i < g->n_needs; i++)
        if (exists(s, g->needs[i])) return true;
    return false;
}

struct forward { /* copies states and tombstones of g that others need */
    struct store *s;
    struct segment *g;
    bool failed;
};

static bool copy_record(struct store *s, const struct record *r, struct span payload, uint32_t *segment,
                        uint32_t *offset)
{
    if (journal_room(s, record_octets(r->length), true) != STORE_DURABLE) return false;
    struct slot slot =
        journal_begin(s, (enum record_type)r->type, r->flags & (uint8_t)~RECORD_END, r->id, r->length);
    memcpy(slot.payload, payload.p, payload.n);
    journal_end(s, &slot, r->payload_crc);
    *segment = s->log->number;
    *offset = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
    return true;
}

static void forward_state(struct forward *f, size_t at, const struct record *r, struct span payload)
{
    struct state_payload state;
    uint32_t segment, offset;
    if (!state_payload_read(payload, &state) || state.home == f->g->number || !exists(f->s, state.home))
        return;
    struct message *m = id_map_find(&f->s->index.map, r->id);
    if (r->flags & RECORD_LAST) {
        if (!copy_record(f->s, r, payload, &segment, &offset)) {
            f->failed = true;
            return;
        }
        segment_need(f->s->log, state.home);
        return;
    }
    if (!m || m->home != state.home || state.recipient >= m->n_recipients) return;
    struct recipient *to = &message_recipients(m)[state.recipient];
    if (to->state_segment != f->g->number || to->state_offset != at) return; /* an older one */
    if (!copy_record(f->s, r, payload, &to->state_segment, &to->state_offset))
        f->failed = true;
    else
        segment_need(f->s->log, state.home);
}

static void forward_hold(struct forward *f, size_t at, const struct record *r, struct span payload)
{
    struct hold_payload hold;
    struct message *m = id_map_find(&f->s->index.map, r->id);
    if (!hold_payload_read(payload, &hold) || !m || m->home != hold.home) return;
    if (m->hold_segment != f->g->number || m->hold_offset != at) return;
    if (!copy_record(f->s, r, payload, &m->hold_segment, &m->hold_offset))
        f->failed = true;
    else
        segment_need(f->s->log, hold.home);
}

static void forward_tombstones(struct forward *f, const struct record *r, struct span payload)
{
    struct wire w = wire_on(payload);
    struct tombstone t;
    bool any = false;
    while (tombstone_read(&w, &t))
        any |= t.home != f->g->number && exists(f->s, t.home);
    if (!any) return;
    uint32_t segment, offset;
    if (!copy_record(f->s, r, payload, &segment, &offset)) {
        f->failed = true;
        return;
    }
    w = wire_on(payload);
    while (tombstone_read(&w, &t))
        if (exists(f->s, t.home)) segment_need(f->s->log, t.home);
}

static void forward_one(void *context, size_t offset, const struct record *r, struct span payload)
{
    struct forward *f = context;
    if (f->failed) return;
    if (r->type == RECORD_STATE) forward_state(f, offset, r, payload);
    if (r->type == RECORD_HOLD) forward_hold(f, offset, r, payload);
    if (r->type == RECORD_TOMBSTONE) forward_tombstones(f, r, payload);
}

static void forward_damage(void *context, size_t from, size_t to, uint64_t id, const char *text)
{
    const struct forward *f = context;
    damage_note(f->s, f->g->number, from, to, id, text);
}

/* True: nothing in g is needed any more, and that is durable. */
static bool forward(struct store *s, struct segment *g)
{
    uint8_t *p = malloc(g->end ? g->end : 1);
    int file = segment_read_file(&s->segments, &s->o.disk, g);
    bool read =
        p && file >= 0 && s->o.disk.ops->read(s->o.disk.context, file, p, g->end, 0) == (int64_t)g->end;
    struct forward f = {s, g, !read};
    struct scan c = {.p = p,
                     .n = g->end,
                     .epoch = g->number,
                     .salt = s->salt,
                     .how = SCAN_EXACT,
                     .context = &f,
                     .record = forward_one,
                     .damage = forward_damage};
    if (read) scan_segment(&c);
    free(p);
    if (read && c.gaps) {
        g->damaged = true; /* kept */
        damage_tell(s);
        return false;
    }
    return !f.failed && journal_flush(s);
}

/* The newest log segment names the ends of all others: it stays until it has a successor, whether a failure has sealed it or a
 * recovery that could not use it on (there is no active one then). */
static bool names_the_ends(const struct store *s, const struct segment *g)
{
    if (s->log) return g == s->log;
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *other = s->segments.all[i];
        if (other->kind == SEGMENT_LOG && other->state == SEGMENT_SEALED && other->number > g->number)
            return false;
    }
    return g->kind == SEGMENT_LOG;
}

/* A disk without room for a successor: then the newest may go before it has one, for it starts over as its own, provided that there are no
 * other ends to name and that the salt outlives it. While half of it is free there is no hurry. */
static bool may_start_over(const struct store *s, const struct segment *g)
{
    if (!s->full || s->n_ready[SEGMENT_LOG] || s->asked[SEGMENT_LOG] || !s->salt_kept) return false;
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *other = s->segments.all[i];
        if (other != g && other->kind == SEGMENT_LOG && other->state != SEGMENT_PREPARED) return false;
    }
    if (g->spoiled) return false;
    if (g == s->log) return s->batch->n == 0 && g->end > segment_octets(s) / 2;
    return !s->marked ||
           s->n_damages + s->more_damages == 0; /* the mark goes with it: damage would not be found again */
}

static bool free_to_go(const struct store *s, const struct segment *g)
{
    if (names_the_ends(s, g) && !may_start_over(s, g)) return false;
    if ((g->state != SEGMENT_SEALED && g != s->log) || g->damaged || g->kept || g->live || g->bodies ||
        g->leases || g->unsynced)
        return false;
    return g->number != s->evacuation.segment;
}

static void let_go(struct store *s, struct segment *g)
{
    bool last = names_the_ends(s, g);
    if (s->marked && ((!s->log && !last) || !clean_remove(s)))
        return; /* what the mark names stays as long as it */
    bool reuse = !g->spoiled && s->n_ready[g->kind] + s->asked[g->kind] < LIMIT_SEGMENTS_SPARE &&
                 s->next_number < UINT32_MAX;
    struct prepare_job job = {.what = reuse ? PREPARE_RECYCLE : PREPARE_REMOVE,
                              .kind = g->kind,
                              .number = s->next_number,
                              .old = g->number};
    segment_close(&s->segments, &s->o.disk, g);
    if (g == s->log) {
        segment_seal(g, &s->o.disk);
        s->log = NULL;
    }
    if (!preparer_ask(s->preparer, &job)) return;
    g->state = SEGMENT_RECYCLING;
    if (!reuse) return;
    s->next_number++;
    s->asked[g->kind]++;
}

/* Old segments first: what they are needed for by younger ones goes with them. One scan a step at most. */
static void sweep(struct store *s)
{
    if (!s->recheck || s->stuck) return;
    s->recheck = false;
    for (size_t i = 0; i < s->segments.n; i++) {
        struct segment *g = s->segments.all[i];
        if (!free_to_go(s, g)) continue;
        if (g->kind == SEGMENT_LOG && needed_elsewhere(s, g)) {
            if (forward(s, g)) let_go(s, g);
            s->recheck = true;
            return;
        }
        let_go(s, g);
    }
}

void recycle_step(struct store *s)
{
    evacuate_step(s);
    sweep(s);
}
