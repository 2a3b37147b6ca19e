/* replay: what each record of the log does to the index that is being recovered. */
#include "spool/recover_private.h"

#include "base/crc32c.h"

#include <errno.h>

static void damaged(struct recovery *v, uint64_t from, uint64_t to, uint64_t id, const char *text)
{
    v->g->damaged = true;
    damage_note(v->s, v->g->number, from, to, id, text);
}

void recover_damage(void *context, size_t from, size_t to, uint64_t id, const char *text)
{
    damaged(context, from, to, id, text);
}

/* Does an intact record with that payload stand there? `seen` is one that was just checked. */
static bool stands(const struct recovery *v, uint64_t offset, uint32_t length, enum record_type type,
                   uint64_t id, size_t seen)
{
    struct record r;
    if (offset < RECORD_HEAD_OCTETS || offset > v->n || length > v->n - offset) return false;
    size_t head = (size_t)offset - RECORD_HEAD_OCTETS;
    if (!record_head_read(v->p + head, v->g->number, v->s->salt, &r)) return false;
    if (r.type != type || r.id != id || r.length != length) return false;
    return head == seen || crc32c(0, v->p + offset, length) == r.payload_crc;
}

/* The first extent in this segment that is not there, or null. */
static const struct extent *content_bad(const struct recovery *v, uint64_t id, const struct extent *extents,
                                        uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct extent *e = &extents[i];
        if (e->segment == v->g->number && !stands(v, e->offset, e->length, RECORD_BODY, id, v->body))
            return e;
    }
    return NULL;
}

static struct message *moved(struct recovery *v, struct message *m, const struct commit_payload *c,
                             const struct extent *extents)
{
    if (m->n_extents != c->count) {
        struct message *fresh = index_resize(&v->s->index, m, m->n_recipients, c->count, 0);
        if (!fresh) return NULL;
        m = fresh;
    }
    if (c->count) memcpy(message_extents(m), extents, c->count * sizeof *extents);
    m->envelope_offset = c->envelope_offset;
    return m;
}

static void on_commit(struct recovery *v, size_t offset, const struct record *r, struct span payload)
{
    struct store *s = v->s;
    struct commit_payload c;
    uint32_t count;
    if (!commit_payload_read(payload, &c)) {
        damaged(v, offset, record_next(offset, r), r->id, "the commit of a message is malformed");
        return;
    }
    if (!stands(v, c.envelope_offset, c.envelope_length, RECORD_ENVELOPE, r->id, v->envelope) ||
        !envelope_valid(span_of(v->p + c.envelope_offset, c.envelope_length), LIMIT_MESSAGE_RECIPIENTS,
                        &count)) {
        damaged(v, c.envelope_offset - RECORD_HEAD_OCTETS, (uint64_t)c.envelope_offset + c.envelope_length,
                r->id, "the envelope of a message is damaged: it cannot be delivered");
        return;
    }
    struct extent *extents = (struct extent *)(void *)s->scratch;
    struct wire w = wire_on(c.extents);
    for (uint32_t i = 0; i < c.count; i++)
        extents[i] = extent_read(&w);
    struct message *m = id_map_find(&s->index.map, r->id);
    if (m && !(r->flags & RECORD_MOVED) && m->flags & MESSAGE_LOADED) return; /* the checkpoint knew it */
    if (m && !(r->flags & RECORD_MOVED)) {
        damaged(v, offset, record_next(offset, r), r->id, "a message was committed twice");
        return;
    }
    bool fresh = !m;
    m = m ? moved(v, m, &c, extents)
          : index_build(&s->index, r->id, &c, span_of(v->p + c.envelope_offset, c.envelope_length), extents);
    if (!m || (fresh && !id_map_insert(&s->index.map, r->id, m))) {
        v->error = ENOMEM;
        return;
    }
    m->home = v->g->number;
    m->flags &= (uint8_t)~MESSAGE_DAMAGED;
    const struct extent *bad = content_bad(v, r->id, extents, c.count);
    if (bad) {
        m->flags |= MESSAGE_DAMAGED;
        damaged(v, bad->offset - RECORD_HEAD_OCTETS, bad->offset + bad->length, r->id,
                "the content of a message is damaged: it is kept on hold");
    }
}

static void kill(struct recovery *v, struct message *m)
{
    index_forget_reasons(&v->s->index, m);
    (void)id_map_remove(&v->s->index.map, m->id);
    index_free(&v->s->index, m);
}

static void on_state(struct recovery *v, size_t offset, const struct record *r, struct span payload)
{
    struct store *s = v->s;
    struct state_payload state;
    if (!state_payload_read(payload, &state)) {
        damaged(v, offset, record_next(offset, r), r->id, "a state is malformed");
        return;
    }
    if (r->flags & RECORD_LAST) segment_need(v->g, state.home);
    struct message *m = id_map_find(&s->index.map, r->id);
    if (!m || m->home != state.home) return;
    if (r->flags & RECORD_LAST) {
        kill(v, m);
        return;
    }
    uint32_t wanted = state.recipient + 1;
    bool derives = state.state == RECIPIENT_EXPANDED &&
                   (state.recipient >= m->n_recipients ||
                    message_recipients(m)[state.recipient].state != RECIPIENT_EXPANDED);
    if (derives && state.first + state.count > wanted) wanted = state.first + state.count;
    if (wanted > m->n_recipients || derives) {
        m = index_grow(&s->index, m, wanted, derives ? state.derived.n + state.owner.n : 0);
        if (!m) {
            v->error = ENOMEM;
            return;
        }
    }
    struct recipient *to = &message_recipients(m)[state.recipient];
    if (derives) store_derive(m, &state);
    to->state = state.state;
    if (state.marks & STATE_DELAY_TOLD) to->flags |= RECIPIENT_DELAY_TOLD;
    to->attempts = state.attempts;
    if (state.state != RECIPIENT_EXPANDED)
        to->next_ms = state.next_ms; /* else store_derive has filled in the owner */
    to->state_segment = v->g->number;
    to->state_offset = (uint32_t)offset;
    store_know_reason(s, to, state.history);
}

static void on_hold(struct recovery *v, size_t offset, const struct record *r, struct span payload)
{
    struct hold_payload hold;
    struct message *m = id_map_find(&v->s->index.map, r->id);
    if (!hold_payload_read(payload, &hold) || !m || m->home != hold.home) return;
    index_hold(m, &hold);
    m->hold_segment = v->g->number;
    m->hold_offset = (uint32_t)offset;
}

void recover_record(void *context, size_t offset, const struct record *r, struct span payload)
{
    struct recovery *v = context;
    if (v->error) return;
    if (v->loaded && v->g->number == v->from.segment && offset < v->from.end) return;
    if (r->type == RECORD_BODY) v->body = offset;
    if (r->type == RECORD_ENVELOPE) v->envelope = offset;
    if (r->type == RECORD_COMMIT) on_commit(v, offset, r, payload);
    if (r->type == RECORD_STATE) on_state(v, offset, r, payload);
    if (r->type == RECORD_HOLD) on_hold(v, offset, r, payload);
    if (r->type != RECORD_TOMBSTONE) return;
    struct wire w = wire_on(payload);
    struct tombstone t;
    while (tombstone_read(&w, &t)) {
        struct message *m = id_map_find(&v->s->index.map, t.id);
        segment_need(v->g, t.home);
        if (m && m->home == t.home) kill(v, m);
    }
}
