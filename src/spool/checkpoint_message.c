/* checkpoint_message: one message of the index as it stands in a checkpoint. */
#include "spool/store_private.h"

#include <errno.h>

#define MESSAGE_OCTETS   60
#define RECIPIENT_OCTETS 32
#define RECIPIENT_KEPT                                                                                       \
    (RECIPIENT_LOCAL | RECIPIENT_DERIVED | RECIPIENT_NOBODY | RECIPIENT_DELAY_TOLD) /* the rest is of a run */
#define MESSAGE_KEPT (MESSAGE_HELD | MESSAGE_DSN | MESSAGE_DSN_PARAMETERS | MESSAGE_RELEASED)

size_t checkpoint_message_octets(const struct message *m)
{
    return MESSAGE_OCTETS + (size_t)m->n_recipients * RECIPIENT_OCTETS +
           (size_t)m->n_extents * EXTENT_OCTETS + m->strings_length;
}

static void recipient_put(struct buf *b, const struct recipient *r)
{
    wire_put_u64(b, r->next_ms); /* or the place of the owner */
    wire_put_u32(b, r->state_segment);
    wire_put_u32(b, r->state_offset);
    wire_put_u32(b, r->parent);
    wire_put_u32(b, r->path_offset);
    wire_put_u16(b, r->attempts);
    wire_put_u16(b, r->flags & RECIPIENT_KEPT);
    wire_put_u8(b, r->path_length);
    wire_put_u8(b, r->state);
    wire_put_u8(b, r->notify);
    wire_put_u8(b, r->reason);
}

void checkpoint_message_put(struct buf *b, const struct message *m)
{
    wire_put_u64(b, m->id);
    wire_put_u64(b, m->arrival_ms);
    wire_put_u64(b, m->content_octets);
    wire_put_u32(b, m->home);
    wire_put_u32(b, m->envelope_offset);
    wire_put_u32(b, m->envelope_length);
    wire_put_u32(b, m->hold_segment);
    wire_put_u32(b, m->hold_offset);
    wire_put_u32(b, m->n_recipients);
    wire_put_u32(b, m->n_extents);
    wire_put_u32(b, m->strings_length);
    wire_put_u16(b, m->envelope_flags);
    wire_put_u8(b, m->reverse_length);
    wire_put_u8(b, m->flags & MESSAGE_KEPT);
    for (uint32_t i = 0; i < m->n_recipients; i++)
        recipient_put(b, &message_recipients(m)[i]);
    for (uint32_t i = 0; i < m->n_extents; i++)
        extent_put(b, &message_extents(m)[i]);
    buf_put(b, span_of(message_strings(m), m->strings_length));
}

static bool recipient_read(struct wire *w, const struct message *m, struct recipient *r)
{
    *r = (struct recipient){.heap = NOT_SCHEDULED};
    r->next_ms = wire_u64(w);
    r->state_segment = wire_u32(w);
    r->state_offset = wire_u32(w);
    r->parent = wire_u32(w);
    r->path_offset = wire_u32(w);
    r->attempts = wire_u16(w);
    r->flags = wire_u16(w);
    r->path_length = wire_u8(w);
    r->state = wire_u8(w);
    r->notify = wire_u8(w);
    r->reason = wire_u8(w);
    if (w->bad || r->state >= RECIPIENT_STATE_COUNT || r->flags & ~RECIPIENT_KEPT) return false;
    if (r->path_offset > m->strings_length || r->path_length > m->strings_length - r->path_offset)
        return false;
    if (r->flags & RECIPIENT_DERIVED && r->parent >= m->n_recipients) return false;
    return r->state != RECIPIENT_EXPANDED ||
           (r->owner_offset <= m->strings_length && r->owner_length <= m->strings_length - r->owner_offset);
}

static bool fill(struct message *m, struct wire *w)
{
    uint64_t octets = 0;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (!recipient_read(w, m, &message_recipients(m)[i])) return false;
    for (uint32_t i = 0; i < m->n_extents; i++) {
        message_extents(m)[i] = extent_read(w);
        octets += message_extents(m)[i].length;
    }
    struct span strings = wire_raw(w, m->strings_length);
    if (w->bad || octets != m->content_octets) return false;
    if (strings.n) memcpy(message_strings(m), strings.p, strings.n);
    return true;
}

struct message *checkpoint_message_read(struct index *x, struct wire *w, int *error)
{
    struct message h = {0};
    *error = 0;
    h.id = wire_u64(w);
    h.arrival_ms = wire_u64(w);
    h.content_octets = wire_u64(w);
    h.home = wire_u32(w);
    h.envelope_offset = wire_u32(w);
    h.envelope_length = wire_u32(w);
    h.hold_segment = wire_u32(w);
    h.hold_offset = wire_u32(w);
    h.n_recipients = wire_u32(w);
    h.n_extents = wire_u32(w);
    h.strings_length = wire_u32(w);
    h.envelope_flags = wire_u16(w);
    h.reverse_length = wire_u8(w);
    h.flags = wire_u8(w);
    if (w->bad || h.n_recipients > LIMIT_MESSAGE_RECIPIENTS || h.n_extents > LIMIT_MESSAGE_EXTENTS ||
        h.strings_length > w->rest.n || h.reverse_length > h.strings_length || h.flags & ~MESSAGE_KEPT ||
        h.envelope_length > LIMIT_ENVELOPE_OCTETS ||
        (size_t)h.n_recipients * RECIPIENT_OCTETS + (size_t)h.n_extents * EXTENT_OCTETS > w->rest.n)
        return NULL;
    struct message *m = index_blank(x, &h);
    if (!m) {
        *error = ENOMEM;
        return NULL;
    }
    if (fill(m, w)) {
        m->flags |= MESSAGE_LOADED;
        return m;
    }
    index_free(x, m);
    return NULL;
}
