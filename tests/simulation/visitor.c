#include "visitor.h"

#include "spool/message_id.h"

enum phase { HELLO, IDLE, RECIPIENTS, AWAIT_GO, CHUNKS, LEAVING };
enum kind { GREETING, EHLO, MAIL, RCPT, DATA, CHUNK, END, LAST, RSET, NOOP, VRFY, JUNK, QUIT };

void visitor_begin(struct visitor *c, struct scene *scene, struct link *link)
{
    *c = (struct visitor){.scene = scene, .link = link};
    c->pipelines = roll(scene->dice, 2);
    c->letters_left = (uint32_t)roll(scene->dice, 6);
    c->n = 1; /* the greeting */
}

static bool starts(struct span reply, const char *text)
{
    struct span t = span_str(text);
    return reply.n >= t.n && memcmp(reply.p, t.p, t.n) == 0;
}

static void unexpected(struct visitor *c, struct span reply, const char *to)
{
    scene_wrong(c->scene, "session %u: reply to %s: %.*s", c->link->session, to,
                reply.n > 2 ? (int)(reply.n - 2) : 0, (const char *)reply.p);
}

static void forget(struct visitor *c)
{
    c->mail_ok = c->chunk_failed = false;
    c->rcpt_ok = 0;
}

static void on_rcpt(struct visitor *c, const struct expected_reply *e, struct span reply)
{
    bool fits = !c->mail_ok ? starts(reply, "503 5.5.1")
                : e->good   ? starts(reply, "250 2.1.5")
                            : starts(reply, "550 5.1.1");
    if (!fits) unexpected(c, reply, "RCPT");
    if (starts(reply, "250")) c->rcpt_ok++;
}

static void on_accepted(struct visitor *c, struct letter *l, struct span reply, bool may)
{
    struct span id = span_skip(reply, sizeof "250 2.0.0 queued as " - 1);
    if (!may || l->bad || !starts(reply, "250 2.0.0 queued as ") || id.n < 2 ||
        !message_id_parse(span_head(id, id.n - 2), &l->read_id))
        unexpected(c, reply, "the end of content");
    if (l->read_250 || l->read_refusal) scene_wrong(c->scene, "letter %u has two answers", l->serial);
    l->read_250 = true;
    c->scene->numbers.accepted++;
    scene_note(c->scene, "letter is accepted", l->read_id, l->serial);
}

static void on_end(struct visitor *c, const struct expected_reply *e, struct span reply)
{
    struct letter *l = &c->scene->letters[e->letter];
    bool may = c->mail_ok && c->rcpt_ok > 0 && !c->chunk_failed;
    if (reply.p[0] == '2') {
        on_accepted(c, l, reply, may);
    } else {
        bool fits = !may ? reply.p[0] == '4' || reply.p[0] == '5' : reply.p[0] == (l->bad ? '5' : '4');
        if (!fits) unexpected(c, reply, "the end of content");
        l->read_refusal = true;
        c->scene->numbers.refused++;
        scene_note(c->scene, "letter is refused", l->bad, l->serial);
    }
    forget(c);
}

static void on_chunk(struct visitor *c, const struct expected_reply *e, struct span reply)
{
    const struct letter *l = &c->scene->letters[e->letter];
    bool may = c->mail_ok && c->rcpt_ok > 0 && !c->chunk_failed;
    bool fits = may && starts(reply, "250 2.0.0 Chunk");
    if (!fits) fits = reply.p[0] == '4' || (reply.p[0] == '5' && (!may || l->bad));
    if (!fits) unexpected(c, reply, "BDAT");
    if (reply.p[0] != '2') c->chunk_failed = true;
}

static void on_data(struct visitor *c, struct span reply)
{
    bool may = c->mail_ok && c->rcpt_ok > 0;
    bool fits = may ? starts(reply, "354 ") || reply.p[0] == '4'
                    : starts(reply, "503 5.5.1") || starts(reply, "554 5.5.1");
    if (!fits) unexpected(c, reply, "DATA");
    c->go = reply.p[0] == '3';
}

static void on_reply(struct visitor *c, struct span reply)
{
    static const struct {
        const char *name, *starts;
    } plain[] = {[GREETING] = {"the greeting", "220 mx.dest.example "},
                 [EHLO] = {"EHLO", "250-mx.dest.example"},
                 [RSET] = {"RSET", "250 2.0.0 Ok"},
                 [NOOP] = {"NOOP", "250 2.0.0 Ok"},
                 [VRFY] = {"VRFY", "252 2.1.5"},
                 [JUNK] = {"nonsense", "500 5.5.1"},
                 [QUIT] = {"QUIT", "221 2.0.0"}};
    if (c->dismissed) unexpected(c, reply, "nothing, after the last word");
    c->scene->numbers.replies++;
    if (starts(reply, "421 ")) {
        c->dismissed = true;
        return;
    }
    if (c->n == 0) {
        unexpected(c, reply, "nothing");
        return;
    }
    struct expected_reply e = c->expected[c->first];
    c->first = (c->first + 1) % VISITOR_EXPECTED;
    c->n--;
    switch ((enum kind)e.kind) {
    case MAIL:
        c->mail_ok = starts(reply, "250 2.1.0");
        if (!c->mail_ok && reply.p[0] != '4') unexpected(c, reply, "MAIL");
        break;
    case RCPT: on_rcpt(c, &e, reply); break;
    case DATA: on_data(c, reply); break;
    case CHUNK: on_chunk(c, &e, reply); break;
    case END:
    case LAST: on_end(c, &e, reply); break;
    default:
        if (!starts(reply, plain[e.kind].starts)) unexpected(c, reply, plain[e.kind].name);
        if (e.kind == RSET || e.kind == EHLO) forget(c);
        if (e.kind == QUIT) c->dismissed = true;
        break;
    }
}

/* A whole reply at the beginning of what is there; empty: not yet. */
static struct span whole_reply(struct visitor *c, struct span in)
{
    for (size_t done = 0;;) {
        struct span line = span_skip(in, done);
        size_t lf = span_find(line, '\n');
        if (lf == SPAN_NPOS) return (struct span){0};
        if (lf < 5 || line.p[lf - 1] != '\r' || lf + 1 > LIMIT_REPLY_LINE_OCTETS ||
            memcmp(line.p, in.p, 3) != 0 || (line.p[3] != ' ' && line.p[3] != '-'))
            unexpected(c, span_head(line, lf + 1), "anything: malformed");
        done += lf + 1;
        if (line.p[3] != '-') return span_head(in, done);
    }
}

static void listen(struct visitor *c)
{
    struct pipe *down = &c->link->down;
    struct span reply;
    while ((reply = whole_reply(c, pipe_inbox(down))).n && !c->scene->error[0]) {
        scene_octets(c->scene, reply);
        on_reply(c, reply);
        down->read += reply.n;
    }
    if (down->reset) down->read = down->arrived; /* half a reply is none */
    if (!pipe_over(down)) return;
    if (!down->reset && !c->dismissed)
        scene_wrong(c->scene, "session %u was closed without a word", c->link->session);
    c->link->up.ended = true;
    c->done = true;
}

static void say(struct visitor *c, struct span octets)
{
    pipe_write(&c->link->up, octets);
}

static void expect(struct visitor *c, enum kind kind, bool good)
{
    c->expected[(c->first + c->n++) % VISITOR_EXPECTED] =
        (struct expected_reply){(uint8_t)kind, good, c->letter};
}

static void command(struct visitor *c, enum kind kind, const char *line)
{
    say(c, span_str(line));
    expect(c, kind, true);
}

static void leave(struct visitor *c)
{
    command(c, QUIT, "QUIT\r\n");
    c->phase = LEAVING;
}

static void reset(struct visitor *c)
{
    command(c, RSET, "RSET\r\n");
    c->phase = IDLE;
}

static void path(struct visitor *c, const char *verb, enum kind kind, const struct letter *l,
                 unsigned recipient)
{
    uint8_t memory[128];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, verb);
    if (kind == MAIL)
        letter_put_sender(&b, l);
    else
        letter_put_recipient(&b, l, recipient);
    buf_str(&b, ">\r\n");
    say(c, buf_span(&b));
    expect(c, kind, l->good >> recipient & 1);
}

static void begin_letter(struct visitor *c)
{
    struct letter *l = scene_new_letter(c->scene, c->link->session);
    if (!l) {
        leave(c);
        return;
    }
    c->letter = l->serial;
    c->letters_left--;
    c->sent = c->recipient = 0;
    path(c, "MAIL FROM:<", MAIL, l, 0);
    c->phase = RECIPIENTS;
}

static void idle(struct visitor *c)
{
    uint64_t what = roll(c->scene->dice, 24);
    if (c->letters_left == 0 || what == 0)
        leave(c);
    else if (what == 1)
        command(c, NOOP, "NOOP\r\n");
    else if (what == 2)
        reset(c);
    else if (what == 3)
        command(c, VRFY, "VRFY somebody\r\n");
    else if (what == 4)
        command(c, JUNK, "ELHO client.example\r\n");
    else
        begin_letter(c);
}

static void recipients(struct visitor *c, const struct letter *l)
{
    if (c->recipient < l->n_recipients) {
        path(c, "RCPT TO:<", RCPT, l, (unsigned)c->recipient++);
        return;
    }
    switch (roll(c->scene->dice, 30)) {
    case 0: leave(c); return;
    case 1:
    case 2: reset(c); return;
    default: break;
    }
    c->phase = l->bdat ? CHUNKS : AWAIT_GO;
    if (!l->bdat) command(c, DATA, "DATA\r\n");
}

static void content(struct visitor *c, struct letter *l)
{
    struct pipe *up = &c->link->up;
    if (!c->go) {
        reset(c);
        return;
    }
    letter_send(l, up);
    l->end_at = up->sent;
    c->scene->numbers.sent++;
    expect(c, END, true);
    c->phase = IDLE;
}

static void chunk(struct visitor *c, struct letter *l)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    size_t rest = l->n - l->unsent - c->sent, n = (size_t)roll(c->scene->dice, rest + 1);
    bool last = roll(c->scene->dice, 3) == 0;
    if (c->sent > 0 && roll(c->scene->dice, 20) == 0) {
        reset(c);
        return;
    }
    if (c->sent > 0 && roll(c->scene->dice, 20) == 0) command(c, NOOP, "NOOP\r\n");
    if (last) n = rest;
    buf_str(&b, "BDAT ");
    buf_u64(&b, n);
    buf_str(&b, last ? " LAST\r\n" : "\r\n");
    say(c, buf_span(&b));
    say(c, span_of(l->octets + c->sent, n));
    c->sent += n;
    expect(c, last ? LAST : CHUNK, true);
    if (!last) return;
    l->end_at = c->link->up.sent;
    c->scene->numbers.sent++;
    c->phase = IDLE;
}

static void speak(struct visitor *c)
{
    struct letter *l = scene_letter(c->scene, c->letter);
    bool waits = !c->pipelines || c->phase == HELLO || c->phase == AWAIT_GO || c->n > VISITOR_EXPECTED - 4 ||
                 (c->scene->numbers.replies && roll(c->scene->dice, 8) == 0);
    if (c->phase == LEAVING || c->dismissed || (waits && c->n > 0)) return;
    switch ((enum phase)c->phase) {
    case HELLO:
        if (c->link->up.sent == 0) {
            command(c, EHLO, "EHLO client.example\r\n");
        } else {
            c->phase = IDLE;
            idle(c);
        }
        break;
    case IDLE: idle(c); break;
    case RECIPIENTS: recipients(c, l); break;
    case AWAIT_GO: content(c, l); break;
    case CHUNKS: chunk(c, l); break;
    case LEAVING: break;
    }
}

void visitor_act(struct visitor *c)
{
    if (c->done) return;
    listen(c);
    for (uint64_t k = 1 + roll(c->scene->dice, 5); !c->done && k > 0; k--)
        speak(c);
}

void visitor_vanish(struct visitor *c)
{
    c->link->up.ended = true;
    c->done = true;
}
