/* recover: the index out of the segments, after a start or a crash (STATES.md, "Crash points"). */
#include "spool/recover_private.h"

#include <errno.h>
#include <stdlib.h>

static void found(void *context, const char *name)
{
    struct recovery *v = context;
    enum segment_name what;
    uint32_t number;
    if (v->error || !segment_name_read(name, &what, &number)) return; /* other files are not ours to touch */
    if (number > v->highest) v->highest = number;
    if (what == NAME_NEW) {
        uint32_t *grown = realloc(v->stale, (v->n_stale + 1) * sizeof *grown);
        if (!grown) {
            v->error = ENOMEM;
            return;
        }
        v->stale = grown;
        v->stale[v->n_stale++] = number;
    } else if (!segments_add(&v->s->segments, number, what == NAME_LOG ? SEGMENT_LOG : SEGMENT_LARGE,
                             SEGMENT_PREPARED)) {
        v->error = EEXIST;
    }
}

/* Everything is read once: past the page cache, if the disk can, whether it can be written on or not. The cache may still have what a
 * failed sync has lost, and an earlier start has cut. */
static int64_t read_whole(struct recovery *v, struct segment *g, size_t most)
{
    const struct disk *d = &v->s->o.disk;
    char name[DISK_NAME_OCTETS];
    segment_name_put(name, segment_name_of(g->kind), g->number);
    int file = d->ops->open(d->context, name, DISK_READ_PAST);
    int64_t got = file < 0 ? file : d->ops->read(d->context, file, v->p, most, 0);
    if (file >= 0) d->ops->close(d->context, file);
    if (got != -EINVAL) return got;
    file = segment_read_file(&v->s->segments, d, g); /* cut from outside: its end is not aligned */
    return file < 0 ? file : d->ops->read(d->context, file, v->p, most, 0);
}

static bool load(struct recovery *v, struct segment *g, size_t most)
{
    most = record_align(most < v->max ? most : v->max, DISK_ALIGN);
    int64_t got = read_whole(v, g, most);
    if (got < 0) {
        damage_note(v->s, g->number, 0, LIMIT_SEGMENT_OCTETS, 0, "a segment cannot be read");
        g->damaged = true;
        got = 0;
    }
    v->n = (size_t)got;
    v->g = g;
    return !g->damaged;
}

static void know_end(struct recovery *v, const struct segment *g, uint32_t end)
{
    struct segments *t = &v->s->segments;
    for (size_t k = 0; k < t->n; k++)
        if (t->all[k] == g) {
            t->all[k]->end = end;
            v->end_known[k] = true;
        }
}

static void read_manifest(struct recovery *v, struct span payload, bool rows_count)
{
    struct wire w = wire_on(payload);
    enum segment_kind kind;
    uint32_t rows;
    uint64_t salt;
    if (!segment_payload_read(&w, &kind, &salt, &rows)) return;
    if (salt != v->s->salt) v->s->salt_kept = false; /* the file is wrong, or not there */
    v->s->salt = salt;
    v->s->salt_known = true;
    for (uint32_t i = 0; i < rows && rows_count; i++) {
        struct segment_end row = segment_row_read(&w);
        const struct segment *g = segments_find(&v->s->segments, row.number);
        if (g && g->kind == SEGMENT_LOG && row.end <= v->max) know_end(v, g, row.end);
    }
}

/* A recycled segment that was not used yet begins with the SEGMENT record of its older epoch. */
static void read_old_head(struct recovery *v)
{
    struct record r;
    struct span payload;
    uint32_t epoch;
    if (v->s->salt_known || v->n < RECORD_HEAD_OCTETS) return;
    memcpy(&epoch, v->p + RECORD_EPOCH_AT, sizeof epoch);
    if (scan_head(v->p, v->n, epoch, &r, &payload)) read_manifest(v, payload, false);
}

static bool zeros(const uint8_t *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* A log segment without an intact SEGMENT record: prepared, or damaged at its beginning? */
static void judge_headless(struct recovery *v, struct segment *g, size_t place)
{
    struct store *s = v->s;
    if (v->end_known[place] || !load(v, g, v->max)) {
        if (g->end > 0) g->state = SEGMENT_SEALED; /* a later SEGMENT record knew it */
        return;
    }
    if (s->salt_known) {
        if (scan_proves_use(v->p, v->n, 0, g->number, s->salt)) g->state = SEGMENT_SEALED;
    } else if (!zeros(v->p, v->n)) {
        damage_note(s, g->number, 0, v->n, 0, "the salt is lost: what is in a segment cannot be told");
        g->damaged = true;
        g->state = SEGMENT_SEALED;
        g->end = (uint32_t)v->n;
    }
}

/* Which log segments are in use. */
static void read_heads(struct recovery *v)
{
    struct segments *t = &v->s->segments;
    struct record r;
    struct span payload;
    for (size_t i = 0; i < t->n; i++) {
        struct segment *g = t->all[i];
        if (g->kind != SEGMENT_LOG ||
            !load(v, g, RECORD_HEAD_OCTETS + SEGMENT_PAYLOAD_OCTETS(LIMIT_SEGMENTS)))
            continue;
        if (!scan_head(v->p, v->n, g->number, &r, &payload)) {
            read_old_head(v);
            continue;
        }
        g->state = SEGMENT_SEALED;
        read_manifest(v, payload, true);
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->all[i]->kind == SEGMENT_LOG && t->all[i]->state == SEGMENT_PREPARED && !t->all[i]->damaged)
            judge_headless(v, t->all[i], i);
}

static const struct clean_row *row_of(const struct clean *c, uint32_t number)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->rows[i].number == number) return &c->rows[i];
    return NULL;
}

/* Was something written that the mark cannot know? Then it is a leftover. */
static bool mark_stale(struct recovery *v)
{
    struct segments *t = &v->s->segments;
    for (size_t i = 0; i < t->n; i++) {
        struct segment *g = t->all[i];
        const struct clean_row *row = row_of(&v->mark, g->number);
        if (g->kind != SEGMENT_LOG || g->state != SEGMENT_SEALED || g->damaged) continue;
        if ((row && g->number != v->mark.active) || !load(v, g, v->max)) continue;
        if (scan_proves_use(v->p, v->n, row ? row->end : 0, g->number, v->s->salt)) return true;
    }
    return false;
}

static int64_t file_octets(struct recovery *v, struct segment *g)
{
    int file = segment_read_file(&v->s->segments, &v->s->o.disk, g);
    return file < 0 ? file : v->s->o.disk.ops->size(v->s->o.disk.context, file);
}

static void apply_mark(struct recovery *v)
{
    struct store *s = v->s;
    if (mark_stale(v)) {
        s->mark_holds = false;
        return;
    }
    for (uint32_t i = 0; i < v->mark.n; i++) {
        const struct clean_row *row = &v->mark.rows[i];
        struct segment *g = segments_find(&s->segments, row->number);
        if (row->number >= s->next_number && row->number < UINT32_MAX) s->next_number = row->number + 1;
        if (!g || g->kind != row->kind) {
            damage_note(s, row->number, 0, 1, 0, "a segment that was there at the clean stop is missing");
            continue;
        }
        if (g->kind == SEGMENT_LOG && row->end <= v->max) {
            know_end(v, g, row->end);
            if (row->end > 0) g->state = SEGMENT_SEALED;
        }
        int64_t size = g->kind == SEGMENT_LARGE ? file_octets(v, g) : row->end;
        if (size < (int64_t)row->end)
            damage_note(s, g->number, size < 0 ? 0 : (uint64_t)size, row->end, 0,
                        "a large segment is shorter than its durable end");
    }
}

static void check_count(struct recovery *v)
{
    struct store *s = v->s;
    if (s->mark_holds && s->n_damages == 0 && s->index.messages != v->mark.messages)
        damage_note(s, v->mark.active, 0, 1, 0, "not as many messages are here as at the clean stop");
}

static size_t largest(struct store *s)
{
    int64_t most = segment_octets(s);
    for (size_t i = 0; i < s->segments.n; i++) {
        int file = segment_read_file(&s->segments, &s->o.disk, s->segments.all[i]);
        int64_t size = file < 0 ? 0 : s->o.disk.ops->size(s->o.disk.context, file);
        if (size > most) most = size;
    }
    return most > LIMIT_SEGMENT_OCTETS ? LIMIT_SEGMENT_OCTETS : (size_t)most;
}

static void measure_large(struct recovery *v)
{
    const struct disk *d = &v->s->o.disk;
    for (size_t i = 0; i < v->s->segments.n; i++) {
        struct segment *g = v->s->segments.all[i];
        if (g->kind != SEGMENT_LARGE) continue;
        int file = segment_read_file(&v->s->segments, d, g);
        int64_t size = file < 0 ? 0 : d->ops->size(d->context, file);
        g->state = SEGMENT_SEALED;
        g->end = g->written = size < 0 ? 0 : size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
    }
}

/* The last segment is used on when its tail is clean, else sealed where it was cut. known: by the mark. */
static void use_on(struct recovery *v, const struct scan *c, bool known)
{
    struct store *s = v->s;
    struct segment *g = v->g;
    const struct disk *d = &s->o.disk;
    char name[DISK_NAME_OCTETS];
    if (!known) g->end = (uint32_t)c->end;
    segment_name_put(name, NAME_LOG, g->number);
    int file = d->ops->open(d->context, name, DISK_WRITE);
    int error = file < 0 ? file : d->ops->sync(d->context, file);
    if (error) {
        store_say(s, ALARM_WRITE_FAILED, g->number, c->end, 0, -error,
                  "the last segment cannot be written on");
        g->spoiled = true;
        /* What was read may be lost with the sync that failed: the next start reads what is really there. A disk that cannot be
         * written on has nothing to lose. */
        if (error != -EROFS) v->error = -error;
    }
    bool room = c->end + segment_octets(s) / 8 <= segment_octets(s) &&
                file_octets(v, g) == (int64_t)segment_octets(s);
    bool clean = known ? g->number == v->mark.active && c->end == g->end : c->clean;
    if (!error && c->whole && clean && !g->damaged && room && c->end > 0) {
        g->state = SEGMENT_ACTIVE;
        g->file = file;
        s->log = g;
        s->batch_number = (uint16_t)(c->batch + 1);
        return;
    }
    if (file >= 0) d->ops->close(d->context, file);
}

static void scan_all(struct recovery *v)
{
    struct store *s = v->s;
    struct segments *t = &s->segments;
    size_t last = t->n;
    for (size_t i = 0; i < t->n; i++)
        if (t->all[i]->kind == SEGMENT_LOG && t->all[i]->state == SEGMENT_SEALED) last = i;
    for (size_t i = 0; i < t->n && !v->error; i++) {
        struct segment *g = t->all[i];
        if (g->kind != SEGMENT_LOG || g->state != SEGMENT_SEALED) continue;
        bool known = v->end_known[i] && (i != last || s->mark_holds);
        if (v->loaded && g->number < v->from.segment) continue; /* its end is known */
        if (!load(v, g, known ? g->end : v->max)) continue;
        size_t octets = v->n;
        if (known) {
            if (octets < g->end) memset(v->p + octets, 0, g->end - octets);
            v->n = g->end;
        }
        v->body = v->envelope = SIZE_MAX;
        struct scan c = {.p = v->p,
                         .n = v->n,
                         .file = octets ? octets : 1,
                         .epoch = g->number,
                         .salt = s->salt,
                         .how = known       ? SCAN_EXACT
                                : i == last ? SCAN_LAST
                                            : SCAN_OPEN,
                         .context = v,
                         .record = recover_record,
                         .damage = recover_damage};
        if (!g->damaged) scan_segment(&c);
        if (i == last)
            use_on(v, &c, known);
        else if (!known)
            g->end = (uint32_t)c.end;
        damage_tell(s);
    }
}

/* Prepared segments get fresh numbers: a torn first batch may have left records of the old one in them. */
static void renumber(struct recovery *v)
{
    struct store *s = v->s;
    unsigned kept = 0;
    for (size_t i = 0; i < s->segments.n; i++) {
        struct segment *g = s->segments.all[i];
        if (g->kind != SEGMENT_LOG || g->state != SEGMENT_PREPARED || g->damaged) continue;
        int file = segment_read_file(&s->segments, &s->o.disk, g);
        bool fits = file >= 0 && s->o.disk.ops->size(s->o.disk.context, file) == (int64_t)segment_octets(s);
        bool keep = fits && kept < LIMIT_SEGMENTS_SPARE / 2;
        struct prepare_job job = {.what = keep ? PREPARE_RECYCLE : PREPARE_REMOVE,
                                  .kind = g->kind,
                                  .number = s->next_number,
                                  .old = g->number};
        segment_close(&s->segments, &s->o.disk, g);
        if (!preparer_ask(s->preparer, &job)) return; /* at the next start */
        g->state = SEGMENT_RECYCLING;
        if (!keep) continue;
        kept++;
        s->next_number++;
        s->asked[SEGMENT_LOG]++;
    }
}

/* Content in other segments: only now, since those of finished messages may be gone. */
static void check_content(struct store *s, struct message *m)
{
    for (uint32_t i = 0; i < m->n_extents; i++) {
        const struct extent *e = &message_extents(m)[i];
        const struct segment *g = segments_find(&s->segments, e->segment);
        bool there = g && e->offset <= g->end && e->length <= g->end - e->offset;
        if (there && !damage_extent_known(s, e)) continue;
        m->flags |= MESSAGE_DAMAGED;
        damage_note(s, e->segment, e->offset - RECORD_HEAD_OCTETS, e->offset + e->length, m->id,
                    "content of a message is missing: it is kept on hold");
    }
}

static void settle_message(struct store *s, struct message *m)
{
    struct hold_payload hold;
    bool from_checkpoint = m->flags & MESSAGE_RELEASED && m->released_seconds == 0; /* it does not say when */
    if (from_checkpoint && store_read_holds(s, m, &hold)) index_hold(m, &hold);
    m->flags &= (uint8_t)~MESSAGE_LOADED;
    check_content(s, m);
    m->n_open = 0;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &message_recipients(m)[i];
        if (!recipient_final(r->state)) m->n_open++;
        struct segment *g = r->state_segment ? segments_find(&s->segments, r->state_segment) : NULL;
        if (g) segment_need(g, m->home);
    }
    struct segment *g = m->hold_segment ? segments_find(&s->segments, m->hold_segment) : NULL;
    if (g) segment_need(g, m->home);
    store_pin(s, m, 1);
    index_count_all(&s->index, m, 1);
    store_place_message(s, m);
}

static void settle(struct store *s)
{
    uint64_t id = 0;
    struct message *m;
    while ((m = id_map_after(&s->index.map, id, &id)))
        settle_message(s, m);
    s->recheck = true;
}

static bool run(struct recovery *v, const char **error)
{
    struct store *s = v->s;
    const struct disk *d = &s->o.disk;
    char name[DISK_NAME_OCTETS];
    *error = "the spool folder cannot be listed";
    int listed = d->ops->list(d->context, found, v);
    if (listed < 0 || v->error) {
        errno = listed < 0 ? -listed : v->error;
        return false;
    }
    *error = "no memory to recover the spool";
    (void)d->ops->unlink(d->context, CHECKPOINT_NAME_NEW);
    for (uint32_t i = 0; i < v->n_stale; i++) {
        segment_name_put(name, NAME_NEW, v->stale[i]);
        (void)d->ops->unlink(d->context, name); /* what stays is found again */
    }
    s->next_number = v->highest + 1;
    v->max = record_align(largest(s), DISK_ALIGN);
    v->p = aligned_alloc(DISK_ALIGN, v->max);
    v->end_known = calloc(s->segments.n + 1, sizeof *v->end_known);
    if (!v->p || !v->end_known) return false;
    clean_salt_read(s);
    if (clean_read(s, &v->mark)) {
        s->salt = v->mark.salt;
        s->salt_known = true;
    }
    read_heads(v);
    measure_large(v);
    if (s->mark_holds) apply_mark(v);
    recover_load(v);
    scan_all(v);
    if (v->loaded && !v->error && !recover_agrees(v)) {
        recover_forget(v);
        scan_all(v);
    }
    if (v->error) {
        if (v->error != ENOMEM) *error = "the end of the spool cannot be made durable";
        errno = v->error;
        return false;
    }
    renumber(v);
    settle(s);
    check_count(v);
    damage_tell(s);
    return true;
}

bool store_recover(struct store *s, const char **error)
{
    struct recovery v = {.s = s};
    bool fine = run(&v, error);
    free(v.p);
    free(v.end_known);
    free(v.stale);
    free(v.mark.rows);
    return fine;
}
