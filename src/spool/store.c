#include "spool/store_private.h"

#include "base/crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

void store_say(struct store *s, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
               int error, const char *text)
{
    char said[160], name[DISK_NAME_OCTETS];
    if (!s->o.alarm) return;
    if (error) { /* which file, and what is wrong, for the reader of a log */
        const struct segment *g = segments_find(&s->segments, segment);
        const char *words = strerrordesc_np(error);
        struct buf b = buf_on(said, sizeof said - 1);
        buf_str(&b, text);
        if (segment) {
            segment_name_put(name, g ? segment_name_of(g->kind) : NAME_NEW, segment);
            buf_str(&b, ": ");
            buf_str(&b, name);
        }
        buf_str(&b, ": ");
        buf_str(&b, words ? words : "unknown error");
        if (!b.over) {
            said[b.n] = 0;
            text = said;
        }
    }
    s->o.alarm(s->o.context, what, segment, offset, id, error, text);
}

#define MANIFEST_OCTETS (SEGMENT_PAYLOAD_OCTETS(LIMIT_SEGMENTS) + 2 * RECORD_BATCH_ALIGN)

enum { LARGE_PAGE = 2097152 };
_Static_assert(LIMIT_LARGE_BUFFER_OCTETS % LARGE_PAGE == 0, "whole pages");

static bool allocate(struct store *s)
{
    s->batch_max =
        s->o.segment_octets / 2 < LIMIT_BATCH_OCTETS ? s->o.segment_octets / 2 : LIMIT_BATCH_OCTETS;
    for (int i = 0; i < 2; i++) {
        struct batch *b = &s->batches[i];
        b->max = record_align(s->batch_max + MANIFEST_OCTETS, DISK_ALIGN);
        b->p = aligned_alloc(DISK_ALIGN, b->max);
        b->commits = malloc(LIMIT_BATCH_MESSAGES * sizeof *b->commits);
        b->last = SIZE_MAX;
        if (!b->p || !b->commits) return false;
    }
    s->batch = &s->batches[0];
    s->large_buffer = aligned_alloc(LARGE_PAGE, LIMIT_LARGE_BUFFER_OCTETS);
    /* one large page: the disk takes it in few pieces. Without, it is only slower */
    if (s->large_buffer) (void)madvise(s->large_buffer, LIMIT_LARGE_BUFFER_OCTETS, MADV_HUGEPAGE);
    s->scratch = malloc(LIMIT_ENVELOPE_OCTETS);
    s->damages = calloc(LIMIT_DAMAGES, sizeof *s->damages);
    s->preparer = preparer_create(&s->o.disk, s->o.segment_octets, s->o.thread);
    return s->large_buffer && s->scratch && s->damages && s->preparer;
}

struct store *store_open(const struct store_options *o, uint64_t now_ms, const char **error)
{
    struct store *s = calloc(1, sizeof *s);
    *error = "no memory for the spool";
    if (!s) return NULL;
    s->o = *o;
    if (s->o.segment_octets == 0) s->o.segment_octets = LIMIT_SEGMENT_OCTETS;
    s->salt = o->salt;
    s->now_ms = now_ms;
    s->next_number = 1;
    s->checkpoint.file = -1;
    if (!allocate(s) || !store_recover(s, error)) {
        int keep = errno;
        store_close(&s);
        errno = keep;
        return NULL;
    }
    return s;
}

void store_close(struct store **sp)
{
    struct store *s = *sp;
    if (!s) return;
    preparer_destroy(&s->preparer);
    checkpoint_close(s);
    uint64_t id = 0;
    struct open_message *open;
    while ((open = id_map_after(&s->open, 0, &id)))
        store_forget_open(s, open);
    id_map_destroy(&s->open);
    for (int i = 0; i < 2; i++) {
        for (uint32_t f = 0; f < s->batches[i].n_finished; f++)
            index_free(&s->index, s->batches[i].finished[f]);
        free(s->batches[i].p);
        free(s->batches[i].commits);
        free(s->batches[i].finished);
    }
    free(s->large_buffer);
    free(s->scratch);
    free(s->damages);
    index_destroy(&s->index);
    schedule_destroy(&s->schedule);
    segments_destroy(&s->segments, &s->o.disk);
    free(s);
    *sp = NULL;
}

bool store_stop(struct store **sp, uint64_t now_ms)
{
    struct store *s = *sp;
    bool clean = store_flush(s, now_ms) && !s->stuck && (!s->log || s->log->state == SEGMENT_ACTIVE);
    preparer_destroy(&s->preparer); /* its helper renames and removes */
    if (clean) checkpoint_finish(s);
    clean = clean && clean_write(s);
    store_close(sp);
    return clean;
}

void store_pin_extents(struct store *s, const struct extent *extents, uint32_t n, int sign)
{
    for (uint32_t i = 0; i < n; i++) {
        struct segment *g = segments_find(&s->segments, extents[i].segment);
        if (!g) continue;
        g->bodies += (uint32_t)sign;
        g->live_octets += (uint64_t)((int64_t)extents[i].length * sign);
    }
}

void store_pin(struct store *s, const struct message *m, int sign)
{
    struct segment *home = segments_find(&s->segments, m->home);
    if (home) {
        home->live += (uint32_t)sign;
        home->live_octets += (uint64_t)((int64_t)m->envelope_length * sign);
    }
    store_pin_extents(s, message_extents(m), m->n_extents, sign);
    if (sign < 0) s->recheck = true;
}

static struct open_message *open_new(struct store *s, uint64_t id, uint32_t owner)
{
    if (s->open.count >= LIMIT_OPEN_MESSAGES) return NULL; /* an edge that was taken over opens without end */
    struct open_message *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    o->id = id;
    o->owner = owner;
    if (id_map_insert(&s->open, id, o)) return o;
    free(o);
    return NULL;
}

void store_forget_open(struct store *s, struct open_message *o)
{
    (void)id_map_remove(&s->open, o->id);
    store_pin_extents(s, o->extents, o->n_extents, -1);
    s->recheck = true;
    free(o->extents);
    free(o);
}

void store_abort(struct store *s, uint64_t id, uint32_t owner)
{
    struct open_message *o = id_map_find(&s->open, id);
    if (o && o->owner == owner) store_forget_open(s, o);
}

void store_abort_owner(struct store *s, uint32_t owner)
{
    uint64_t id = 0;
    struct open_message *o;
    while ((o = id_map_after(&s->open, id, &id)))
        if (o->owner == owner) store_forget_open(s, o);
}

static uint64_t sum(const struct span *parts, uint32_t n)
{
    uint64_t octets = 0;
    for (uint32_t i = 0; i < n; i++)
        octets += parts[i].n;
    return octets;
}

static bool id_free(const struct store *s, uint64_t id)
{
    return id != 0 && id != UINT64_MAX && !id_map_find(&s->index.map, id);
}

/* Copies the parts into the record; the CRC is that of the copy, which nobody else can change. */
static void put_parts(struct store *s, struct slot *slot, const struct span *parts, uint32_t n,
                      struct extent *ret)
{
    size_t at = 0;
    uint32_t crc = 0;
    for (uint32_t i = 0; i < n; i++) {
        crc = crc32c_copy(crc, slot->payload + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    journal_end(s, slot, crc);
    *ret = (struct extent){s->log->number, slot->record.length, slot->offset, crc};
}

static bool log_add(struct store *s, struct open_message *o, const struct span *parts, uint32_t n,
                    uint32_t octets)
{
    struct extent e;
    if (journal_room(s, record_octets(octets), false) != STORE_DURABLE) return false;
    struct slot body = journal_begin(s, RECORD_BODY, 0, o->id, octets);
    put_parts(s, &body, parts, n, &e);
    if (!large_extent_add(o, &e)) return false;
    store_pin_extents(s, &e, 1, 1);
    o->content_octets += octets;
    return true;
}

/* The beginning of a streamed message goes to the log, where it shares syncs with others; what follows to a large segment. */
static bool add_content(struct store *s, struct open_message *o, const struct span *parts, uint32_t n)
{
    uint64_t octets = sum(parts, n), most = s->batch_max / 4;
    if (octets == 0) return true;
    if (octets <= most && o->content_octets + octets <= LIMIT_STREAM_LOG_OCTETS &&
        o->content_octets + octets <= 2 * most)
        return log_add(s, o, parts, n, (uint32_t)octets);
    return large_add(s, o, parts, n);
}

enum store_status store_chunk(struct store *s, uint64_t id, uint32_t owner, const struct span *parts,
                              uint32_t n)
{
    struct open_message *o = id_map_find(&s->open, id);
    if (o && o->owner != owner) return STORE_REFUSED;
    if (!o) {
        if (!id_free(s, id)) return STORE_REFUSED;
        o = open_new(s, id, owner);
        if (!o) return STORE_FAILED;
    }
    if (o->content_octets + sum(parts, n) > LIMIT_MESSAGE_OCTETS_MAX) o->broken = true;
    if (!o->broken && !add_content(s, o, parts, n)) o->broken = true;
    if (!o->broken) return STORE_PENDING;
    return s->full ? STORE_FULL : STORE_FAILED; /* and its commit will be answered so */
}

struct submission {
    uint64_t id, token, content_octets, now_ms;
    const struct span *envelope, *content;
    uint32_t n_envelope, n_content;
    uint64_t envelope_octets, rest_octets; /* rest: content in this message */
    struct open_message *open;             /* null: all content is here and goes into the log */
    bool large;                            /* some of it lies in a large segment */
};

static uint64_t arrival_of(struct span envelope, uint64_t now_ms)
{
    struct wire w = wire_on(envelope);
    struct envelope_head head;
    if (!envelope_read_head(&w, &head) || head.arrival_ms > now_ms) return now_ms;
    return now_ms - head.arrival_ms > (uint64_t)LIMIT_MESSAGE_SECONDS_DEFAULT * 1000 ? now_ms
                                                                                     : head.arrival_ms;
}

/* The three records of a message, in one batch. False: the envelope is malformed or memory is short; nothing stays. */
static bool write_records(struct store *s, const struct submission *u, enum store_status *why)
{
    struct batch *b = s->batch;
    struct journal_mark mark = journal_mark(s);
    struct extent whole = {0}, place;
    const struct extent *extents = u->open ? u->open->extents : &whole;
    struct commit_payload c = {.content_octets = u->content_octets,
                               .count = u->open ? u->open->n_extents : 0};
    if (!u->open && u->rest_octets) {
        struct slot body = journal_begin(s, RECORD_BODY, 0, u->id, (uint32_t)u->rest_octets);
        put_parts(s, &body, u->content, u->n_content, &whole);
        c.count = 1;
    }
    struct slot envelope = journal_begin(s, RECORD_ENVELOPE, 0, u->id, (uint32_t)u->envelope_octets);
    put_parts(s, &envelope, u->envelope, u->n_envelope, &place);
    struct span encoded = span_of(envelope.payload, place.length);
    uint32_t count;
    *why = STORE_REFUSED;
    if (!envelope_valid(encoded, LIMIT_RECIPIENTS_MAX, &count)) {
        journal_cut(s, mark);
        return false;
    }
    c.envelope_offset = (uint32_t)place.offset;
    c.envelope_length = place.length;
    c.arrival_ms = arrival_of(encoded, u->now_ms);
    struct slot commit = journal_begin(s, RECORD_COMMIT, 0, u->id, COMMIT_PAYLOAD_OCTETS(c.count));
    struct buf out = buf_on(commit.payload, commit.record.length);
    commit_payload_put(&out, &c, extents);
    journal_end_crc(s, &commit);
    *why = STORE_FAILED;
    struct message *m = index_build(&s->index, u->id, &c, encoded, extents);
    if (!m || !id_map_insert(&s->index.map, u->id, m)) {
        if (m) index_free(&s->index, m);
        journal_cut(s, mark);
        return false;
    }
    m->flags |= MESSAGE_PENDING;
    m->home = s->log->number;
    store_pin(s, m, 1);
    b->commits[b->n_commits++] =
        (struct pending){.message = m, .token = u->token, .record = commit.head, .large = u->large};
    return true;
}

/* No content lies behind the durable end of a log segment that failed. large: some lies in a large segment. */
static bool in_reach(const struct store *s, const struct open_message *o, bool *large)
{
    for (uint32_t i = 0; i < o->n_extents; i++) {
        const struct extent *e = &o->extents[i];
        const struct segment *g = segments_find(&s->segments, e->segment);
        if (!g) return false;
        if (g->kind == SEGMENT_LARGE) *large = true;
        if (g->kind == SEGMENT_LOG && g != s->log && e->offset + e->length > g->end) return false;
    }
    return true;
}

static enum store_status check(struct store *s, struct submission *u, uint32_t owner)
{
    u->open = id_map_find(&s->open, u->id);
    if (u->open && u->open->owner != owner) {
        u->open = NULL; /* another's: stays */
        return STORE_REFUSED;
    }
    uint64_t before = u->open ? u->open->content_octets : 0;
    if (!id_free(s, u->id) || u->envelope_octets > LIMIT_ENVELOPE_OCTETS || u->envelope_octets == 0)
        return STORE_REFUSED;
    if (s->index.map.count >= LIMIT_QUEUE_MESSAGES) return STORE_FULL;
    if (u->open && u->open->broken) return s->full ? STORE_FULL : STORE_FAILED;
    if (before + u->rest_octets != u->content_octets || u->content_octets > LIMIT_MESSAGE_OCTETS_MAX)
        return STORE_REFUSED;
    uint64_t most = s->batch_max / 4 < LIMIT_LARGE_BODY_OCTETS ? s->batch_max / 4 : LIMIT_LARGE_BODY_OCTETS;
    if (!u->open && u->rest_octets > most) {
        u->open = open_new(s, u->id, owner);
        if (!u->open) return STORE_FAILED;
    }
    if (u->open && !add_content(s, u->open, u->content, u->n_content))
        return s->full ? STORE_FULL : STORE_FAILED;
    if (u->open && !in_reach(s, u->open, &u->large)) return STORE_FAILED;
    return STORE_PENDING;
}

enum store_status store_commit(struct store *s, uint64_t id, uint32_t owner, uint64_t token,
                               const struct span *parts, uint32_t n_envelope, uint32_t n,
                               uint64_t content_octets, uint64_t now_ms)
{
    struct submission u = {.id = id,
                           .token = token,
                           .content_octets = content_octets,
                           .now_ms = now_ms,
                           .envelope = parts,
                           .content = parts + n_envelope,
                           .n_envelope = n_envelope,
                           .n_content = n - n_envelope,
                           .envelope_octets = sum(parts, n_envelope),
                           .rest_octets = sum(parts + n_envelope, n - n_envelope)};
    s->now_ms = now_ms;
    enum store_status status = check(s, &u, owner);
    if (status == STORE_PENDING) {
        if (s->batch->n_commits == LIMIT_BATCH_MESSAGES) (void)journal_flush(s);
        uint64_t extents = u.open ? u.open->n_extents : 1;
        status = journal_room(s,
                              record_octets(u.open ? 0 : u.rest_octets) + record_octets(u.envelope_octets) +
                                  record_octets(COMMIT_PAYLOAD_OCTETS(extents)),
                              false);
        if (status == STORE_DURABLE && u.open && !in_reach(s, u.open, &u.large)) status = STORE_FAILED;
        if (status == STORE_DURABLE) status = write_records(s, &u, &status) ? STORE_PENDING : status;
    }
    if (u.open) store_forget_open(s, u.open); /* the message has taken over its extents, or it is refused */
    if (status != STORE_PENDING) s->refused++;
    return status;
}

bool store_flush(struct store *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    return journal_flush(s);
}

bool store_dirty(const struct store *s)
{
    return s->batch->urgent || s->batch->n >= LIMIT_LARGE_BODY_OCTETS;
}

uint32_t store_waiting(const struct store *s)
{
    return s->batch->n_commits;
}

bool store_writable(const struct store *s)
{
    if (s->stuck) return false;
    if (!s->full || s->n_ready[SEGMENT_LOG] > 0 || !s->log) return true;
    return s->log->end + record_align(s->batch->n, RECORD_BATCH_ALIGN) + LIMIT_STATE_HISTORY_OCTETS * 2 <
           s->o.segment_octets;
}

void store_maintain(struct store *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->stuck && now_ms >= s->stuck_until_ms) (void)journal_recover_failed(s);
    large_prepare(s);
    store_place_step(s);
    if (!s->stuck) recycle_step(s);
    checkpoint_step(s);
}

struct store_counters store_counters(const struct store *s)
{
    struct store_counters c = {.messages = s->index.messages,
                               .recipients = s->index.recipients,
                               .queued = s->index.queued,
                               .deferred = s->index.deferred,
                               .held = s->index.held,
                               .committed = s->committed,
                               .refused = s->refused,
                               .finished = s->finished,
                               .batches = s->n_batches,
                               .octets_written = s->octets_written,
                               .syncs = s->syncs,
                               .damaged = s->n_damages + s->more_damages,
                               .memory_octets = s->index.slab.used,
                               .checkpoints = s->checkpoint.written,
                               .checkpoint_octets = s->checkpoint.there ? s->checkpoint.size : 0,
                               .from_checkpoint = s->checkpoint.loaded,
                               .full = s->full,
                               .stuck = s->stuck};
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *g = s->segments.all[i];
        if (g->state == SEGMENT_PREPARED)
            c.spare_segments++;
        else if (g->kind == SEGMENT_LOG)
            c.segments++;
        else
            c.large_segments++;
    }
    return c;
}
