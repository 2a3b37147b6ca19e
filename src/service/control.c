#include "service/control.h"

#include "base/hex.h"
#include "spool/message_id.h"

_Static_assert(LIMIT_CONTROL_REQUEST_OCTETS >= 2 * NEXT_HOP_KEY_OCTETS + 64, "any next hop can be said");

static const char *const verb_names[CONTROL_VERB_COUNT] = {
    [CONTROL_STATUS] = "status",
    [CONTROL_RELOAD] = "reload",
    [CONTROL_STOP] = "stop",
    [CONTROL_EXPLAIN_HOP] = "explain-hop",
    [CONTROL_QUEUE_LIST] = "queue-list",
    [CONTROL_QUEUE_SHOW] = "queue-show",
    [CONTROL_QUEUE_VERIFY] = "queue-verify",
    [CONTROL_QUEUE_COUNTS] = "queue-counts",
    [CONTROL_QUEUE_SUMMARY] = "queue-summary",
    [CONTROL_QUEUE_DESTINATIONS] = "queue-destinations",
    [CONTROL_QUEUE_FLUSH] = "queue-flush",
    [CONTROL_QUEUE_HOLD] = "queue-hold",
    [CONTROL_QUEUE_RELEASE] = "queue-release",
    [CONTROL_QUEUE_REMOVE] = "queue-remove",
    [CONTROL_QUEUE_BOUNCE] = "queue-bounce",
    [CONTROL_QUEUE_REQUEUE] = "queue-requeue",
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

const char *const control_group_names[QUESTION_GROUP_COUNT] = {"destination", "reason"};

bool control_changes(enum control_verb verb)
{
    return verb >= CONTROL_QUEUE_FLUSH && verb < CONTROL_VERB_COUNT;
}

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

/* The texts and numbers of a filter, by name. */
enum { TEXTS = 5, NUMBERS = 4 };
static const char *const text_names[TEXTS] = {"from", "to", "domain", "reason", "destination"};
static const char *const number_names[NUMBERS] = {"larger", "smaller", "older", "newer"};

static struct span *text_of(struct question_filter *f, size_t i)
{
    struct span *const texts[TEXTS] = {&f->from, &f->to, &f->domain, &f->reason, &f->destination};
    return texts[i];
}

static uint64_t *number_of(struct question_filter *f, size_t i)
{
    uint64_t *const numbers[NUMBERS] = {&f->larger, &f->smaller, &f->older_ms, &f->newer_ms};
    return numbers[i];
}

static uint64_t unit_of(size_t i) /* of a number, in the unit of the filter */
{
    return i >= 2 ? 1000 : 1;
}

static bool takes_filter(enum control_verb v)
{
    return v == CONTROL_QUEUE_LIST || v == CONTROL_QUEUE_SUMMARY || control_changes(v);
}

static bool takes_hop(enum control_verb v)
{
    return v == CONTROL_EXPLAIN_HOP || v == CONTROL_QUEUE_DESTINATIONS;
}

void control_request_hop(struct control_request *r, const struct next_hop *hop)
{
    struct buf b = buf_on(r->hop, sizeof r->hop); /* any that is valid fits */
    next_hop_put(&b, hop);
    r->hop_octets = (uint16_t)b.n;
}

static void put_name(struct buf *b, const char *name)
{
    buf_byte(b, '\t');
    buf_str(b, name);
    buf_byte(b, '=');
}

static void put_text(struct buf *b, const char *name, struct span value)
{
    if (value.n == 0) return;
    if (value.n > LIMIT_QUESTION_FILTER_OCTETS || has_control(value)) {
        b->over = true;
        return;
    }
    put_name(b, name);
    buf_put(b, value);
}

static void put_states(struct buf *b, uint8_t states)
{
    const char *before = "\tstate=";
    for (size_t i = 0; i < STATES; i++) {
        if (!(states & state_names[i].state)) continue;
        buf_str(b, before);
        buf_str(b, state_names[i].name);
        before = ",";
    }
}

void control_request_put(struct buf *b, const struct control_request *r)
{
    struct question_filter filter = r->filter, any = QUESTION_FILTER_ANY;
    buf_str(b, control_verb_name(r->verb));
    if (filter.id && (takes_filter(r->verb) || r->verb == CONTROL_QUEUE_SHOW)) {
        put_name(b, "id");
        message_id_put(b, filter.id);
    }
    if (takes_filter(r->verb)) put_states(b, filter.states);
    for (size_t i = 0; i < TEXTS && takes_filter(r->verb); i++)
        put_text(b, text_names[i], *text_of(&filter, i));
    for (size_t i = 0; i < NUMBERS && takes_filter(r->verb); i++) {
        if (*number_of(&filter, i) == *number_of(&any, i)) continue;
        put_name(b, number_names[i]);
        buf_u64(b, *number_of(&filter, i) / unit_of(i));
    }
    if (takes_hop(r->verb) && r->hop_octets) {
        put_name(b, "hop");
        hex_encode(span_of(r->hop, r->hop_octets), b);
    }
    if (r->verb == CONTROL_QUEUE_SUMMARY) put_text(b, "by", span_str(control_group_names[r->group]));
    if (r->all && control_changes(r->verb)) put_text(b, "all", SPAN("yes"));
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

bool control_group_read(struct span text, uint8_t *group)
{
    for (uint8_t i = 0; i < QUESTION_GROUP_COUNT; i++)
        if (span_eq(text, span_str(control_group_names[i]))) {
            *group = i;
            return true;
        }
    return false;
}

static bool read_number(struct span name, struct span value, struct question_filter *f)
{
    struct question_filter any = QUESTION_FILTER_ANY;
    uint64_t n;
    for (size_t i = 0; i < NUMBERS; i++) {
        uint64_t *to = number_of(f, i);
        if (!span_eq(name, span_str(number_names[i])) || *to != *number_of(&any, i)) continue;
        if (!span_u64(value, &n) || n > INT64_MAX / unit_of(i)) return false;
        *to = n * unit_of(i);
        return true;
    }
    return false;
}

static bool read_hop(struct span value, struct control_request *r)
{
    struct buf b = buf_on(r->hop, sizeof r->hop);
    struct next_hop hop;
    if (!hex_decode(value, &b) || b.over) return false;
    struct wire w = wire_on(buf_span(&b));
    r->hop_octets = (uint16_t)b.n;
    return next_hop_read(&w, &hop) && wire_done(&w);
}

static bool read_argument(struct span word, struct control_request *r, const char **why)
{
    struct span value, name = cut(word, '=', &value);
    struct question_filter *f = &r->filter;
    *why = "malformed argument";
    if (value.n == 0) return false;
    bool with_id = takes_filter(r->verb) || r->verb == CONTROL_QUEUE_SHOW;
    if (with_id && f->id == 0 && span_eq(name, SPAN("id"))) return message_id_parse(value, &f->id);
    if (takes_hop(r->verb) && r->hop_octets == 0 && span_eq(name, SPAN("hop"))) return read_hop(value, r);
    if (r->verb == CONTROL_QUEUE_SUMMARY && span_eq(name, SPAN("by")))
        return control_group_read(value, &r->group);
    if (control_changes(r->verb) && span_eq(name, SPAN("all"))) {
        r->all = span_eq(value, SPAN("yes"));
        return r->all;
    }
    if (takes_filter(r->verb)) {
        if (f->states == 0 && span_eq(name, SPAN("state"))) return control_states_read(value, &f->states);
        for (size_t i = 0; i < TEXTS; i++) {
            struct span *to = text_of(f, i);
            if (to->n || value.n > LIMIT_QUESTION_FILTER_OCTETS || !span_eq(name, span_str(text_names[i])))
                continue;
            *to = value;
            return true;
        }
        if (read_number(name, value, f)) return true;
    }
    *why = "unknown, repeated or malformed argument";
    return false;
}

bool control_filter_says(const struct question_filter *f)
{
    return f->id || f->states || f->from.n || f->to.n || f->domain.n || f->reason.n || f->destination.n ||
           f->larger || f->older_ms || f->smaller != UINT64_MAX || f->newer_ms != UINT64_MAX;
}

bool control_request_read(struct span line, struct control_request *ret, const char **why)
{
    struct control_request r = {.verb = CONTROL_VERB_COUNT, .filter = QUESTION_FILTER_ANY};
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
    if (r.verb == CONTROL_QUEUE_SHOW && r.filter.id == 0) return false;
    *why = "no next hop named";
    if (r.verb == CONTROL_EXPLAIN_HOP && r.hop_octets == 0) return false;
    *why = "which messages? say all=yes for every one";
    if (control_changes(r.verb) && !r.all && !control_filter_says(&r.filter)) return false;
    *ret = r;
    return true;
}

bool control_question(const struct control_request *r, struct question *ret)
{
    static const uint8_t kinds[CONTROL_VERB_COUNT] = {
        [CONTROL_QUEUE_LIST] = QUESTION_LIST,       [CONTROL_QUEUE_SHOW] = QUESTION_SHOW,
        [CONTROL_QUEUE_VERIFY] = QUESTION_VERIFY,   [CONTROL_QUEUE_COUNTS] = QUESTION_COUNTS,
        [CONTROL_QUEUE_SUMMARY] = QUESTION_SUMMARY, [CONTROL_QUEUE_DESTINATIONS] = QUESTION_DESTINATIONS,
    };
    if (r->verb < CONTROL_QUEUE_LIST || r->verb >= CONTROL_VERB_COUNT) return false;
    *ret = (struct question){.kind = control_changes(r->verb) ? QUESTION_CHANGE : kinds[r->verb],
                             .what = control_changes(r->verb) ? (uint8_t)(r->verb - CONTROL_QUEUE_FLUSH)
                                                              : r->group,
                             .page = LIMIT_QUESTION_PAGE_LINES,
                             .filter = r->filter,
                             .hop = span_of(r->hop, r->hop_octets)};
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
