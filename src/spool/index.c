#include "spool/index.h"

#include "base/map.h"
#include "smtp/params.h"
#include "spool/question.h"

#include <stdlib.h>

_Static_assert(sizeof(struct message) % 8 == 0 && sizeof(struct recipient) % 8 == 0,
               "a message is one block");
_Static_assert(
    sizeof(struct message) + sizeof(struct recipient) + sizeof(struct extent) <= 168,
    "an ordinary queued message with 48 octets of strings, its place in map and schedule stays below 256");

static size_t block_octets(uint32_t recipients, uint32_t extents, size_t strings)
{
    return sizeof(struct message) + recipients * sizeof(struct recipient) + extents * sizeof(struct extent) +
           strings;
}

/* First walk: how much memory. */
static bool measure(struct span envelope, uint32_t *recipients, size_t *strings)
{
    struct wire w = wire_on(envelope);
    struct envelope_head head;
    struct envelope_recipient r;
    if (!envelope_read_head(&w, &head)) return false;
    *recipients = 0;
    *strings = head.reverse_path.n;
    while (envelope_read_recipient(&w, &r)) {
        ++*recipients;
        *strings += r.path.n;
    }
    return wire_done(&w);
}

static uint32_t add_string(struct message *m, struct span s)
{
    uint32_t at = m->strings_length;
    if (s.n) memcpy(message_strings(m) + at, s.p, s.n);
    m->strings_length += (uint32_t)s.n;
    return at;
}

/* --- a recipient that its sender wrote more than once gets one copy --- */

/* The domain is case-blind, the local part where it is ours (RFC 5321 2.4). */
static struct span local_part(struct span path)
{
    return span_head(path, span_rfind(path, '@'));
}

static bool same(const struct message *m, const struct recipient *a, const struct recipient *b)
{
    struct span p = message_path(m, a), q = message_path(m, b), local = local_part(p);
    bool ours = (a->flags & RECIPIENT_LOCAL) != 0;
    return a->flags == b->flags && span_eq_nocase(p, q) && (ours || span_eq(local, local_part(q)));
}

/* The same for those that are the same. FNV-1a. */
static uint64_t path_hash(const struct message *m, const struct recipient *r)
{
    struct span path = message_path(m, r);
    size_t exact = r->flags & RECIPIENT_LOCAL ? 0 : local_part(path).n;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < path.n; i++)
        h = (h ^ (i < exact ? path.p[i] : octet_lower(path.p[i]))) * UINT64_C(0x100000001b3);
    return h;
}

/* Who wants to hear of one thing in one line and of another in the next wants both; of nothing only when no line says more (RFC 3461 4.1:
 * nothing said is failure, and delay as we like). */
static uint8_t notify_both(uint8_t a, uint8_t b)
{
    if (a == b || b == DSN_NOTIFY_NEVER) return a;
    if (a == DSN_NOTIFY_NEVER) return b;
    return a && b ? a | b : (uint8_t)(a | b | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY);
}

/* The later ones are no recipients; what they say of NOTIFY counts for the first. The envelope alone decides: a recovery finds the same.
 * False: no memory. */
static bool drop_repeated(struct message *m)
{
    struct map_slot few[64], *slots = few;
    size_t n = sizeof few / sizeof few[0];
    if (m->n_recipients < 2) return true;
    while (n / 2 < m->n_recipients)
        n *= 2;
    if (n > sizeof few / sizeof few[0] && !(slots = malloc(n * sizeof *slots))) return false;
    struct map seen = map_on(slots, n, m->id);
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &message_recipients(m)[i];
        uint64_t hash = path_hash(m, r);
        const uint32_t *at = map_get(&seen, hash);
        struct recipient *first = at ? &message_recipients(m)[*at] : NULL;
        if (!first && !map_set(&seen, hash, i)) abort(); /* it is half full at most */
        if (!first || !same(m, first, r)) continue;
        first->notify = notify_both(first->notify, r->notify);
        r->state = RECIPIENT_VOID;
        m->n_open--;
    }
    if (slots != few) free(slots);
    return true;
}

struct message *index_build(struct index *x, uint64_t id, const struct commit_payload *c,
                            struct span envelope, const struct extent *extents)
{
    uint32_t recipients;
    size_t strings;
    if (!measure(envelope, &recipients, &strings)) return NULL;
    size_t octets = block_octets(recipients, c->count, strings);
    struct message *m = octets <= UINT32_MAX ? slab_take(&x->slab, octets) : NULL;
    if (!m) return NULL;
    *m = (struct message){.id = id,
                          .arrival_ms = c->arrival_ms,
                          .content_octets = c->content_octets,
                          .envelope_offset = c->envelope_offset,
                          .envelope_length = c->envelope_length,
                          .n_recipients = recipients,
                          .n_open = recipients,
                          .n_extents = c->count,
                          .octets = (uint32_t)octets};
    if (c->count) memcpy(message_extents(m), extents, c->count * sizeof *extents);
    struct wire w = wire_on(envelope);
    struct envelope_head head;
    struct envelope_recipient r;
    (void)envelope_read_head(&w, &head); /* measured: it is whole */
    m->reverse_length = (uint8_t)head.reverse_path.n;
    m->envelope_flags = (uint16_t)head.flags;
    if (head.envid.n) m->flags |= MESSAGE_DSN_PARAMETERS;
    if (head.flags & ENVELOPE_DSN || head.reverse_path.n == 0) m->flags |= MESSAGE_DSN;
    (void)add_string(m, head.reverse_path);
    for (uint32_t i = 0; i < recipients && envelope_read_recipient(&w, &r); i++) {
        message_recipients(m)[i] = (struct recipient){.heap = NOT_SCHEDULED,
                                                      .path_offset = add_string(m, r.path),
                                                      .path_length = (uint8_t)r.path.n,
                                                      .state = RECIPIENT_QUEUED,
                                                      .flags = r.local ? RECIPIENT_LOCAL : 0,
                                                      .notify = r.notify};
        if (r.orcpt.n) m->flags |= MESSAGE_DSN_PARAMETERS;
    }
    if (drop_repeated(m)) return m;
    index_free(x, m);
    return NULL;
}

struct message *index_blank(struct index *x, const struct message *head)
{
    size_t octets = block_octets(head->n_recipients, head->n_extents, head->strings_length);
    struct message *m = octets <= UINT32_MAX ? slab_take(&x->slab, octets) : NULL;
    if (!m) return NULL;
    *m = *head;
    m->octets = (uint32_t)octets;
    return m;
}

struct message *index_copy(struct index *x, const struct message *m, uint32_t recipients, uint32_t extents,
                           size_t strings)
{
    if (recipients < m->n_recipients) recipients = m->n_recipients;
    size_t octets = block_octets(recipients, extents, m->strings_length + strings);
    struct message *fresh = octets <= UINT32_MAX ? slab_take(&x->slab, octets) : NULL;
    if (!fresh) return NULL;
    *fresh = *m;
    fresh->n_recipients = recipients;
    fresh->n_extents = extents;
    fresh->octets = (uint32_t)octets;
    memcpy(message_recipients(fresh), message_recipients(m), m->n_recipients * sizeof(struct recipient));
    for (uint32_t i = m->n_recipients; i < recipients; i++)
        message_recipients(fresh)[i] = (struct recipient){.heap = NOT_SCHEDULED, .state = RECIPIENT_VOID};
    if (m->n_extents)
        memcpy(message_extents(fresh), message_extents(m), m->n_extents * sizeof(struct extent));
    if (m->strings_length) memcpy(message_strings(fresh), message_strings(m), m->strings_length);
    return fresh;
}

void index_swap(struct index *x, struct message *old, struct message *fresh)
{
    id_map_replace(&x->map, old->id, fresh);
    slab_give(&x->slab, old, old->octets);
}

struct message *index_resize(struct index *x, struct message *m, uint32_t recipients, uint32_t extents,
                             size_t strings)
{
    struct message *fresh = index_copy(x, m, recipients, extents, strings);
    if (fresh) index_swap(x, m, fresh);
    return fresh;
}

struct message *index_grow(struct index *x, struct message *m, uint32_t recipients, size_t strings)
{
    return index_resize(x, m, recipients, m->n_extents, strings);
}

void index_free(struct index *x, struct message *m)
{
    slab_give(&x->slab, m, m->octets);
}

void index_destroy(struct index *x)
{
    uint64_t id = 0;
    struct message *m;
    while ((m = id_map_after(&x->map, id, &id)))
        slab_give(&x->slab, m, m->octets);
    id_map_destroy(&x->map);
    slab_destroy(&x->slab);
}

uint8_t index_shown(const struct message *m, const struct recipient *r)
{
    if (recipient_final(r->state)) return 0;
    if (m->flags & (MESSAGE_HELD | MESSAGE_DAMAGED) || r->flags & RECIPIENT_HELD) return QUESTION_HELD;
    return r->state == RECIPIENT_DEFERRED ? QUESTION_DEFERRED : QUESTION_QUEUED;
}

void index_reason(struct index *x, struct recipient *r, struct span enhanced, struct span text)
{
    uint8_t old = r->reason;
    r->reason = reasons_take(&x->reasons, enhanced, text);
    reasons_drop(&x->reasons, old);
}

void index_forget_reasons(struct index *x, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        index_reason(x, &message_recipients(m)[i], (struct span){0}, (struct span){0});
}

void index_hold(struct message *m, const struct hold_payload *h)
{
    const struct hold_event *e = &h->events[h->count - 1];
    m->flags &= (uint8_t) ~(MESSAGE_HELD | MESSAGE_RELEASED);
    m->flags |= e->held ? MESSAGE_HELD : MESSAGE_RELEASED;
    m->released_seconds = e->held ? 0 : (uint32_t)(e->time_ms / 1000);
}

static void add(uint64_t *counter, int sign)
{
    *counter += (uint64_t)(int64_t)sign;
}

void index_count(struct index *x, const struct message *m, const struct recipient *r, int sign)
{
    uint8_t shown = index_shown(m, r);
    if (m->flags & MESSAGE_PENDING || shown == 0) return;
    add(shown == QUESTION_HELD ? &x->held : shown == QUESTION_DEFERRED ? &x->deferred : &x->queued, sign);
    add(&x->recipients, sign);
}

void index_count_all(struct index *x, const struct message *m, int sign)
{
    if (m->flags & MESSAGE_PENDING) return;
    add(&x->messages, sign);
    for (uint32_t i = 0; i < m->n_recipients; i++)
        index_count(x, m, &message_recipients(m)[i], sign);
}
