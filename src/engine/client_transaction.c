/* One transaction: [RSET] MAIL RCPT... then DATA, 354, content, one reply (LMTP: one a recipient, RFC 2033 4.2), or BDAT with the content
 * right behind it (RFC 3030). With PIPELINING all commands leave together (RFC 2920 3.1).
 *
 * What can go wrong once commands are on their way:
 *   MAIL refused                 its reply is the message's; the replies to the rest are read and mean nothing
 *   all RCPT refused, 354 came   the end of data alone is sent; its reply is read
 *   all RCPT refused, BDAT went  the server consumes the octets all the same (RFC 3030 2), so they are all sent; its reply is read
 *   a reply before the content   2xx: garbage. 4xx, 5xx: the message's, but nobody knows what the server takes the rest of the content
 *   is complete                  for: the session ends */
#include "engine/client_private.h"

enum {
    EAGER_OCTETS = 65536, /* content up to this size does not wait for the replies to RCPT */
};

static bool has(const struct client *c, uint32_t extension)
{
    return c->ehlo.extensions & extension;
}

static bool took(const struct client *c, uint32_t recipient)
{
    return c->taken[recipient / 8] >> (recipient % 8) & 1;
}

/* Nobody will get this message from this transaction. */
static bool hopeless(const struct client *c)
{
    return c->decided || (c->accepted == 0 && c->got >= step_content(c->t));
}

/* The server may hold an open transaction. One that refuses MAIL and takes recipients all the same contradicts itself: without RSET the
 * next message could go to these, too. */
static bool may_be_inside(const struct client *c)
{
    return c->mail_accepted || c->accepted > 0;
}

/* DATA or BDAT went out, and its last reply is still to come. */
static bool content_asked(const struct client *c)
{
    return c->sent > step_content(c->t);
}

bool client_transaction_asks(const struct client *c)
{
    return c->phase == PHASE_TRANSACTION && !c->done_due && c->got < c->sent;
}

static void decide(struct client *c, const struct client_words *words)
{
    if (!c->decided) c->verdict = *words;
    c->decided = true;
}

static void finish(struct client *c)
{
    c->done_due = true;
}

void client_transaction(struct client *c, const struct client_transaction *t, uint64_t now_ms)
{
    struct enhanced e;
    if (c->phase != PHASE_IDLE) return;
    c->t = t;
    c->accepted = c->finals = 0;
    c->content = CONTENT_NONE;
    c->decided = c->mail_accepted = c->unreadable = false;
    memset(c->taken, 0, sizeof c->taken);
    c->phase = PHASE_TRANSACTION;
    c->wait_ms = now_ms;
    c->chunked = has(c, EXT_CHUNKING);
    c->rset_this = c->rset_due;
    c->sent = c->got = c->rset_due ? STEP_RSET : STEP_MAIL;
    const char *why = client_command_refusal(c, t, &e);
    if (!why) return;
    struct client_words words;
    client_own_words(&words, e, why);
    decide(c, &words);
    finish(c);
}

/* ---- commands */

static bool may_send(const struct client *c)
{
    if (hopeless(c) || content_asked(c)) return false;
    if (c->sent == c->got) return true;
    if (!has(c, EXT_PIPELINING)) return false;
    return c->sent != step_content(c->t) || !c->chunked || c->t->content_octets <= EAGER_OCTETS;
}

static void send_content_command(struct client *c, struct buf *out)
{
    if (!c->chunked) {
        buf_put(out, SPAN("DATA\r\n"));
        return;
    }
    buf_put(out, SPAN("BDAT "));
    buf_u64(out, c->t->content_octets);
    buf_put(out, SPAN(" LAST\r\n"));
    c->content = CONTENT_DUE;
}

static void send_next(struct client *c, struct step *s)
{
    if (c->sent == c->got) c->wait_ms = s->now_ms;
    if (c->sent == STEP_RSET) {
        buf_put(s->out, SPAN("RSET\r\n"));
    } else if (c->sent == STEP_MAIL) {
        client_command_put_mail(c, s->out);
        c->mails++;
    } else if (c->sent < step_content(c->t)) {
        client_command_put_rcpt(c, &c->t->recipients[c->sent - STEP_RCPT], s->out);
    } else {
        send_content_command(c, s->out);
    }
    c->sent++;
}

enum client_event client_transaction_step(struct client *c, struct step *s)
{
    if (c->sent == c->got && s->in->n && may_send(c)) { /* it was there before the question */
        client_garbage(c, "the server says what it was not asked");
        return CLIENT_AGAIN;
    }
    while (may_send(c)) {
        if (buf_room(s->out) < CLIENT_COMMAND_ROOM) return CLIENT_FLUSH;
        send_next(c, s);
    }
    if (c->content == CONTENT_DUE) {
        c->content = CONTENT_MOVES;
        s->d->dot_stuffed = !c->chunked;
        return CLIENT_CONTENT;
    }
    if (hopeless(c) && c->got == c->sent) { /* DATA never left */
        c->rset_due = may_be_inside(c);
        finish(c);
    }
    return CLIENT_AGAIN;
}

/* ---- replies */

/* RFC 5321 4.5.3.1.10: 552 for too many recipients means 452, unless the server says that it speaks of something else. */
static void soften(struct client *c)
{
    struct enhanced *e = &c->heard.enhanced;
    bool generic = e->subject == 0 && e->detail == 0, too_many = e->subject == 5 && e->detail == 3;
    if (c->heard.code == 552 && c->accepted > 0 && (generic || too_many)) *e = (struct enhanced){4, 5, 3};
}

static enum client_event tell(struct client *c, struct step *s, uint32_t recipient)
{
    s->d->recipient = recipient;
    s->d->reply = client_reply_of(&c->heard);
    return CLIENT_RCPT;
}

static enum client_event rcpt_reply(struct client *c, struct step *s, uint32_t recipient)
{
    if (client_class(c) == 2) {
        c->taken[recipient / 8] |= (uint8_t)(1u << (recipient % 8));
        c->accepted++;
        return CLIENT_AGAIN;
    }
    if (c->decided) return CLIENT_AGAIN;
    soften(c);
    return tell(c, s, recipient);
}

/* LMTP says nothing at all, or one thing, when there is no recipient: nobody can tell where its next reply begins. */
static bool replies_unknown(const struct client *c)
{
    return c->conf.lmtp && (c->accepted == 0 || c->decided);
}

static void end_unknown(struct client *c)
{
    finish(c);
    client_fail(c, (struct enhanced){4, 5, 0}, "the next hop took no recipient", false);
}

/* 354. */
static void go_ahead(struct client *c, struct step *s)
{
    if (!hopeless(c)) {
        c->content = CONTENT_DUE;
        return;
    }
    c->content = CONTENT_EMPTY; /* RFC 2920 3.1: the client "MUST be prepared to send an empty message" */
    buf_put(s->out, SPAN(".\r\n"));
    if (replies_unknown(c)) end_unknown(c);
}

static enum client_event data_reply(struct client *c, struct step *s)
{
    if (client_class(c) == 3) {
        go_ahead(c, s);
        return CLIENT_AGAIN;
    }
    if (client_class(c) == 2) {
        client_garbage(c, "the server accepts a message that was not sent");
        return CLIENT_AGAIN;
    }
    decide(c, &c->heard);
    c->rset_due = may_be_inside(c);
    finish(c);
    return CLIENT_AGAIN;
}

/* The content is not complete, and there is its reply. */
static enum client_event early(struct client *c)
{
    if (client_class(c) == 2)
        client_garbage(c, "the server accepts a message that it has not got");
    else
        client_end(c, &c->heard, "the next hop answered before it had the whole message", false);
    return CLIENT_AGAIN;
}

static enum client_event final_reply(struct client *c, struct step *s)
{
    bool taken = client_class(c) == 2;
    if (client_class(c) == 3) {
        client_garbage(c, "the server wants more than the message");
        return CLIENT_AGAIN;
    }
    if (c->content != CONTENT_SENT && c->content != CONTENT_EMPTY) return early(c);
    if (c->chunked && !taken) c->rset_due = true; /* RFC 3030 2: "the state ... is indeterminate" */
    if (!c->conf.lmtp || replies_unknown(c)) {
        c->got++;
        decide(c, &c->heard);
        if (replies_unknown(c)) {
            end_unknown(c);
            return CLIENT_AGAIN;
        }
        finish(c);
        return CLIENT_AGAIN;
    }
    uint32_t i = 0, n = c->finals++;
    for (;; i++)
        if (took(c, i) && n-- == 0) break;
    if (c->finals == c->accepted) {
        c->got++;
        finish(c);
    }
    return tell(c, s, i);
}

/* The reply to step `got`. */
static enum client_event answer(struct client *c, struct step *s)
{
    uint32_t step = c->got;
    unsigned class = client_class(c);
    if (step > step_content(c->t) || (step == step_content(c->t) && c->chunked)) return final_reply(c, s);
    c->got++;
    if (step == step_content(c->t)) {
        enum client_event e = data_reply(c, s);
        if (!c->done_due && c->phase == PHASE_TRANSACTION) c->sent++; /* one more reply: the last */
        return e;
    }
    if (class == 3) {
        client_garbage(c, "the server wants what was not offered to it");
        return CLIENT_AGAIN;
    }
    switch (step) {
    case STEP_RSET:
        if (class != 2) client_end(c, &c->heard, "the next hop refused RSET", false);
        c->rset_due = false;
        return CLIENT_AGAIN;
    case STEP_MAIL:
        c->mail_accepted = class == 2;
        if (class != 2) decide(c, &c->heard);
        return CLIENT_AGAIN;
    default: return rcpt_reply(c, s, step - STEP_RCPT);
    }
}

enum client_event client_transaction_reply(struct client *c, struct step *s)
{
    c->wait_ms = s->now_ms;
    if (c->heard.code == 421) { /* RFC 5321 3.8: may come at any time */
        client_end(c, &c->heard, "the next hop closes the connection", true);
        return CLIENT_AGAIN;
    }
    return answer(c, s);
}

/* ---- content */

void client_content_moves(struct client *c, uint64_t now_ms)
{
    if (c->content == CONTENT_MOVES) c->wait_ms = now_ms;
}

void client_content_sent(struct client *c, uint64_t now_ms, bool failed)
{
    if (c->phase != PHASE_TRANSACTION || c->content != CONTENT_MOVES) return;
    c->wait_ms = now_ms;
    c->content = CONTENT_SENT;
    c->unreadable = failed;
    if (failed)
        client_fail(c, (struct enhanced){4, 3, 0}, "the stored message could not be read to its end", false);
}
