#include "service/control.h"

#include "spool/message_id.h"

static const char *const verb_names[CONTROL_VERB_COUNT] = {
    [CONTROL_STATUS] = "status",
    [CONTROL_RELOAD] = "reload",
    [CONTROL_STOP] = "stop",
    [CONTROL_QUEUE_LIST] = "queue-list",
    [CONTROL_QUEUE_SHOW] = "queue-show",
    [CONTROL_QUEUE_VERIFY] = "queue-verify",
    [CONTROL_QUEUE_COUNTS] = "queue-counts",
};

static const char *const status_names[CONTROL_STATUS_COUNT] = {
    [CONTROL_OK] = "ok",   [CONTROL_UNKNOWN] = "unknown", [CONTROL_BUSY] = "busy",
    [CONTROL_BAD] = "bad", [CONTROL_FAILED] = "failed",
};

static const struct {
    const char *name;
    uint8_t state;
} state_names[] = {{"queued", QUESTION_QUEUED}, {"deferred", QUESTION_DEFERRED}, {"held", QUESTION_HELD}};
enum { STATES = sizeof state_names / sizeof state_names[0] };

const char *control_verb_name(enum control_verb verb)
{
    return (unsigned)verb < CONTROL_VERB_COUNT ? verb_names[verb] : "?";
}

const char *control_status_name(enum control_status status)
{
    return (unsigned)status < CONTROL_STATUS_COUNT ? status_names[status] : "?";
}

static bool is_control(uint8_t c)
{
    return c < 32 || c == 127;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s.p[i])) return true;
    return false;
}

static void put_filter(struct buf *b, const char *name, struct span value)
{
    if (value.n == 0) return;
    if (value.n > LIMIT_QUESTION_FILTER_OCTETS || has_control(value)) {
        b->over = true;
        return;
    }
    buf_byte(b, '\t');
    buf_str(b, name);
    buf_byte(b, '=');
    buf_put(b, value);
}

void control_request_put(struct buf *b, const struct control_request *r)
{
    buf_str(b, control_verb_name(r->verb));
    if (r->verb == CONTROL_QUEUE_SHOW) {
        buf_str(b, "\tid=");
        message_id_put(b, r->id);
    }
    if (r->verb == CONTROL_QUEUE_LIST) {
        const char *before = "\tstate=";
        for (size_t i = 0; i < STATES; i++) {
            if (!(r->states & state_names[i].state)) continue;
            buf_str(b, before);
            buf_str(b, state_names[i].name);
            before = ",";
        }
        put_filter(b, "from", r->from);
        put_filter(b, "to", r->to);
    }
    buf_byte(b, '\n');
}

/* What stands before the first c, and *rest behind it; *rest.p is null when there was no c. */
static struct span cut(struct span s, uint8_t c, struct span *rest)
{
    size_t at = span_find(s, c);
    if (at == SPAN_NPOS) {
        *rest = (struct span){NULL, 0};
        return s;
    }
    *rest = span_skip(s, at + 1);
    return span_head(s, at);
}

bool control_states_read(struct span text, uint8_t *states)
{
    uint8_t all = 0;
    do {
        struct span rest, word = cut(text, ',', &rest);
        uint8_t state = 0;
        for (size_t i = 0; i < STATES; i++)
            if (span_eq(word, span_str(state_names[i].name))) state = state_names[i].state;
        if (state == 0) return false;
        all |= state;
        text = rest;
    } while (text.p);
    *states = all;
    return true;
}

static bool read_argument(struct span word, struct control_request *r, const char **why)
{
    struct span value, name = cut(word, '=', &value);
    bool list = r->verb == CONTROL_QUEUE_LIST;
    *why = "malformed argument";
    if (value.n == 0) return false;
    if (r->verb == CONTROL_QUEUE_SHOW && r->id == 0 && span_eq(name, SPAN("id")))
        return message_id_parse(value, &r->id);
    if (list && r->states == 0 && span_eq(name, SPAN("state"))) return control_states_read(value, &r->states);
    if (value.n <= LIMIT_QUESTION_FILTER_OCTETS) {
        if (list && r->from.n == 0 && span_eq(name, SPAN("from"))) {
            r->from = value;
            return true;
        }
        if (list && r->to.n == 0 && span_eq(name, SPAN("to"))) {
            r->to = value;
            return true;
        }
    }
    *why = "unknown or repeated argument";
    return false;
}

bool control_request_read(struct span line, struct control_request *ret, const char **why)
{
    struct control_request r = {.verb = CONTROL_VERB_COUNT};
    struct span rest, word = cut(line, '\t', &rest);
    for (unsigned v = 0; v < CONTROL_VERB_COUNT; v++)
        if (span_eq(word, span_str(verb_names[v]))) r.verb = (enum control_verb)v;
    *why = "unknown request";
    if (r.verb == CONTROL_VERB_COUNT) return false;
    while (rest.p) {
        word = cut(rest, '\t', &rest);
        if (has_control(word)) {
            *why = "control octet";
            return false;
        }
        if (!read_argument(word, &r, why)) return false;
    }
    *why = "no message named";
    if (r.verb == CONTROL_QUEUE_SHOW && r.id == 0) return false;
    *ret = r;
    return true;
}

bool control_question(const struct control_request *r, struct question *ret)
{
    static const uint8_t kinds[CONTROL_VERB_COUNT] = {
        [CONTROL_QUEUE_LIST] = QUESTION_LIST,
        [CONTROL_QUEUE_SHOW] = QUESTION_SHOW,
        [CONTROL_QUEUE_VERIFY] = QUESTION_VERIFY,
        [CONTROL_QUEUE_COUNTS] = QUESTION_COUNTS,
    };
    if (r->verb < CONTROL_QUEUE_LIST || r->verb >= CONTROL_VERB_COUNT) return false;
    *ret = (struct question){.kind = kinds[r->verb],
                             .id = r->id,
                             .states = r->states,
                             .page = LIMIT_QUESTION_PAGE_LINES,
                             .from = r->from,
                             .to = r->to};
    return true;
}

static void put_printable(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_byte(b, is_control(s.p[i]) ? '?' : s.p[i]);
}

void control_lines_put(struct buf *b, struct span text)
{
    while (text.n > 0) {
        struct span rest, line = cut(text, '\n', &rest);
        buf_byte(b, '+');
        put_printable(b, line);
        buf_byte(b, '\n');
        text = rest;
    }
}

void control_end_put(struct buf *b, enum control_status status, struct span text)
{
    buf_byte(b, '=');
    buf_str(b, control_status_name(status));
    if (text.n > 0) {
        buf_byte(b, ' ');
        put_printable(b, span_head(text, LIMIT_CONTROL_TEXT_OCTETS));
    }
    buf_byte(b, '\n');
}

enum control_found control_answer_next(struct span in, size_t *consumed, struct span *ret,
                                       enum control_status *status)
{
    size_t end = span_find(in, '\n');
    if (in.n > 0 && in.p[0] != '+' && in.p[0] != '=') return CONTROL_BROKEN;
    if (end == SPAN_NPOS) return CONTROL_MORE;
    struct span line = span_head(span_skip(in, 1), end - 1);
    if (in.p[0] == '+') {
        *ret = line;
        *consumed = end + 1;
        return CONTROL_LINE;
    }
    struct span text, word = cut(line, ' ', &text);
    for (unsigned s = 0; s < CONTROL_STATUS_COUNT; s++) {
        if (!span_eq(word, span_str(status_names[s]))) continue;
        *status = (enum control_status)s;
        *ret = text;
        *consumed = end + 1;
        return CONTROL_END;
    }
    return CONTROL_BROKEN;
}
