#include "spool/listing_private.h"

#define SHOWN 20 /* recipients in a line of LIST */

static void put_recipient(struct buf *b, const struct listing *l, const struct message *m, uint32_t i)
{
    static const char *const waits[LISTING_WAIT_COUNT] = {"attempt", "destination", "delivery", "release",
                                                          "route"};
    uint8_t memory[LISTING_WAITING_OCTETS];
    const struct recipient *r = &message_recipients(m)[i];
    uint8_t shown = index_shown(m, r);
    struct listing_waiting w = listing_waiting(l, m, i, true, memory);
    if (b->n && b->p[b->n - 1] == '}') buf_byte(b, ',');
    buf_byte(b, '{');
    listing_put_text(b, "to", message_path(m, r));
    listing_put_text(b, "state",
                     span_str(shown ? listing_state_name(shown) : recipient_state_name(r->state)));
    listing_put_number(b, "attempts", r->attempts);
    if (shown) listing_put_text(b, "waits", span_str(waits[w.what]));
    if (w.waits_for.n) listing_put_text(b, "waits_for", w.waits_for);
    if (w.until_ms && w.what != WAIT_ROUTE) listing_put_time(b, "next", w.until_ms);
    if (w.destination.n) listing_put_text(b, "destination", w.destination);
    if (w.reason.n) listing_put_text(b, "reason", w.reason);
    if (w.host.n) listing_put_text(b, "host", w.host);
    if (r->flags & RECIPIENT_DERIVED)
        listing_put_text(b, "for", message_path(m, &message_recipients(m)[r->parent]));
    buf_byte(b, '}');
}

static uint8_t states_of(const struct message *m)
{
    uint8_t states = 0;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        states |= index_shown(m, &message_recipients(m)[i]);
    return states;
}

void listing_put_head(struct buf *b, const struct listing *l, const struct message *m, uint32_t most)
{
    uint8_t states = states_of(m);
    uint32_t shown = 0, more = 0;
    buf_byte(b, '{');
    listing_put_id(b, m->id);
    listing_put_text(b, "state",
                     span_str(listing_state_name(states & QUESTION_HELD       ? QUESTION_HELD
                                                 : states & QUESTION_DEFERRED ? QUESTION_DEFERRED
                                                                              : QUESTION_QUEUED)));
    listing_put_time(b, "arrival", m->arrival_ms);
    if (states != QUESTION_HELD) listing_put_time(b, "expires", store_expires_ms(l->store, m));
    listing_put_number(b, "size", m->content_octets);
    listing_put_text(b, "from", message_reverse_path(m));
    listing_put_key(b, "recipients");
    buf_byte(b, '[');
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        if (message_recipients(m)[i].state == RECIPIENT_VOID) continue;
        if (shown < most) {
            put_recipient(b, l, m, i);
            shown++;
        } else {
            more++;
        }
    }
    buf_byte(b, ']');
    listing_put_number(b, "more", more);
}

/* A line as a whole or, when it is too long for a page, with fewer recipients. False: the page is full. */
static bool put_line(struct buf *b, const struct listing *l, const struct message *m)
{
    static const uint32_t most[] = {SHOWN, 2, 0};
    size_t mark = b->n;
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        listing_put_head(b, l, m, most[i]);
        buf_str(b, "}\n");
        if (!b->over) return true;
        b->over = false;
        b->n = mark;
        if (mark > 0) return false; /* on the next page there is more room */
    }
    return false;
}

static bool list(const struct listing *l, const struct question *q, struct buf *b, uint64_t *cursor)
{
    uint32_t lines = 0, most = listing_examined(&q->filter);
    for (uint32_t cost = 0; cost < most && lines < q->page;) {
        const struct message *m = listing_next(l, &q->filter, *cursor);
        if (!m) return true;
        cost += listing_cost(&q->filter, m);
        if (listing_wants(l, &q->filter, m)) {
            if (!put_line(b, l, m)) return false;
            lines++;
        }
        *cursor = m->id;
    }
    return false;
}

/* --- VERIFY, COUNTS --- */

static void on_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    struct buf *b = context;
    size_t mark = b->n;
    buf_byte(b, '{');
    listing_put_number(b, "segment", segment);
    listing_put_number(b, "offset", offset);
    listing_put_text(b, "problem", span_str(text));
    if (id) listing_put_id(b, id);
    buf_str(b, "}\n");
    if (!b->over) return;
    b->n = mark; /* they are counted all the same */
    b->over = false;
}

static bool verify(struct store *s, struct listing_verified *v, struct buf *b, uint64_t *cursor)
{
    struct verify_report report = {.problem = on_problem, .context = b};
    bool more = store_verify(s, cursor, &report);
    v->segments += report.segments;
    v->records += report.records;
    v->messages += report.messages;
    v->damaged += report.damaged;
    if (more) return false;
    buf_byte(b, '{');
    listing_put_text(b, "event", SPAN("verified"));
    listing_put_number(b, "segments", v->segments);
    listing_put_number(b, "records", v->records);
    listing_put_number(b, "messages", v->messages);
    listing_put_number(b, "damaged", v->damaged);
    buf_str(b, "}\n");
    return true;
}

static void counts(const struct store *s, struct buf *b)
{
    struct store_counters c = store_counters(s);
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {{"queued", c.queued},
                {"deferred", c.deferred},
                {"held", c.held},
                {"messages", c.messages},
                {"recipients", c.recipients},
                {"segments", c.segments},
                {"large_segments", c.large_segments},
                {"spare_segments", c.spare_segments},
                {"damaged", c.damaged},
                {"committed", c.committed},
                {"refused", c.refused},
                {"finished", c.finished},
                {"batches", c.batches},
                {"syncs", c.syncs},
                {"octets_written", c.octets_written},
                {"index_octets", c.memory_octets}};
    buf_byte(b, '{');
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        listing_put_number(b, rows[i].key, rows[i].value);
    listing_put_key(b, "full");
    buf_str(b, c.full ? "true" : "false");
    listing_put_key(b, "stuck");
    buf_str(b, c.stuck ? "true" : "false");
    buf_str(b, "}\n");
}

enum answer_status listing_answer(const struct listing *l, const struct question *q, struct buf *text,
                                  uint64_t *cursor, bool *last)
{
    *cursor = q->cursor;
    *last = true;
    if (q->filter.id && q->kind != QUESTION_LIST && !store_find(l->store, q->filter.id) && q->cursor == 0)
        return ANSWER_UNKNOWN;
    switch ((enum question_kind)q->kind) {
    case QUESTION_LIST: *last = list(l, q, text, cursor); return ANSWER_OK;
    case QUESTION_SHOW: return listing_show(l, q, text, cursor, last);
    case QUESTION_VERIFY:
        if (q->cursor == 0) *l->verified = (struct listing_verified){0};
        *last = verify(l->store, l->verified, text, cursor);
        return ANSWER_OK;
    case QUESTION_COUNTS: counts(l->store, text); return ANSWER_OK;
    case QUESTION_SUMMARY: *last = listing_summary(l, q, text, cursor); return ANSWER_OK;
    case QUESTION_DESTINATIONS: *last = listing_destinations(l, q, text, cursor); return ANSWER_OK;
    case QUESTION_CHANGE: return listing_change(l, q, text, cursor, last);
    default: return ANSWER_UNKNOWN;
    }
}
