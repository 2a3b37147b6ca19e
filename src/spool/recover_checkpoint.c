/* recover_checkpoint: a start that need not read all of the log (STATES.md, "The checkpoint"). */
#include "spool/recover_private.h"

void recover_forget(struct recovery *v)
{
    struct store *s = v->s;
    index_destroy(&s->index);
    s->index = (struct index){0};
    for (size_t i = 0; i < s->segments.n; i++) {
        s->segments.all[i]->n_needs = 0;
        if (v->loaded)
            s->segments.all[i]->damaged = false; /* there was none before: what there is is found again */
    }
    if (v->loaded) s->n_damages = 0;
    v->loaded = s->checkpoint.loaded = false;
    s->checkpoint.useless = true;
    if (!s->log) return;
    s->log->state = SEGMENT_SEALED; /* read again, as it was found */
    s->o.disk.ops->close(s->o.disk.context, s->log->file);
    s->log->file = -1;
    s->log = NULL;
}

/* P lies in the log, or its segment is not there any more, and the ends of all segments before it are known. */
static bool position_fits(const struct recovery *v)
{
    const struct segments *t = &v->s->segments;
    const struct segment *g = segments_find(t, v->from.segment);
    bool behind = false; /* the newest segment is always there: it is P's, or a later one */
    if (g && (g->kind != SEGMENT_LOG || g->state != SEGMENT_SEALED)) return false;
    for (size_t i = 0; i < t->n; i++) {
        const struct segment *other = t->all[i];
        if (other->kind != SEGMENT_LOG || other->state != SEGMENT_SEALED) continue;
        if (other->number >= v->from.segment)
            behind = true;
        else if (!v->end_known[i])
            return false;
    }
    return behind;
}

/* Octets of log behind P, as far as ends are known; the last segment is as long as a segment can be. */
static uint64_t log_behind(const struct recovery *v)
{
    const struct segments *t = &v->s->segments;
    uint64_t octets = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct segment *g = t->all[i];
        if (g->kind != SEGMENT_LOG || g->state != SEGMENT_SEALED || g->number < v->from.segment) continue;
        octets += v->end_known[i] ? g->end : segment_octets(v->s);
        if (g->number == v->from.segment) octets -= v->from.end < octets ? v->from.end : octets;
    }
    return octets;
}

void recover_load(struct recovery *v)
{
    struct store *s = v->s;
    bool read = checkpoint_read(s, &v->from, &v->error);
    v->loaded = read && s->n_damages == 0 && position_fits(v);
    if (!v->loaded) {
        recover_forget(v);
        return;
    }
    s->checkpoint.loaded = true;
    s->checkpoint.done = s->octets_written - log_behind(v);
}

/* A message that was finished or moved since, and whose home was recycled: nothing in the log needs to say so any more. */
static void forget_homeless(struct store *s)
{
    uint64_t id = 0;
    struct message *m;
    while ((m = id_map_after(&s->index.map, id, &id))) {
        const struct segment *home = segments_find(&s->segments, m->home);
        if (home && home->kind == SEGMENT_LOG && home->end > 0) continue;
        (void)id_map_remove(&s->index.map, id);
        index_forget_reasons(&s->index, m);
        index_free(&s->index, m);
    }
}

bool recover_agrees(const struct recovery *v)
{
    const struct segment *first = segments_find(&v->s->segments, v->from.segment);
    if (v->s->n_damages || (first && first->end < v->from.end)) return false;
    forget_homeless(v->s);
    return true;
}
