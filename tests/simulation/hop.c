#include "hop.h"

#include <stdlib.h>

enum trick {
    TRICK_NONE,
    TRICK_CLOSE,   /* ends behind an octet of what the client says */
    TRICK_CUT,     /* ends behind an octet of its replies */
    TRICK_SILENT,  /* says nothing from a reply on */
    TRICK_STALL,   /* reads nothing from an octet on */
    TRICK_421,     /* instead of a reply, and closes */
    TRICK_GARBAGE, /* instead of a reply */
    TRICK_ENDLESS, /* a reply without end */
    TRICK_FORGET,  /* breaks off at the end of the message without having taken it */
    TRICK_TAKE,    /* breaks off at the end of the message, having taken it */
    TRICK_HONEST,  /* those above leave no doubt about who has what; those below do */
    TRICK_TWICE,   /* a reply comes twice */
    TRICK_WRONG,   /* another reply instead of the right one */
    TRICK_COUNT
};

static const uint32_t extensions[HOP_COUNT] = {
    [HOP_LIVE] = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_CHUNKING | EXT_BINARYMIME |
                 EXT_ENHANCEDSTATUSCODES | EXT_DSN,
    [HOP_PLAIN] = 0,
    [HOP_RICH] = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_CHUNKING | EXT_BINARYMIME | EXT_SMTPUTF8 |
                 EXT_ENHANCEDSTATUSCODES | EXT_DSN | EXT_LIMITS,
    [HOP_LMTP] = EXT_PIPELINING | EXT_8BITMIME | EXT_ENHANCEDSTATUSCODES,
    [HOP_SMART] = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_ENHANCEDSTATUSCODES,
    [HOP_LIAR] = EXT_PIPELINING | EXT_CHUNKING | EXT_8BITMIME | EXT_ENHANCEDSTATUSCODES,
    [HOP_LMTP_LIAR] = EXT_PIPELINING | EXT_CHUNKING | EXT_8BITMIME | EXT_ENHANCEDSTATUSCODES,
    [HOP_DEAD] = EXT_PIPELINING,
    [HOP_NEVER] = EXT_PIPELINING | EXT_CHUNKING | EXT_ENHANCEDSTATUSCODES,
    [HOP_CLIENT] = EXT_PIPELINING | EXT_CHUNKING | EXT_8BITMIME | EXT_SMTPUTF8 | EXT_ENHANCEDSTATUSCODES,
};

static bool lmtp(unsigned hop)
{
    return hop == HOP_LMTP || hop == HOP_LMTP_LIAR;
}

static bool well_behaved(const struct hops *h, const struct connection *c)
{
    return h->calm || c->hop == HOP_LIVE || c->hop == HOP_NEVER;
}

void hops_begin(struct hops *h, struct scene *scene, struct post *post)
{
    memset(h, 0, sizeof *h);
    h->scene = scene;
    h->post = post;
    post->liars = 1u << HOP_LIAR | 1u << HOP_LMTP_LIAR;
}

static void release(struct hops *h, struct connection *c)
{
    if (c->takes) post_heard(h->post, c, c->link.down.read, c->socket.read_ms, true);
    link_free(&c->link);
    free(c->content);
    *c = (struct connection){.used = false};
}

void hops_end(struct hops *h)
{
    for (unsigned i = 0; i < HOP_CONNECTIONS; i++)
        if (h->connections[i].used) release(h, &h->connections[i]);
}

/* --- what the hop says --- */

static void hang_up(struct hops *h, struct connection *c)
{
    if (c->closing) return;
    c->closing = true;
    if (roll(h->scene->dice, 2))
        c->link.down.ended = true;
    else
        link_reset(&c->link, h->scene->dice);
    machine_wake(&c->socket, LOOP_READ | LOOP_FIN);
}

static void put(struct hops *h, struct connection *c, struct span octets)
{
    struct pipe *down = &c->link.down;
    if (c->closing) return;
    if (c->trick == TRICK_CUT && down->sent + octets.n > c->trick_at) {
        pipe_write(down, span_head(octets, (size_t)(c->trick_at - down->sent)));
        hang_up(h, c);
        return;
    }
    pipe_write(down, octets);
}

static void put_garbage(struct hops *h, struct connection *c)
{
    static const char *const garbage[] = {"250 fine\n",   "\r\n",         "25\r\n",    "hello\r\n",
                                          "999 what\r\n", "250+fine\r\n", "\0\0\0\r\n"};
    const char *text = garbage[roll(h->scene->dice, sizeof garbage / sizeof garbage[0])];
    put(h, c, span_of(text, text[0] ? strlen(text) : 5));
}

static void put_wrong(struct hops *h, struct connection *c)
{
    static const char *const wrong[] = {"220 what\r\n",        "250 2.0.0 yes\r\n", "354 go\r\n",
                                        "450 4.2.0 no\r\n",    "451 no\r\n",        "503 5.5.1 no\r\n",
                                        "550 5.1.1 never\r\n", "552 much\r\n"};
    put(h, c, span_str(wrong[roll(h->scene->dice, sizeof wrong / sizeof wrong[0])]));
}

/* True: the reply went out as it was meant. */
static bool say(struct hops *h, struct connection *c, struct span reply)
{
    uint64_t at = c->replies++;
    bool meant = at == c->trick_at;
    switch (c->trick) {
    case TRICK_SILENT:
        if (at >= c->trick_at) return false;
        break;
    case TRICK_421:
        if (!meant) break;
        put(h, c, SPAN("421 4.3.2 going down\r\n"));
        hang_up(h, c);
        return false;
    case TRICK_GARBAGE: /* what comes behind it nobody reads as a reply any more */
        if (at < c->trick_at) break;
        if (meant)
            put_garbage(h, c);
        else
            put(h, c, reply);
        return false;
    case TRICK_ENDLESS:
        for (unsigned i = 0; meant && i < 3000; i++)
            put(h, c, SPAN("250-and so on\r\n"));
        break;
    case TRICK_TWICE:
        if (meant) put(h, c, reply);
        break;
    case TRICK_WRONG:
        if (meant) {
            put_wrong(h, c);
            return false;
        }
        break;
    default: break;
    }
    put(h, c, reply);
    return true;
}

/* One reply after the other. False: the last one did not go out as meant. */
static bool say_all(struct hops *h, struct connection *c, struct buf *out)
{
    struct span rest = buf_span(out);
    bool meant = true;
    while (rest.n) {
        size_t n = 0;
        do {
            size_t lf = span_find(span_skip(rest, n), '\n');
            bool last = rest.n < n + 4 || rest.p[n + 3] != '-';
            n = lf == SPAN_NPOS ? rest.n : n + lf + 1;
            if (last) break;
        } while (n < rest.n);
        meant = say(h, c, span_head(rest, n));
        rest = span_skip(rest, n);
    }
    out->n = 0;
    return meant;
}

/* --- a transaction --- */

static struct server_verdict verdict(struct hops *h, const struct connection *c)
{
    static const struct server_verdict no[] = {
        {421, "4.3.2", SPAN("Going down"), true},  {450, "4.2.1", SPAN("Not now"), true},
        {451, "4.3.0", SPAN("Trouble"), true},     {452, "4.5.3", SPAN("Too many"), true},
        {550, "5.7.1", SPAN("Never"), true},       {552, "5.5.3", SPAN("Too many"), true},
        {554, "5.6.0", SPAN("Not this one"), true}};
    if (well_behaved(h, c) || roll(h->scene->dice, 10)) return (struct server_verdict){0};
    return no[roll(h->scene->dice, sizeof no / sizeof no[0])];
}

static struct server_verdict on_rcpt(struct hops *h, struct connection *c, const struct server_detail *d)
{
    static const struct server_verdict nobody = {550, "5.1.1", SPAN("Nobody here"), true};
    uint8_t memory[LIMIT_PATH_OCTETS + 2];
    struct buf path = buf_on(memory, sizeof memory);
    path_put(&d->path, &path);
    if (!post_find(h->post, buf_span(&path), &c->to[c->n_to].letter, &c->to[c->n_to].i,
                   &c->to[c->n_to].sender)) {
        scene_wrong(h->scene, "RCPT names nobody: %.*s", (int)path.n, (const char *)path.p);
        return nobody;
    }
    if (c->hop == HOP_NEVER && !c->to[c->n_to].sender) return nobody;
    struct server_verdict v = verdict(h, c);
    if (v.code == 0 && ++c->n_to == HOP_TO) {
        c->n_to--;
        v = (struct server_verdict){452, "4.5.3", SPAN("Too many"), true};
    }
    return v;
}

static void on_body(struct connection *c, struct span octets)
{
    if (octets.n > c->max_content - c->n_content) {
        c->max_content = (c->n_content + octets.n) * 2;
        c->content = realloc(c->content, c->max_content);
        if (!c->content) abort();
    }
    memcpy(c->content + c->n_content, octets.p, octets.n);
    c->n_content += octets.n;
}

/* RFC 5321 4.5.2, 2.3.8, once more and in other words: what was on the wire is lines that end with CRLF, of which none but the last is
 * a lone dot and none but those that were stuffed begins with one. */
static void check_wire(struct hops *h, const struct connection *c)
{
    struct span rest = span_of(c->link.up.p + c->content_at, (size_t)(c->link.up.read - c->content_at));
    size_t at = 0;
    while (rest.n) {
        size_t lf = span_find(rest, '\n'), n = lf + 1;
        if (lf == SPAN_NPOS || lf == 0 || rest.p[lf - 1] != '\r' || span_find(rest, '\r') != lf - 1) {
            scene_wrong(h->scene, "a line that left does not end with CRLF, or holds another CR");
            return;
        }
        struct span line = span_head(rest, n);
        bool dot = line.p[0] == '.';
        rest = span_skip(rest, n);
        if (dot && n == 3) {
            if (rest.n || at != c->n_content) scene_wrong(h->scene, "a lone dot stands within what left");
            return;
        }
        if (dot) line = span_skip(line, 1);
        if (dot && line.p[0] != '.') scene_wrong(h->scene, "a dot that left was not doubled");
        if (line.n > c->n_content - at || memcmp(line.p, c->content + at, line.n) != 0) {
            scene_wrong(h->scene, "what left is not what came in");
            return;
        }
        at += line.n;
    }
    scene_wrong(h->scene, "what left has no end");
}

static void settle_all(struct hops *h)
{
    for (unsigned i = 0; i < HOP_CONNECTIONS; i++) {
        struct connection *c = &h->connections[i];
        if (c->takes) post_heard(h->post, c, c->link.down.read, c->socket.read_ms, !c->socket.open);
    }
}

static void take(struct hops *h, struct connection *c, unsigned k, bool told)
{
    struct span content = span_of(c->content, c->n_content);
    const struct pipe *down = &c->link.down;
    bool goes_out = !c->closing && !down->deaf && !down->reset && !down->ended;
    struct post_take t = {.connection = c,
                          .reply_end = c->link.down.sent,
                          .ms = machine.mono_ms,
                          .late = !c->socket.open,
                          .told = told && goes_out};
    if (c->to[k].sender) {
        post_notice_taken(h->post, c->to[k].letter, content);
        return;
    }
    c->takes = true;
    post_taken(h->post, c->to[k].letter, c->to[k].i, c->hop, content, &t);
}

/* RFC 2033 4.2: one reply for each recipient, which may differ. */
static void answer_lmtp(struct hops *h, struct connection *c, struct span reply)
{
    bool taken = reply.n && reply.p[0] == '2';
    for (unsigned k = 0; k < c->n_to && !c->closing; k++) {
        bool this = taken && (well_behaved(h, c) || roll(h->scene->dice, 5));
        struct span no = roll(h->scene->dice, 2) ? SPAN("452 4.2.2 Full\r\n") : SPAN("550 5.2.1 Closed\r\n");
        bool told = say(h, c, taken && !this ? no : reply);
        if (this) take(h, c, k, told);
    }
}

static void on_body_end(struct hops *h, struct connection *c, struct buf *out)
{
    struct server_verdict v = verdict(h, c);
    settle_all(h);
    if (c->content_at) check_wire(h, c);
    if (c->trick == TRICK_FORGET || c->trick == TRICK_TAKE) {
        for (unsigned k = 0; c->trick == TRICK_TAKE && k < c->n_to; k++)
            take(h, c, k, false);
        hang_up(h, c);
    }
    say_all(h, c, out);
    server_answer(&c->engine, machine.mono_ms, &v, out);
    if (c->closing) return;
    if (lmtp(c->hop)) {
        answer_lmtp(h, c, buf_span(out));
        out->n = 0;
        return;
    }
    bool told = say_all(h, c, out);
    for (unsigned k = 0; v.code == 0 && k < c->n_to; k++)
        take(h, c, k, told);
}

static bool act(struct hops *h, struct connection *c, enum server_event event, const struct server_detail *d,
                struct buf *out)
{
    struct server_verdict v = {0};
    switch (event) {
    case SERVER_MAIL:
        v = verdict(h, c);
        c->n_to = 0;
        break;
    case SERVER_RCPT: v = on_rcpt(h, c, d); break;
    case SERVER_BODY_BEGIN: {
        const struct pipe *up = &c->link.up;
        bool data = up->read >= 6 && memcmp(up->p + up->read - 6, "DATA\r\n", 6) == 0;
        c->content_at = data ? up->read : 0;
        c->n_content = 0;
        v = verdict(h, c);
        break;
    }
    case SERVER_BODY: on_body(c, d->body); return true;
    case SERVER_BODY_END: on_body_end(h, c, out); return !c->closing;
    case SERVER_ABORT: c->n_to = 0; return true;
    default: return false;
    }
    server_answer(&c->engine, machine.mono_ms, &v, out);
    return true;
}

/* How much of what came the hop looks at. */
static struct span view(struct hops *h, struct connection *c)
{
    struct pipe *up = &c->link.up;
    struct span in = pipe_inbox(up);
    bool stops = c->trick == TRICK_CLOSE || c->trick == TRICK_STALL;
    uint64_t rest = c->trick_at > up->read ? c->trick_at - up->read : 0;
    if (stops) in = span_head(in, (size_t)(rest < in.n ? rest : in.n));
    if (c->trick == TRICK_CLOSE && rest == 0) hang_up(h, c);
    if (lmtp(c->hop) && up->read == 0 && in.n && in.p[0] == 'L') up->p[0] = 'E'; /* our engine has no LHLO */
    return in;
}

static void serve(struct hops *h, struct connection *c)
{
    uint8_t memory[4 * SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    while (!c->closing) {
        struct span in = view(h, c), all = in;
        struct server_detail d;
        if (c->closing) break;
        enum server_event event = server_next(&c->engine, machine.mono_ms, &in, &out, &d);
        c->link.up.read += all.n - in.n;
        machine.moved += all.n - in.n;
        if (event == SERVER_CLOSE) {
            say_all(h, c, &out);
            hang_up(h, c);
        } else if (event == SERVER_FLUSH) {
            say_all(h, c, &out);
        } else if (event == SERVER_INPUT || event == SERVER_WAIT) {
            break;
        } else if (!act(h, c, event, &d, &out)) {
            break;
        }
    }
    say_all(h, c, &out);
}

/* --- connections --- */

static uint8_t choose_trick(struct hops *h, struct connection *c)
{
    bool liar = c->hop == HOP_LIAR || c->hop == HOP_LMTP_LIAR;
    if (c->hop == HOP_DEAD) return TRICK_SILENT;
    if (well_behaved(h, c) || roll(h->scene->dice, 2)) return TRICK_NONE;
    return (uint8_t)roll(h->scene->dice, liar ? TRICK_COUNT : TRICK_HONEST);
}

static void configure(struct connection *c)
{
    c->conf = (struct server_conf){.hostname = SPAN("hop.example"),
                                   .extensions = extensions[c->hop],
                                   .max_recipients = HOP_TO,
                                   .max_messages = 20,
                                   .max_errors = 1000,
                                   .max_junk = 1000,
                                   .max_received = 100,
                                   .max_session_octets = LIMIT_SESSION_OCTETS_MAX,
                                   .max_message_octets = 1000000,
                                   .max_line_octets = 1000000,
                                   .command_seconds = 100000,
                                   .data_block_seconds = 100000,
                                   .session_seconds = 1000000,
                                   .message_seconds = 1000000,
                                   .minimum_rate = 1};
}

int hops_connect(struct hops *h, unsigned hop)
{
    static const size_t windows[] = {1, 100, 1000, 20000, 100000};
    struct sim_disk *dice = h->scene->dice;
    uint8_t memory[SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    struct connection *c = NULL;
    for (unsigned i = 0; i < HOP_CONNECTIONS && !c; i++)
        if (!h->connections[i].used) c = &h->connections[i];
    if (!c) return -1;
    *c = (struct connection){.used = true, .hop = hop, .link = {.session = ++h->serials}};
    configure(c);
    c->trick = choose_trick(h, c);
    bool of_replies = c->trick >= TRICK_SILENT && c->trick != TRICK_STALL;
    c->trick_at = of_replies ? roll(dice, 9) : roll(dice, roll(dice, 2) ? 250 : 4000);
    if (hop == HOP_DEAD) c->trick_at = 0;
    if (!well_behaved(h, c) && roll(dice, 8) == 0) c->slow_until_ms = machine.mono_ms + roll(dice, 900000);
    c->socket = (struct socket){.link = &c->link, .window = windows[1 + roll(dice, 4)]};
    if (!well_behaved(h, c) && roll(dice, 16) == 0) c->socket.window = 1;
    if (h->calm) c->socket.window = windows[4];
    server_begin(&c->engine, &c->conf, machine.mono_ms, false, &out);
    int fd = machine_socket(&c->socket);
    say_all(h, c, &out);
    h->post->numbers.connections++;
    scene_note(h->scene, "connection", c->link.session << 8 | hop, c->trick);
    return fd;
}

static void move(struct hops *h, struct connection *c)
{
    struct pipe *down = &c->link.down;
    bool was_over = pipe_over(down);
    for (unsigned i = 0; i < (h->calm ? 4 : 1); i++) {
        (void)pipe_move(&c->link.up, h->scene->dice);
        if (!pipe_move(down, h->scene->dice)) continue;
        machine.moved++;
        machine_wake(&c->socket, LOOP_READ);
    }
    if (!was_over && (down->reset || (down->ended && down->arrived == down->sent && !down->deaf)))
        machine_wake(&c->socket, LOOP_READ | LOOP_FIN);
}

static bool finished(const struct connection *c)
{
    const struct pipe *up = &c->link.up;
    if (c->socket.open) return false;
    return c->closing || up->reset || c->trick == TRICK_STALL || up->read == up->sent ||
           (up->deaf && up->read == up->arrived);
}

void hops_act(struct hops *h, struct connection *c)
{
    struct pipe *up = &c->link.up;
    if (!c->used) return;
    move(h, c);
    if (!c->closing && !up->reset && machine.mono_ms >= c->slow_until_ms) serve(h, c);
    if (c->takes) post_heard(h->post, c, c->link.down.read, c->socket.read_ms, false);
    if (c->socket.blocked && (up->reset || up->sent - up->read < c->socket.window)) {
        c->socket.blocked = false;
        machine_wake(&c->socket, LOOP_WRITE | (up->reset ? LOOP_READ | LOOP_HUP : 0));
    }
    if (finished(c)) release(h, c);
}

bool hops_act_all(struct hops *h)
{
    uint64_t before = machine.moved;
    for (unsigned i = 0; i < HOP_CONNECTIONS; i++)
        hops_act(h, &h->connections[i]);
    return machine.moved != before;
}

void hops_break(struct hops *h, struct connection *c)
{
    if (!c->used || well_behaved(h, c)) return;
    scene_note(h->scene, "breaks", c->link.session, c->link.up.arrived);
    h->post->numbers.resets++;
    switch (roll(h->scene->dice, 4)) {
    case 0: c->link.down.deaf = true; break;
    case 1: c->link.up.deaf = true; break;
    default:
        link_reset(&c->link, h->scene->dice);
        machine_wake(&c->socket, LOOP_READ | LOOP_WRITE | LOOP_HUP);
        break;
    }
}
