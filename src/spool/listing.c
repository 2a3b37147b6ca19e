#include "spool/listing.h"

#include "mail/received.h"
#include "spool/message_id.h"

#define EXAMINED      20000 /* messages looked at for one page */
#define SHOWN         20    /* recipients in a line of LIST */
#define HISTORY_STACK (LIMIT_STATE_HISTORY_OCTETS + 64)

/* --- JSON --- */

static void put_key(struct buf *b, const char *key)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[') buf_byte(b, ',');
    buf_byte(b, '"');
    buf_str(b, key);
    buf_str(b, "\":");
}

static void put_text(struct buf *b, const char *key, struct span value)
{
    put_key(b, key);
    buf_byte(b, '"');
    buf_json(b, value, LIMIT_RESULT_TEXT_OCTETS);
    buf_byte(b, '"');
}

static void put_number(struct buf *b, const char *key, uint64_t value)
{
    put_key(b, key);
    buf_u64(b, value);
}

static void put_time(struct buf *b, const char *key, uint64_t unix_ms)
{
    put_key(b, key);
    buf_byte(b, '"');
    date_put_rfc3339(b, unix_ms);
    buf_byte(b, '"');
}

static void put_id(struct buf *b, uint64_t id)
{
    put_key(b, "id");
    buf_byte(b, '"');
    message_id_put(b, id);
    buf_byte(b, '"');
}

/* --- what is told of a recipient --- */

static const char *shown_name(uint8_t shown)
{
    return shown == QUESTION_HELD ? "held" : shown == QUESTION_DEFERRED ? "deferred" : "queued";
}

static struct state_event last_event(struct store *s, const struct message *m, uint32_t i, uint8_t *memory)
{
    struct wire w = wire_on(store_read_history(s, m, i, memory, HISTORY_STACK));
    struct state_event e = {0}, next;
    while (state_event_read(&w, &next))
        e = next;
    return e;
}

static void put_recipient(struct buf *b, struct store *s, const struct message *m, uint32_t i)
{
    uint8_t memory[HISTORY_STACK];
    const struct recipient *r = &message_recipients(m)[i];
    uint8_t shown = index_shown(m, r);
    if (b->n && b->p[b->n - 1] == '}') buf_byte(b, ',');
    buf_byte(b, '{');
    put_text(b, "to", message_path(m, r));
    put_text(b, "state", span_str(shown ? shown_name(shown) : recipient_state_name(r->state)));
    put_number(b, "attempts", r->attempts);
    if (r->heap != NOT_SCHEDULED && !(r->flags & RECIPIENT_NO_ROUTE))
        put_time(b, "next", r->next_ms ? r->next_ms : m->arrival_ms);
    if (m->flags & MESSAGE_DAMAGED)
        put_text(b, "reason", SPAN("its content is damaged"));
    else if (shown == QUESTION_HELD)
        put_text(b, "reason",
                 m->flags & MESSAGE_HELD ? SPAN("held by an operator") : SPAN("held by the configuration"));
    else if (r->flags & RECIPIENT_NO_ROUTE)
        put_text(b, "reason", SPAN("no route yet"));
    else if (r->state_segment)
        put_text(b, "reason", last_event(s, m, i, memory).text);
    if (r->flags & RECIPIENT_DERIVED) put_text(b, "for", message_path(m, &message_recipients(m)[r->parent]));
    buf_byte(b, '}');
}

static uint8_t states_of(const struct message *m)
{
    uint8_t states = 0;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        states |= index_shown(m, &message_recipients(m)[i]);
    return states;
}

static void put_head(struct buf *b, struct store *s, const struct message *m, uint32_t most)
{
    uint8_t states = states_of(m);
    uint32_t shown = 0, more = 0;
    buf_byte(b, '{');
    put_id(b, m->id);
    put_text(b, "state",
             span_str(shown_name(states & QUESTION_HELD       ? QUESTION_HELD
                                 : states & QUESTION_DEFERRED ? QUESTION_DEFERRED
                                                              : QUESTION_QUEUED)));
    put_time(b, "arrival", m->arrival_ms);
    put_number(b, "size", m->content_octets);
    put_text(b, "from", message_reverse_path(m));
    put_key(b, "recipients");
    buf_byte(b, '[');
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        if (message_recipients(m)[i].state == RECIPIENT_VOID) continue;
        if (shown < most) {
            put_recipient(b, s, m, i);
            shown++;
        } else {
            more++;
        }
    }
    buf_byte(b, ']');
    put_number(b, "more", more);
}

/* A line as a whole or, when it is too long for a page, with fewer recipients. False: the page is full. */
static bool put_line(struct buf *b, struct store *s, const struct message *m)
{
    static const uint32_t most[] = {SHOWN, 2, 0};
    size_t mark = b->n;
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        put_head(b, s, m, most[i]);
        buf_str(b, "}\n");
        if (!b->over) return true;
        b->over = false;
        b->n = mark;
        if (mark > 0) return false; /* on the next page there is more room */
    }
    return false;
}

/* --- LIST --- */

static bool contains(struct span s, struct span what)
{
    if (what.n == 0) return true;
    for (size_t i = 0; i + what.n <= s.n; i++)
        if (span_eq_nocase(span_of(s.p + i, what.n), what)) return true;
    return false;
}

static bool wanted(const struct message *m, const struct question *q)
{
    if (!contains(message_reverse_path(m), q->from)) return false;
    if (q->states && !(states_of(m) & q->states)) return false;
    if (q->to.n == 0) return true;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (contains(message_path(m, &message_recipients(m)[i]), q->to)) return true;
    return false;
}

static bool list(struct store *s, const struct question *q, struct buf *b, uint64_t *cursor)
{
    uint32_t lines = 0;
    for (uint32_t examined = 0; examined < EXAMINED && lines < q->page; examined++) {
        const struct message *m = store_after(s, *cursor);
        if (!m) return true;
        if (wanted(m, q)) {
            if (!put_line(b, s, m)) return false;
            lines++;
        }
        *cursor = m->id;
    }
    return false;
}

/* --- SHOW --- */

static void event_begin(struct buf *b, const struct message *m, uint64_t time_ms, struct span event)
{
    buf_byte(b, '{');
    put_id(b, m->id);
    put_time(b, "time", time_ms);
    put_text(b, "event", event);
}

static void show_arrival(struct store *s, const struct message *m, struct buf *b)
{
    static uint8_t envelope[LIMIT_ENVELOPE_OCTETS];
    struct envelope_head h = {0};
    if (m->envelope_length <= sizeof envelope && store_read_envelope(s, m, envelope)) {
        struct wire w = wire_on(span_of(envelope, m->envelope_length));
        if (!envelope_read_head(&w, &h)) h = (struct envelope_head){0};
    }
    put_head(b, s, m, SHOWN);
    buf_str(b, "}\n");
    event_begin(b, m, m->arrival_ms, SPAN("arrival"));
    put_text(b, "server", h.server);
    put_text(b, "client", h.client_address);
    put_text(b, "helo", h.helo);
    put_text(b, "principal", h.principal);
    put_text(b, "envid", h.envid);
    put_key(b, "session");
    buf_byte(b, '"');
    buf_hex64(b, h.session); /* as in the log */
    buf_byte(b, '"');
    put_key(b, "tls");
    buf_str(b, h.flags & ENVELOPE_TLS ? "true" : "false");
    put_number(b, "segment", m->home);
    buf_str(b, "}\n");
    if (m->flags & MESSAGE_HELD) {
        event_begin(b, m, m->arrival_ms, SPAN("held"));
        buf_str(b, "}\n");
    }
}

static void show_recipient(struct store *s, const struct message *m, uint32_t i, struct buf *b)
{
    uint8_t memory[HISTORY_STACK];
    const struct recipient *r = &message_recipients(m)[i];
    struct wire w = wire_on(store_read_history(s, m, i, memory, sizeof memory));
    struct state_event e;
    while (state_event_read(&w, &e)) {
        event_begin(b, m, e.time_ms, e.state == RECIPIENT_EXPANDED ? SPAN("expanded") : SPAN("attempt"));
        put_text(b, "to", message_path(m, r));
        put_text(b, "state", span_str(recipient_state_name(e.state)));
        put_text(b, "status", e.enhanced);
        put_text(b, "text", e.text);
        buf_str(b, "}\n");
    }
}

/* The cursor counts: 0 the head, then recipients from 1 on. */
static enum answer_status show(struct store *s, const struct question *q, struct buf *b, uint64_t *cursor,
                               bool *last)
{
    const struct message *m = store_find(s, q->id);
    *last = true;
    if (!m) return ANSWER_UNKNOWN;
    if (*cursor == 0) {
        show_arrival(s, m, b);
        if (b->over) { /* its recipients are too long for one page: they follow by themselves */
            b->n = 0;
            b->over = false;
            put_head(b, s, m, 0);
            buf_str(b, "}\n");
        }
        *cursor = 1;
    }
    while (*cursor <= m->n_recipients) {
        size_t mark = b->n;
        show_recipient(s, m, (uint32_t)*cursor - 1, b);
        if (b->over) {
            b->n = mark;
            b->over = false;
            *last = mark == 0; /* cannot be: a history is shorter than a page */
            return ANSWER_OK;
        }
        ++*cursor;
    }
    return ANSWER_OK;
}

/* --- VERIFY, COUNTS --- */

static void on_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    struct buf *b = context;
    size_t mark = b->n;
    buf_byte(b, '{');
    put_number(b, "segment", segment);
    put_number(b, "offset", offset);
    put_text(b, "problem", span_str(text));
    if (id) put_id(b, id);
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
    put_text(b, "event", SPAN("verified"));
    put_number(b, "segments", v->segments);
    put_number(b, "records", v->records);
    put_number(b, "messages", v->messages);
    put_number(b, "damaged", v->damaged);
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
        put_number(b, rows[i].key, rows[i].value);
    put_key(b, "full");
    buf_str(b, c.full ? "true" : "false");
    put_key(b, "stuck");
    buf_str(b, c.stuck ? "true" : "false");
    buf_str(b, "}\n");
}

enum answer_status listing_answer(struct store *s, const struct question *q, struct listing_verified *v,
                                  struct buf *text, uint64_t *cursor, bool *last)
{
    *cursor = q->cursor;
    *last = true;
    switch ((enum question_kind)q->kind) {
    case QUESTION_LIST: *last = list(s, q, text, cursor); return ANSWER_OK;
    case QUESTION_SHOW: return show(s, q, text, cursor, last);
    case QUESTION_VERIFY:
        if (q->cursor == 0) *v = (struct listing_verified){0};
        *last = verify(s, v, text, cursor);
        return ANSWER_OK;
    case QUESTION_COUNTS: counts(s, text); return ANSWER_OK;
    default: return ANSWER_UNKNOWN;
    }
}
