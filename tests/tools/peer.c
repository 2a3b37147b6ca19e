#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: rule broken: %s\n", __FILE__, __LINE__, #condition);                     \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

void octets_add(struct octets *o, struct span s)
{
    if (s.n > o->max - o->n) {
        o->max = (o->n + s.n) * 2;
        o->p = realloc(o->p, o->max);
        if (!o->p) abort();
    }
    if (s.n) memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
}

static void octets_free(struct octets *o)
{
    free(o->p);
    *o = (struct octets){NULL, 0, 0};
}

void peer_conf(struct server_conf *c)
{
    *c = (struct server_conf){.hostname = SPAN("mx.dest.example"),
                              .extensions = 0xffffffff,
                              .max_recipients = LIMIT_RECIPIENTS_DEFAULT,
                              .max_messages = LIMIT_MESSAGES_PER_SESSION_DEFAULT,
                              .max_errors = LIMIT_ERRORS_PER_SESSION_DEFAULT,
                              .max_junk = LIMIT_JUNK_COMMANDS_DEFAULT,
                              .max_received = LIMIT_RECEIVED_FIELDS_DEFAULT,
                              .max_message_octets = LIMIT_MESSAGE_OCTETS_DEFAULT,
                              .max_session_octets = LIMIT_SESSION_OCTETS_DEFAULT,
                              .max_line_octets = LIMIT_LINE_OCTETS_DEFAULT,
                              .command_seconds = LIMIT_COMMAND_SECONDS_DEFAULT,
                              .data_block_seconds = LIMIT_DATA_BLOCK_SECONDS_DEFAULT,
                              .session_seconds = LIMIT_SESSION_SECONDS_DEFAULT,
                              .message_seconds = LIMIT_MESSAGE_SECONDS_DEFAULT,
                              .minimum_rate = LIMIT_MINIMUM_RATE_OCTETS_PER_SECOND_DEFAULT};
}

static void drop(struct peer *p)
{
    p->in_transaction = p->body_begun = false;
    p->content.n = p->from.n = p->recipients.n = 0;
}

static void note(struct peer *p, char letter)
{
    octets_add(&p->events, span_of(&letter, 1));
}

static void say(struct peer *p, struct buf *out)
{
    MUST(!out->over);
    octets_add(&p->replies, buf_span(out));
    out->n = 0;
}

static void add_path(struct octets *o, const struct path *path)
{
    octets_add(o, path->local);
    if (path->domain.n) {
        octets_add(o, SPAN("@"));
        octets_add(o, path->domain);
    }
    if (path->postmaster) octets_add(o, SPAN("postmaster"));
}

static bool key_is(struct span key, const char *text)
{
    return span_eq(key, span_str(text));
}

static struct server_verdict decide_rcpt(const struct path *path)
{
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory);
    struct server_verdict yes = {0, NULL, {NULL, 0}, false};
    if (path->postmaster || span_eq_nocase(path->domain, SPAN("any.example"))) return yes;
    if (!span_eq_nocase(path->domain, SPAN("dest.example")))
        return (struct server_verdict){550, "5.7.1", SPAN("Relaying denied"), false};
    path_key(path, &b);
    MUST(!b.over);
    struct span key = buf_span(&b);
    if (key_is(key, "user@dest.example") || key_is(key, "other@dest.example") ||
        key_is(key, "postmaster@dest.example"))
        return yes;
    if (key_is(key, "full@dest.example"))
        return (struct server_verdict){452, "4.2.2", SPAN("Mailbox full"), false};
    if (key_is(key, "drop@dest.example"))
        return (struct server_verdict){421, "4.7.0", SPAN("Go away"), false};
    return (struct server_verdict){550, "5.1.1", SPAN("No such mailbox"), false};
}

static struct server_verdict decide(struct peer *p, enum server_event e, const struct server_detail *d)
{
    struct server_verdict v = {0, NULL, {NULL, 0}, false};
    switch (e) {
    case SERVER_MAIL:
        MUST(!p->in_transaction);
        note(p, 'M');
        if (span_eq(d->path.local, SPAN("banned")))
            return (struct server_verdict){550, "5.7.1", SPAN("Sender refused"), false};
        p->in_transaction = true;
        p->from.n = p->recipients.n = 0;
        add_path(&p->from, &d->path);
        return v;
    case SERVER_RCPT:
        MUST(p->in_transaction && !p->body_begun);
        note(p, 'R');
        v = decide_rcpt(&d->path);
        if (v.code == 0) {
            add_path(&p->recipients, &d->path);
            octets_add(&p->recipients, SPAN(" "));
        }
        return v;
    case SERVER_BODY_BEGIN:
        MUST(p->in_transaction && !p->body_begun && p->recipients.n > 0);
        note(p, 'B');
        if (p->refuse_begin)
            v = (struct server_verdict){p->refuse_begin, "4.3.1", SPAN("No room"), false};
        else
            p->body_begun = true;
        p->refuse_begin = 0;
        p->content.n = 0;
        return v;
    default: break;
    }
    MUST(p->in_transaction && p->body_begun);
    note(p, 'E');
    if (p->refuse_end) {
        v = (struct server_verdict){p->refuse_end, p->refuse_end >= 500 ? "5.3.0" : "4.3.0",
                                    SPAN("Not stored"), false};
        p->refuse_end = 0;
    } else {
        struct peer_message *all = realloc(p->messages, (p->n_messages + 1) * sizeof *all);
        if (!all) abort();
        p->messages = all;
        p->messages[p->n_messages++] = (struct peer_message){p->from, p->recipients, p->content};
        p->from = p->recipients = p->content = (struct octets){NULL, 0, 0};
        v = (struct server_verdict){250, "2.0.0", SPAN("Queued as TEST"), false};
    }
    drop(p);
    return v;
}

static void body(struct peer *p, struct span slice)
{
    MUST(p->in_transaction && p->body_begun && slice.n > 0);
    octets_add(&p->content, slice);
    if (p->fail_after && --p->fail_after == 0)
        server_fail_content(&p->s, 452, "4.3.1", "No space for this message");
}

/* A directory that knows four words. */
static void log_in(struct peer *p, const struct server_detail *d, bool response, struct buf *out)
{
    p->logging_in = !response || span_eq(span_head(d->sasl, 4), SPAN("bW9y")); /* more, of any length */
    if (p->logging_in)
        server_challenge(&p->s, p->now_ms, SPAN("say good"), out);
    else if (span_eq(d->sasl, SPAN("Z29vZA=="))) /* good */
        server_authenticated(&p->s, p->now_ms, true, out);
    else if (span_eq(d->sasl, SPAN("cHJvdmVu"))) /* proven, and no right */
        server_authenticated(&p->s, p->now_ms, false, out);
    else if (span_eq(d->sasl, SPAN("dGFrZW4="))) /* taken: a verdict that accepts, where that is no answer */
        server_answer(&p->s, p->now_ms, &(struct server_verdict){0}, out);
    else
        server_answer(&p->s, p->now_ms,
                      &(struct server_verdict){535, "5.7.8", SPAN("Authentication failed"), false}, out);
}

/* One event. False when the engine wants something from outside. */
static bool act(struct peer *p, enum server_event e, const struct server_detail *d, struct buf *out)
{
    MUST(!p->closed || e == SERVER_CLOSE);
    switch (e) {
    case SERVER_INPUT:
    case SERVER_WAIT: return false;
    case SERVER_FLUSH:
        MUST(out->n > 0);
        say(p, out);
        return true;
    case SERVER_MAIL:
    case SERVER_RCPT:
    case SERVER_BODY_BEGIN:
    case SERVER_BODY_END: {
        struct server_verdict v = decide(p, e, d);
        if (p->slow_answers) {
            struct span none = {NULL, 0};
            struct server_detail unused;
            MUST(server_deadline(&p->s) == UINT64_MAX);
            MUST(server_next(&p->s, p->now_ms, &none, out, &unused) == SERVER_WAIT);
            MUST(server_drain(&p->s, out) == SERVER_INPUT);
        }
        server_answer(&p->s, p->now_ms, &v, out);
        return true;
    }
    case SERVER_BODY: body(p, d->body); return true;
    case SERVER_ABORT:
        MUST(p->in_transaction);
        note(p, 'A');
        drop(p);
        return true;
    case SERVER_STARTTLS:
        note(p, 'S');
        server_answer(&p->s, p->now_ms, &(struct server_verdict){0}, out);
        p->handshake = true;
        return true;
    case SERVER_AUTH:
        MUST(!p->logging_in && !p->in_transaction);
        MUST(p->s.mechanisms & MECHANISM_BIT(d->mechanism));
        note(p, 'L');
        log_in(p, d, d->initial, out);
        return true;
    case SERVER_SASL:
        MUST(p->logging_in);
        note(p, 'l');
        log_in(p, d, true, out);
        return true;
    case SERVER_AUTH_CANCEL:
        MUST(p->logging_in);
        note(p, 'X');
        p->logging_in = false;
        return true;
    case SERVER_CLOSE:
        MUST(!p->in_transaction);
        if (!p->closed) note(p, 'C');
        p->closed = true;
        return false;
    }
    MUST(e > SERVER_WAIT && e < SERVER_INPUT); /* an event that does not exist */
    return false;
}

static void run(struct peer *p)
{
    uint8_t memory[8192];
    struct buf out = buf_on(memory, p->out_octets ? p->out_octets : sizeof memory);
    struct span in = octets_span(&p->input);
    struct server_detail d;
    enum server_event e;
    do {
        memset(&d, 0xee, sizeof d);
        e = server_next(&p->s, p->now_ms, &in, &out, &d);
        MUST(in.n == 0 || (in.p >= p->input.p && in.p + in.n == p->input.p + p->input.n));
    } while (act(p, e, &d, &out));
    say(p, &out);
    size_t rest = in.n;
    if (rest) memmove(p->input.p, p->input.p + (p->input.n - rest), rest);
    p->input.n = rest;
    /* what an edge buffers for a session is bounded: a line, or nothing at all inside content */
    MUST(p->closed || rest <= (p->s.mechanisms ? LIMIT_AUTH_LINE_OCTETS : LIMIT_COMMAND_LINE_OCTETS));
}

void peer_connect(struct peer *p, bool tls)
{
    uint8_t memory[SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    drop(p);
    p->closed = p->handshake = p->logging_in = false;
    p->input.n = p->replies.n = p->events.n = 0;
    server_begin(&p->s, &p->conf, p->now_ms, tls, &out);
    say(p, &out);
}

void peer_feed(struct peer *p, struct span octets)
{
    if (p->closed) return;
    octets_add(&p->input, octets);
    run(p);
}

void peer_tls(struct peer *p)
{
    MUST(p->handshake && p->input.n == 0);
    p->handshake = false;
    server_tls_started(&p->s, p->now_ms);
}

static void outside(struct peer *p, enum server_event (*call)(struct peer *p, struct buf *out))
{
    uint8_t memory[SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    struct server_detail d;
    memset(&d, 0, sizeof d);
    while (act(p, call(p, &out), &d, &out))
        ;
    say(p, &out);
}

static enum server_event tick(struct peer *p, struct buf *out)
{
    return server_tick(&p->s, p->now_ms, out);
}

static enum server_event drain(struct peer *p, struct buf *out)
{
    return server_drain(&p->s, out);
}

void peer_wait(struct peer *p, uint64_t ms)
{
    p->now_ms += ms;
    if (server_deadline(&p->s) <= p->now_ms)
        outside(p, tick);
    else
        MUST(p->closed || server_tick(&p->s, p->now_ms, NULL) == SERVER_INPUT);
}

void peer_drain(struct peer *p)
{
    outside(p, drain);
}

void peer_free(struct peer *p)
{
    for (size_t i = 0; i < p->n_messages; i++) {
        octets_free(&p->messages[i].from);
        octets_free(&p->messages[i].recipients);
        octets_free(&p->messages[i].content);
    }
    free(p->messages);
    octets_free(&p->input);
    octets_free(&p->replies);
    octets_free(&p->events);
    octets_free(&p->content);
    octets_free(&p->from);
    octets_free(&p->recipients);
    *p = (struct peer){.messages = NULL};
}

struct span peer_reply(struct span said)
{
    size_t done = 0;
    while (done < said.n) {
        struct span rest = span_skip(said, done);
        size_t lf = span_find(rest, '\n');
        MUST(lf != SPAN_NPOS && lf >= 4 && rest.p[lf - 1] == '\r' && lf + 1 <= LIMIT_REPLY_LINE_OCTETS);
        for (size_t i = 0; i + 1 < lf; i++)
            MUST(rest.p[i] >= ' ' && rest.p[i] <= '~');
        MUST(rest.p[0] >= '2' && rest.p[0] <= '5' && (rest.p[3] == ' ' || rest.p[3] == '-'));
        MUST(memcmp(rest.p, said.p, 3) == 0);
        done += lf + 1;
        if (rest.p[3] == ' ') return span_head(said, done);
    }
    MUST(done == 0); /* a reply that has no last line */
    return span_head(said, 0);
}

bool peer_matches(struct span pattern, struct span text)
{
    /* the usual two indices: on a mismatch the last star takes one octet more */
    size_t p = 0, t = 0, star = SPAN_NPOS, from = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SPAN_NPOS) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}
