/* summary: what waits, grouped. Each page counts what it has seen; who asks adds the pages up, so that nothing is kept here. */
#include "policy/next_hop.h"
#include "spool/listing_private.h"

enum {
    GROUPS = 128,     /* of one page */
    GROUP_TEXT = 120, /* octets of a name; longer ones are cut */
    EXAMINED_PAGE = 20000
};

struct group {
    uint64_t recipients, queued, deferred, held, octets, oldest_ms, last_id;
    uint32_t n;
    uint8_t text[GROUP_TEXT];
};

struct page {
    struct group groups[GROUPS + 1]; /* the last one: what has no group of its own */
    uint32_t n;
};

/* Null: no room for one more. */
static struct group *group_of(struct page *p, struct span name)
{
    name = span_head(name, GROUP_TEXT);
    for (uint32_t i = 0; i < p->n; i++)
        if (span_eq(span_of(p->groups[i].text, p->groups[i].n), name)) return &p->groups[i];
    if (p->n == GROUPS) return NULL;
    struct group *g = &p->groups[p->n++];
    *g = (struct group){.oldest_ms = UINT64_MAX, .n = (uint32_t)name.n};
    if (name.n) memcpy(g->text, name.p, name.n);
    return g;
}

/* By reason the disk is not read: what a recipient was told last is known by a number. */
static struct span name_of(const struct listing *l, const struct question *q, const struct message *m,
                           uint32_t i, uint8_t *memory, uint8_t *alike)
{
    const struct recipient *r = &message_recipients(m)[i];
    struct listing_waiting w = listing_waiting(l, m, i, false, memory);
    if (q->what == GROUP_DESTINATION)
        return w.destination.n              ? w.destination
               : r->flags & RECIPIENT_LOCAL ? SPAN("local")
                                            : SPAN("no route yet");
    if (w.reason.n) { /* of its next hop: as it would be told of its own attempt */
        struct buf b = buf_on(alike, GROUP_TEXT);
        reason_put(&b, w.status, w.reason);
        return buf_span(&b);
    }
    struct span told = store_reason(l->store, r);
    if (told.n) return told;
    return r->attempts ? SPAN("not told") : w.waits_for.n ? w.waits_for : SPAN("not tried yet");
}

static void count(struct group *g, const struct message *m, uint8_t shown)
{
    g->recipients++;
    g->queued += shown == QUESTION_QUEUED;
    g->deferred += shown == QUESTION_DEFERRED;
    g->held += shown == QUESTION_HELD;
    if (g->last_id != m->id) g->octets += m->content_octets;
    g->last_id = m->id;
    if (m->arrival_ms < g->oldest_ms) g->oldest_ms = m->arrival_ms;
}

/* other: where a recipient is counted for which there is no group. Null: then false, and nothing of the message was counted. */
static bool count_message(const struct listing *l, const struct question *q, const struct message *m,
                          struct page *p, struct group *other)
{
    uint8_t memory[LISTING_WAITING_OCTETS], alike[GROUP_TEXT];
    for (int pass = 0; pass < 2; pass++) /* the groups first */
        for (uint32_t i = 0; i < m->n_recipients; i++) {
            if (!listing_wants_recipient(l, &q->filter, m, i)) continue;
            struct group *g = group_of(p, name_of(l, q, m, i, memory, alike));
            if (!g) g = other;
            if (!g) return false;
            if (pass == 1) count(g, m, index_shown(m, &message_recipients(m)[i]));
        }
    return true;
}

static void put_page(struct buf *b, const struct question *q, const struct page *p)
{
    for (uint32_t i = 0; i <= GROUPS; i++) {
        const struct group *g = &p->groups[i];
        if ((i >= p->n && i < GROUPS) || g->recipients == 0) continue;
        buf_byte(b, '{');
        listing_put_text(b, q->what == GROUP_REASON ? "reason" : "destination", span_of(g->text, g->n));
        listing_put_number(b, "recipients", g->recipients);
        listing_put_number(b, "queued", g->queued);
        listing_put_number(b, "deferred", g->deferred);
        listing_put_number(b, "held", g->held);
        listing_put_number(b, "octets", g->octets);
        listing_put_number(b, "oldest", g->oldest_ms);
        buf_str(b, "}\n");
    }
}

bool listing_summary(const struct listing *l, const struct question *q, struct buf *b, uint64_t *cursor)
{
    static struct page page;
    uint32_t examined = 0, most = listing_examined(&q->filter);
    bool last = false;
    struct group *other = &page.groups[GROUPS];
    page.n = 0;
    *other = (struct group){.oldest_ms = UINT64_MAX, .n = 5, .text = "other"};
    for (uint32_t cost = 0; cost < most; examined++) {
        const struct message *m = listing_next(l, &q->filter, *cursor);
        last = !m;
        if (last) break;
        cost += listing_cost(&q->filter, m);
        if (listing_wants_message(l, &q->filter, m) &&
            !count_message(l, q, m, &page, examined ? NULL : other))
            break;
        *cursor = m->id;
    }
    put_page(b, q, &page);
    buf_byte(b, '{');
    listing_put_number(b, "examined", examined);
    buf_str(b, "}\n");
    return last;
}

static void put_destination(const struct listing *l, const struct destination_view *v, struct buf *b)
{
    static const char *const names[DESTINATION_STANDING_COUNT] = {"fresh", "proven", "failed"};
    uint8_t memory[NEXT_HOP_KEY_OCTETS];
    struct buf text = buf_on(memory, sizeof memory);
    buf_byte(b, '{');
    listing_put_text(b, "destination", listing_hop_text(v->key, &text));
    listing_put_text(b, "standing", span_str(names[v->standing]));
    listing_put_number(b, "waiting", v->queued);
    listing_put_number(b, "sessions", v->active);
    listing_put_number(b, "sessions_max", v->sessions);
    if (v->until_ms > l->monotonic_ms) {
        listing_put_time(b, "next", l->unix_ms + (v->until_ms - l->monotonic_ms));
        listing_put_text(b, "next_after", v->backing_off ? SPAN("back-off") : SPAN("rate"));
    }
    if (v->queued) listing_put_text(b, "waits_for", listing_destination_waits(v, l->monotonic_ms));
    listing_put_number(b, "failures", v->failures);
    if (v->failure) {
        listing_put_time(b, "failed", v->failure->unix_ms);
        listing_put_text(b, "status", span_str(v->failure->enhanced));
        listing_put_text(b, "reason", v->failure->text);
        listing_put_text(b, "host", v->failure->host);
    }
    listing_put_number(b, "transactions", v->started);
    listing_put_number(b, "recipients", v->recipients);
    buf_str(b, "}\n");
}

bool listing_destinations(const struct listing *l, const struct question *q, struct buf *b, uint64_t *cursor)
{
    struct destination_view v;
    uint32_t at = *cursor < UINT32_MAX ? (uint32_t)*cursor : UINT32_MAX, examined = 0;
    if (!l->destinations) return true;
    if (q->hop.n) {
        if (destinations_view(l->destinations, destinations_find(l->destinations, q->hop), &v))
            put_destination(l, &v, b);
        return true;
    }
    for (; examined < EXAMINED_PAGE; examined++) {
        uint32_t here = at;
        if (!destinations_next(l->destinations, &at, &v)) return true;
        size_t mark = b->n;
        put_destination(l, &v, b);
        if (!b->over) continue;
        b->over = false;
        b->n = mark;
        *cursor = here;
        return false;
    }
    *cursor = at;
    return false;
}
