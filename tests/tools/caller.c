#include "caller.h"

#include <stdio.h>
#include <stdlib.h>

#include "smtp/dot.h"

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: rule broken: %s\n", __FILE__, __LINE__, #condition);                     \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* Events as text, a blank behind each: READY TLS AUTH RCPT0=550/5.1.1 DATA BDAT DONE=250/2.0.0 CLOSE or CLOSE! (next hop failed) */
static void note(struct caller *p, const char *word)
{
    octets_add(&p->events, span_str(word));
}

static void note_reply(struct caller *p, const char *what, uint32_t index, const struct client_reply *r)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s=%u/%u.%u.%u ", what, r->code, r->enhanced.class,
                     r->enhanced.subject, r->enhanced.detail);
    if (index != UINT32_MAX)
        n = snprintf(text, sizeof text, "%s%u=%u/%u.%u.%u ", what, index, r->code, r->enhanced.class,
                     r->enhanced.subject, r->enhanced.detail);
    octets_add(&p->events, span_of(text, (size_t)n));
}

static void check_reply(const struct client_reply *r)
{
    MUST(r->enhanced.class == 2 || r->enhanced.class == 4 || r->enhanced.class == 5);
    MUST(r->code == 0 || (r->code >= 200 && r->code < 600));
    MUST(r->code != 0 || r->enhanced.class != 2); /* nothing is delivered without the server's word */
    MUST(r->text.n <= LIMIT_RESULT_TEXT_OCTETS);
    for (size_t i = 0; i < r->text.n; i++)
        MUST(r->text.p[i] >= 32 && r->text.p[i] <= 126);
}

static void set_result(struct caller *p, uint32_t recipient, uint16_t class)
{
    MUST(p->at < p->n_todo && recipient < p->todo[p->at].n);
    MUST(p->result[p->at][recipient] == 0); /* once */
    p->result[p->at][recipient] = (uint8_t) class;
    p->result_at[p->at][recipient] = p->heard;
}

static void transaction_done(struct caller *p, const struct client_reply *r)
{
    MUST(p->open);
    for (uint32_t i = 0; i < p->todo[p->at].n; i++)
        if (p->result[p->at][i] == 0) set_result(p, i, r->enhanced.class);
    p->open = p->content_open = false;
    p->at++;
}

static void say(struct caller *p, struct buf *out)
{
    MUST(!out->over);
    octets_add(&p->said, buf_span(out));
    out->n = 0;
}

void caller_content(struct caller *p)
{
    size_t max = 2 * p->content.n + 8;
    uint8_t state = 0, *memory = malloc(max);
    struct buf b = buf_on(memory, max);
    struct span content = p->fail_content ? span_head(p->content, p->content.n / 2) : p->content;
    MUST(memory && p->content_open);
    if (p->dot_stuffed)
        dot_stuff(&state, content, &b);
    else
        buf_put(&b, content);
    if (p->dot_stuffed && !p->fail_content) dot_finish(&state, &b);
    say(p, &b);
    free(memory);
    p->content_open = false;
    client_content_moves(p->c, p->now_ms);
    client_content_sent(p->c, p->now_ms, p->fail_content);
}

static void authenticate(struct caller *p, struct buf *out)
{
    const char *response = p->responded < p->n_responses ? p->responses[p->responded++] : "";
    note(p, "AUTH ");
    client_auth_answer(
        p->c, p->now_ms,
        &(struct client_login){p->mechanism, span_str(response), !p->unproven, span_str(p->note)}, out);
}

static void ready(struct caller *p, struct buf *out)
{
    note(p, "READY ");
    p->ready = true;
    if (p->at == p->n_todo) {
        client_quit(p->c, out);
        return;
    }
    p->open = true;
    p->ready = false;
    client_transaction(p->c, &p->todo[p->at], p->now_ms);
}

static void content_due(struct caller *p, bool dot_stuffed, struct buf *out)
{
    note(p, dot_stuffed ? "DATA " : "BDAT ");
    say(p, out);
    p->content_open = true;
    p->dot_stuffed = dot_stuffed;
    if (!p->hold_content) caller_content(p);
}

/* One event. False when the engine wants something from outside. */
static bool act(struct caller *p, enum client_event e, const struct client_detail *d, struct span *in,
                struct buf *out)
{
    MUST(!p->closed || e == CLIENT_CLOSE);
    switch (e) {
    case CLIENT_INPUT: return false;
    case CLIENT_FLUSH:
        MUST(out->n > 0);
        say(p, out);
        return true;
    case CLIENT_STARTTLS:
        MUST(in->n == 0);
        note(p, "TLS ");
        p->handshake = true;
        return false;
    case CLIENT_AUTH: authenticate(p, out); return true;
    case CLIENT_READY: ready(p, out); return true;
    case CLIENT_RCPT:
        MUST(p->open);
        check_reply(&d->reply);
        note_reply(p, "RCPT", d->recipient, &d->reply);
        set_result(p, d->recipient, d->reply.enhanced.class);
        return true;
    case CLIENT_CONTENT: content_due(p, d->dot_stuffed, out); return true;
    case CLIENT_TRANSACTION_DONE:
        check_reply(&d->reply);
        note_reply(p, d->untouched ? "UNTOUCHED" : "DONE", UINT32_MAX, &d->reply);
        transaction_done(p, &d->reply);
        return true;
    case CLIENT_CLOSE:
        MUST(!p->open);
        MUST(d->why);
        if (!p->closed) note(p, d->next_hop_failed ? "CLOSE! " : "CLOSE ");
        p->closed = true;
        return false;
    }
    return false;
}

static void run(struct caller *p)
{
    uint8_t memory[CLIENT_COMMAND_ROOM + 300]; /* a small one: FLUSH is used */
    struct buf out = buf_on(memory, sizeof memory);
    struct span in = octets_span(&p->input);
    for (bool more = true; more && !p->handshake;) {
        struct client_detail d;
        enum client_event e = client_next(p->c, p->now_ms, &in, &out, &d);
        more = act(p, e, &d, &in, &out);
        if (e == CLIENT_INPUT) MUST(in.n < CLIENT_INPUT_ROOM); /* such a buffer never stalls */
    }
    say(p, &out);
    size_t left = in.n;
    if (left) memmove(p->input.p, in.p, left);
    p->input.n = left;
}

void caller_begin(struct caller *p, const struct client_conf *conf)
{
    p->c = malloc(client_octets());
    MUST(p->c);
    client_begin(p->c, conf, p->now_ms);
    run(p);
}

void caller_hear(struct caller *p, struct span octets)
{
    if (p->closed) return;
    p->heard += octets.n;
    octets_add(&p->input, octets);
    if (!p->handshake) run(p);
}

void caller_tls(struct caller *p)
{
    MUST(p->handshake);
    p->handshake = false;
    client_tls_started(p->c, p->now_ms);
    run(p);
}

void caller_lost(struct caller *p)
{
    if (p->closed) return;
    p->input.n = 0;
    p->handshake = false;
    client_lost(p->c, "the connection was lost");
    run(p);
    MUST(p->closed);
}

void caller_wait(struct caller *p)
{
    uint64_t due = client_deadline(p->c);
    if (p->closed) return;
    MUST(due > p->now_ms);
    p->now_ms = due;
    p->handshake = false;
    run(p);
    MUST(p->closed);
}

void caller_free(struct caller *p)
{
    free(p->c);
    free(p->input.p);
    free(p->said.p);
    free(p->events.p);
    *p = (struct caller){0};
}
