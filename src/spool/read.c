/* read: reading back what was written: envelopes, content, states. */
#include "spool/store_private.h"

#include "base/crc32c.h"

static bool read_at(struct store *s, uint32_t segment, uint64_t offset, uint8_t *to, size_t n)
{
    struct segment *g = segments_find(&s->segments, segment);
    if (!g) return false;
    if (g == s->log && offset >= g->end) { /* still in the batch */
        size_t at = (size_t)(offset - g->end);
        if (at > s->batch->n || n > s->batch->n - at) return false;
        memcpy(to, s->batch->p + at, n);
        return true;
    }
    int file = segment_read_file(&s->segments, &s->o.disk, g);
    return file >= 0 && s->o.disk.ops->read(s->o.disk.context, file, to, n, offset) == (int64_t)n;
}

bool store_read_record(struct store *s, uint32_t segment, uint32_t head_offset, enum record_type type,
                       uint64_t id, uint8_t *to, size_t max, struct span *payload)
{
    uint8_t head[RECORD_HEAD_OCTETS];
    struct record r;
    if (!read_at(s, segment, head_offset, head, sizeof head)) return false;
    if (!record_head_read(head, segment, s->salt, &r) || r.type != type || r.id != id || r.length > max)
        return false;
    if (!read_at(s, segment, (uint64_t)head_offset + RECORD_HEAD_OCTETS, to, r.length)) return false;
    if (crc32c(0, to, r.length) != r.payload_crc) return false;
    *payload = span_of(to, r.length);
    return true;
}

bool store_read_extent(struct store *s, const struct extent *e, uint8_t *to)
{
    return read_at(s, e->segment, e->offset, to, e->length) && crc32c(0, to, e->length) == e->crc;
}

bool store_read_envelope(struct store *s, const struct message *m, uint8_t *to)
{
    struct span payload;
    uint32_t count;
    if (!store_read_record(s, m->home, m->envelope_offset - RECORD_HEAD_OCTETS, RECORD_ENVELOPE, m->id, to,
                           m->envelope_length, &payload) ||
        payload.n != m->envelope_length || !envelope_valid(payload, LIMIT_MESSAGE_RECIPIENTS, &count)) {
        store_damage(s, m->home, m->envelope_offset - RECORD_HEAD_OCTETS,
                     (uint64_t)m->envelope_offset + m->envelope_length, m->id,
                     "an envelope cannot be read back");
        return false;
    }
    return true;
}

int64_t store_read_content(struct store *s, const struct message *m, uint8_t *to, size_t n)
{
    size_t done = 0;
    for (uint32_t i = 0; i < m->n_extents && done < n; i++) {
        const struct extent *e = &message_extents(m)[i];
        size_t take = e->length < n - done ? e->length : n - done;
        bool whole =
            take == e->length; /* a part of an extent cannot be checked; it is only shown, in a DSN */
        if (whole ? !store_read_extent(s, e, to + done)
                  : !read_at(s, e->segment, e->offset, to + done, take)) {
            store_damage(s, e->segment, e->offset - RECORD_HEAD_OCTETS, e->offset + e->length, m->id,
                         "content cannot be read back");
            return -1;
        }
        done += take;
    }
    return (int64_t)done;
}

struct span store_read_history(struct store *s, const struct message *m, uint32_t recipient, uint8_t *to,
                               size_t n)
{
    const struct recipient *r = &message_recipients(m)[recipient];
    struct span payload;
    struct state_payload state;
    if (r->state_segment == 0) return (struct span){0};
    bool long_one = r->state == RECIPIENT_EXPANDED; /* with all its derived recipients */
    if (!store_read_record(s, r->state_segment, r->state_offset, RECORD_STATE, m->id,
                           long_one ? s->scratch : to, long_one ? LIMIT_ENVELOPE_OCTETS : n, &payload) ||
        !state_payload_read(payload, &state) || state.history.n > n)
        return (struct span){0};
    if (long_one && state.history.n) memcpy(to, state.history.p, state.history.n);
    return long_one ? span_of(to, state.history.n) : state.history;
}

bool store_read_holds(struct store *s, const struct message *m, struct hold_payload *ret)
{
    uint8_t memory[HOLD_PAYLOAD_OCTETS(LIMIT_HOLD_EVENTS)];
    struct span payload;
    return m->hold_segment &&
           store_read_record(s, m->hold_segment, m->hold_offset, RECORD_HOLD, m->id, memory, sizeof memory,
                             &payload) &&
           hold_payload_read(payload, ret);
}

int store_lease(struct store *s, uint32_t segment)
{
    struct segment *g = segments_find(&s->segments, segment);
    if (!g) return -2; /* ENOENT */
    int file = segment_read_file(&s->segments, &s->o.disk, g);
    if (file >= 0) g->leases++;
    return file;
}

void store_lease_return(struct store *s, uint32_t segment)
{
    struct segment *g = segments_find(&s->segments, segment);
    if (g && g->leases > 0) g->leases--;
    s->recheck = true;
}

uint32_t store_wanted_back(const struct store *s, uint32_t after)
{
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *g = s->segments.all[i];
        if (g->number > after && g->leases && g->state == SEGMENT_SEALED && g->live == 0 && g->bodies == 0)
            return g->number;
    }
    return 0;
}
