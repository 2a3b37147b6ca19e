/* Replies: whole ones, made from octets as they come (RFC 5321 4.2). */
#include "engine/client_private.h"
#include "smtp/line.h"

/* For people: printable ASCII, anything else as \xHH; never half an escape. */
static void put_text(struct client_words *w, struct span text)
{
    static const char digit[] = "0123456789abcdef";
    struct buf b = {.p = (uint8_t *)w->text, .n = w->text_n, .max = sizeof w->text};
    if (b.n && text.n && buf_room(&b)) buf_byte(&b, ' ');
    for (size_t i = 0; i < text.n && !b.over; i++) {
        uint8_t c = text.p[i], escaped[4] = {'\\', 'x', digit[c >> 4], digit[c & 15]};
        if (c >= 32 && c <= 126)
            buf_byte(&b, c);
        else
            buf_put(&b, span_of(escaped, sizeof escaped));
    }
    w->text_n = (uint16_t)b.n;
}

/* The mechanisms are ours from here on; a list that is too long is cut between two of them. */
static void keep_mechanisms(struct client *c)
{
    struct span all = c->ehlo.auth;
    if (all.n == 0 || all.p == (const uint8_t *)c->mechanisms) return;
    if (all.n > sizeof c->mechanisms) {
        all.n = sizeof c->mechanisms;
        size_t blank = span_rfind(all, ' ');
        all.n = blank == SPAN_NPOS ? 0 : blank;
    }
    if (all.n) memcpy(c->mechanisms, all.p, all.n);
    c->ehlo.auth = span_of(c->mechanisms, all.n);
}

static void begin(struct client *c, const struct reply_line *r)
{
    c->heard = (struct client_words){.code = (uint16_t)r->code};
}

/* One line of the reply, without its CRLF. False: no reply line. */
static bool take_line(struct client *c, struct span line, bool *last, const char **why)
{
    struct reply_line r;
    *why = "what the server says is no SMTP reply";
    if (!reply_parse(line, &r)) return false;
    if (c->reply_lines == 0) begin(c, &r);
    *why = "the server changes the code within a reply";
    if (r.code != c->heard.code) return false;
    *why = "the server's reply has no end";
    if (++c->reply_lines > LIMIT_REPLY_LINES) return false;
    struct enhanced e;
    size_t code = r.enhanced.class ? enhanced_parse(r.text, &e) : 0;
    if (code && c->heard.enhanced.class == 0) c->heard.enhanced = r.enhanced;
    if (c->phase == PHASE_EHLO && r.code / 100 == 2 && c->reply_lines > 1) {
        ehlo_read_line(r.text, &c->ehlo);
        keep_mechanisms(c);
    }
    put_text(&c->heard, code ? span_skip(r.text, code + 1) : r.text);
    c->last_line = r.text;
    *last = r.last;
    return true;
}

static bool consume(struct client *c, struct span *in, size_t n)
{
    *in = span_skip(*in, n);
    c->reply_octets += (uint32_t)(n < LIMIT_REPLY_OCTETS ? n : LIMIT_REPLY_OCTETS);
    return c->reply_octets <= LIMIT_REPLY_OCTETS;
}

static enum client_heard whole(struct client *c)
{
    unsigned class = client_class(c);
    c->reply_octets = c->reply_lines = 0;
    if (c->heard.enhanced.class == 0) c->heard.enhanced = (struct enhanced){(uint16_t) class, 0, 0};
    return HEARD_REPLY;
}

/* One line out of *in. HEARD_REPLY: it was the last of its reply. */
static enum client_heard hear_line(struct client *c, struct span *in, bool *again, const char **why)
{
    struct span line = {NULL, 0};
    size_t used = 0;
    bool last = false;
    enum line_status status = line_find(*in, CLIENT_INPUT_ROOM, &line, &used);
    switch (status) {
    case LINE_MORE: /* a server that ends its lines so waits for ever, and so would we */
        if (span_find(*in, '\n') == SPAN_NPOS) return HEARD_MORE;
        *why = "the server ends lines with a bare LF";
        return HEARD_GARBAGE;
    case LINE_BARE_LF: *why = "the server ends lines with a bare LF"; return HEARD_GARBAGE;
    case LINE_TOO_LONG: /* its beginning says all that matters */
        c->skipping = !(used >= 2 && in->p[used - 1] == '\n' && in->p[used - 2] == '\r');
        line = span_head(*in, LIMIT_REPLY_LINE_OCTETS);
        break;
    case LINE_BARE_CR:
    case LINE_NUL: line = span_head(*in, used - 2); break;
    case LINE_OK: break;
    }
    if (!take_line(c, line, &last, why)) return HEARD_GARBAGE;
    *why = "the server's reply has no end";
    if (!consume(c, in, used)) return HEARD_GARBAGE;
    c->skipped_last = last;
    *again = c->skipping || !last;
    return HEARD_REPLY;
}

static enum client_heard skip_line(struct client *c, struct span *in, bool *again, const char **why)
{
    size_t used = 0;
    bool found = line_skip(*in, &used);
    *why = "the server's reply has no end";
    if (!consume(c, in, used)) return HEARD_GARBAGE;
    if (!found) return HEARD_MORE;
    c->skipping = false;
    *again = !c->skipped_last;
    return HEARD_REPLY;
}

enum client_heard client_hear(struct client *c, struct span *in, const char **why)
{
    for (bool again = true; again;) {
        enum client_heard h = c->skipping ? skip_line(c, in, &again, why) : hear_line(c, in, &again, why);
        if (h != HEARD_REPLY) return h;
    }
    return whole(c);
}

struct client_reply client_reply_of(const struct client_words *w)
{
    return (struct client_reply){w->code, w->enhanced, span_of(w->text, w->text_n)};
}
