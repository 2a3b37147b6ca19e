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
    (void)to;
    w->report->damaged++;
    w->report->problem(w->report->context, w->g->number, from, id, text);
}

static void verify_segment(struct store *s, struct segment *g, struct verify_report *report)
{
    uint8_t *p = malloc(g->end ? g->end : 1);
    struct walk w = {s, g, report};
    int file = segment_read_file(&s->segments, &s->o.disk, g);
    int64_t got = p && file >= 0 ? s->o.disk.ops->read(s->o.disk.context, file, p, g->end, 0) : -1;
    report->segments++;
    if (got != (int64_t)g->end) {
        on_damage(&w, 0, g->end, 0, "the segment cannot be read to its durable end");
    } else {
        struct scan c = {.p = p,
                         .n = g->end,
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
            report->damaged++;
            report->problem(report->context, e->segment, e->offset, m->id, "content is damaged or missing");
        }
        free(p);
    }
}

bool store_verify(struct store *s, uint64_t *cursor, struct verify_report *report)
{
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
