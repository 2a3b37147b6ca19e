/* filter: which messages and recipients a question means. */
#include "spool/listing_private.h"

enum {
    EXAMINED = 20000,       /* messages looked at for one page, in memory only */
    RECIPIENTS_AS_ONE = 16, /* so many more cost as much as another message */
    EXAMINED_READING = 500  /* the same, when the disk may have to be read for each */
};

static bool contains(struct span s, struct span what)
{
    if (what.n == 0) return true;
    for (size_t i = 0; i + what.n <= s.n; i++)
        if (span_eq_nocase(span_of(s.p + i, what.n), what)) return true;
    return false;
}

uint32_t listing_examined(const struct question_filter *f)
{
    return f->reason.n || f->destination.n ? EXAMINED_READING : EXAMINED;
}

uint32_t listing_cost(const struct question_filter *f, const struct message *m)
{
    bool reading = listing_examined(f) == EXAMINED_READING;
    return 1 + m->n_recipients / (reading ? 2 : RECIPIENTS_AS_ONE);
}

const struct message *listing_next(const struct listing *l, const struct question_filter *f, uint64_t cursor)
{
    if (f->id == 0) return store_after(l->store, cursor);
    return cursor < f->id ? store_find(l->store, f->id) : NULL;
}

bool listing_wants_message(const struct listing *l, const struct question_filter *f, const struct message *m)
{
    uint64_t age = l->unix_ms > m->arrival_ms ? l->unix_ms - m->arrival_ms : 0;
    if (m->content_octets < f->larger || m->content_octets > f->smaller) return false;
    if (age < f->older_ms || age > f->newer_ms) return false;
    return contains(message_reverse_path(m), f->from);
}

bool listing_wants_recipient(const struct listing *l, const struct question_filter *f,
                             const struct message *m, uint32_t i)
{
    uint8_t memory[LISTING_WAITING_OCTETS];
    const struct recipient *r = &message_recipients(m)[i];
    uint8_t shown = index_shown(m, r);
    struct span path = message_path(m, r);
    if (shown == 0 || (f->states && !(f->states & shown)) || !contains(path, f->to)) return false;
    if (f->domain.n) {
        size_t at = span_rfind(path, '@');
        if (at == SPAN_NPOS || !span_eq_nocase(span_skip(path, at + 1), f->domain)) return false;
    }
    if (f->reason.n == 0 && f->destination.n == 0) return true;
    struct listing_waiting w = listing_waiting(l, m, i, f->reason.n > 0, memory);
    return contains(w.destination, f->destination) &&
           (contains(w.reason, f->reason) || contains(w.status, f->reason) ||
            contains(w.waits_for, f->reason));
}

bool listing_wants(const struct listing *l, const struct question_filter *f, const struct message *m)
{
    if (!listing_wants_message(l, f, m)) return false;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (listing_wants_recipient(l, f, m, i)) return true;
    return false;
}
