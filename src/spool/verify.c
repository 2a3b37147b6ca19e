/* verify: reads everything again and checks it, in bounded steps. The cursor counts: first the log segments by number, then the
 * messages by id (their content in large segments, which no scan sees). */
#include "spool/store_private.h"

#include "base/crc32c.h"
#include "spool/scan.h"

#include <stdlib.h>

#define CURSOR_MESSAGES (UINT64_C(1) << 33) /* above any segment number: the ids follow */
#define STEP_OCTETS     16777216            /* of content in one step */

struct walk {
    struct store *s;
    const struct segment *g;
    struct verify_report *report;
};

static void found(struct store *s, struct verify_report *report, uint32_t segment, uint64_t from, uint64_t to,
                  uint64_t id, const char *text)
{
    store_damage(s, segment, from, to, id, text);
    report->damaged++;
    report->problem(report->context, segment, from, id, text);
}

static void on_record(void *context, size_t offset, const struct record *r, struct span payload)
{
    struct walk *w = context;
    (void)offset;
    (void)r;
    (void)payload;
    w->report->records++;
}

static void on_damage(void *context, size_t from, size_t to, uint64_t id, const char *text)
{
    struct walk *w = context;
    if (!damage_known(w->s, w->g->number, from, to)) found(w->s, w->report, w->g->number, from, to, id, text);
}

/* What recovery and reading have found; most of it is seen again by the scan, some (a missing file) only here. */
static void report_known(struct store *s, struct verify_report *report)
{
    for (uint32_t i = 0; i < s->n_damages; i++) {
        const struct damage *d = &s->damages[i];
        report->damaged++;
        report->problem(report->context, d->segment, d->from, d->id, d->text);
    }
}

static void verify_segment(struct store *s, struct segment *g, struct verify_report *report)
{
    uint8_t *p = malloc(g->end ? g->end : 1);
    struct walk w = {s, g, report};
    int file = segment_read_file(&s->segments, &s->o.disk, g);
    int64_t got = p && file >= 0 ? s->o.disk.ops->read(s->o.disk.context, file, p, g->end, 0) : -1;
    report->segments++;
    if (got < 0) {
        on_damage(&w, 0, g->end ? g->end : 1, 0, "a segment cannot be read");
    } else {
        memset(p + got, 0, g->end - (size_t)got);
        struct scan c = {.p = p,
                         .n = g->end,
                         .file = got ? (size_t)got : 1,
                         .epoch = g->number,
                         .salt = s->salt,
                         .how = SCAN_EXACT,
                         .context = &w,
                         .record = on_record,
                         .damage = on_damage};
        scan_segment(&c);
    }
    free(p);
}

static void verify_content(struct store *s, const struct message *m, struct verify_report *report)
{
    report->messages++;
    for (uint32_t i = 0; i < m->n_extents; i++) {
        const struct extent *e = &message_extents(m)[i];
        const struct segment *g = segments_find(&s->segments, e->segment);
        if (g && g->kind == SEGMENT_LOG) continue; /* seen by the scan */
        uint8_t *p = malloc(e->length ? e->length : 1);
        if (!p || !store_read_extent(s, e, p)) {
            if (p && !damage_extent_known(s, e))
                found(s, report, e->segment, e->offset - RECORD_HEAD_OCTETS, e->offset + e->length, m->id,
                      "content is damaged or missing");
        }
        free(p);
    }
}

bool store_verify(struct store *s, uint64_t *cursor, struct verify_report *report)
{
    if (*cursor == 0) report_known(s, report);
    if (*cursor < CURSOR_MESSAGES) {
        for (size_t i = 0; i < s->segments.n; i++) {
            struct segment *g = s->segments.all[i];
            if (g->number <= *cursor || g->kind != SEGMENT_LOG || g->state == SEGMENT_PREPARED ||
                g->state == SEGMENT_RECYCLING)
                continue;
            *cursor = g->number;
            verify_segment(s, g, report);
            return true;
        }
        *cursor = CURSOR_MESSAGES;
        return true;
    }
    uint64_t octets = 0, id = *cursor == CURSOR_MESSAGES ? 0 : *cursor;
    const struct message *m;
    while (octets < STEP_OCTETS && (m = store_after(s, id))) {
        verify_content(s, m, report);
        octets += m->content_octets;
        id = m->id;
    }
    *cursor = id;
    return octets >= STEP_OCTETS;
}
