#include "engine/client_private.h"

size_t client_octets(void)
{
    return sizeof(struct client);
}

void client_begin(struct client *c, const struct client_conf *conf, uint64_t now_ms)
{
    memset(c, 0, sizeof *c);
    c->conf = *conf;
    c->tls_active = conf->tls_active;
    c->started_ms = c->wait_ms = now_ms;
    c->phase = PHASE_GREETING;
}

/* ---- the end */

void client_own_words(struct client_words *w, struct enhanced e, const char *text)
{
    struct span s = span_head(span_str(text), sizeof w->text);
    *w = (struct client_words){.enhanced = e, .text_n = (uint16_t)s.n};
    memcpy(w->text, s.p, s.n);
}

void client_end(struct client *c, const struct client_words *words, const char *why, bool next_hop_failed)
{
    if (c->phase == PHASE_END) return;
    if (c->phase == PHASE_TRANSACTION) {
        if (!c->decided) c->verdict = *words;
        c->decided = c->done_due = true;
    } else {
        c->verdict = *words;
    }
    c->phase = PHASE_END;
    c->why = why;
    c->next_hop_failed = next_hop_failed;
}

void client_fail(struct client *c, struct enhanced e, const char *why, bool next_hop_failed)
{
    struct client_words words;
    client_own_words(&words, e, why);
    client_end(c, &words, why, next_hop_failed);
}

/* Nothing was taken from us in this session so far that would tell this next hop from a dead one. */
static bool nothing_worked(const struct client *c)
{
    return c->phase < PHASE_READY || (c->phase == PHASE_TRANSACTION && !c->mail_accepted);
}

void client_garbage(struct client *c, const char *why)
{
    client_fail(c, (struct enhanced){4, 5, 0}, why, nothing_worked(c));
}

void client_lost(struct client *c, const char *constant_why)
{
    client_fail(c, (struct enhanced){4, 4, 2}, constant_why, nothing_worked(c));
}

void client_quit(struct client *c, struct buf *out)
{
    if (c->phase != PHASE_IDLE && c->phase != PHASE_READY) return;
    buf_put(out, SPAN("QUIT\r\n"));
    client_fail(c, (struct enhanced){2, 0, 0}, "nothing more to send", false);
}

/* ---- time */

static uint64_t wait_seconds(const struct client *c)
{
    switch (c->phase) {
    case PHASE_GREETING: return LIMIT_GREETING_SECONDS;
    case PHASE_HANDSHAKE: return LIMIT_TLS_HANDSHAKE_SECONDS;
    case PHASE_READY:
    case PHASE_IDLE: return LIMIT_OUTBOUND_SESSION_SECONDS;
    case PHASE_TRANSACTION: break;
    default: return LIMIT_REPLY_SECONDS;
    }
    uint32_t content = step_content(c->t);
    if (c->content == CONTENT_DUE || c->content == CONTENT_MOVES) return LIMIT_CONTENT_STALL_SECONDS;
    if (c->got < content || c->sent <= content) return LIMIT_REPLY_SECONDS;
    return c->content == CONTENT_NONE ? LIMIT_DATA_REPLY_SECONDS : LIMIT_END_OF_DATA_SECONDS;
}

uint64_t client_deadline(const struct client *c)
{
    uint64_t total = c->started_ms + LIMIT_OUTBOUND_SESSION_SECONDS * UINT64_C(1000);
    uint64_t next = c->wait_ms + wait_seconds(c) * 1000;
    if (c->phase == PHASE_END) return 0;
    return next < total ? next : total;
}

static const char *overdue(const struct client *c)
{
    switch (c->phase) {
    case PHASE_GREETING: return "timed out while waiting for the greeting";
    case PHASE_EHLO:
    case PHASE_HELO:
    case PHASE_SECURED: return "timed out while greeting";
    case PHASE_STARTTLS:
    case PHASE_HANDSHAKE: return "timed out while starting TLS";
    case PHASE_AUTH_ASK:
    case PHASE_AUTH: return "timed out while authenticating";
    case PHASE_TRANSACTION: break;
    default: return "the session is over its time";
    }
    uint32_t content = step_content(c->t);
    if (c->content == CONTENT_DUE || c->content == CONTENT_MOVES)
        return "timed out while sending the message";
    if (c->got <= STEP_MAIL) return "timed out after MAIL";
    if (c->got < content) return "timed out after RCPT";
    if (c->content == CONTENT_NONE) return "timed out after DATA";
    return "timed out after the end of the message: it may have been taken"; /* RFC 1047 */
}

/* ---- the loop */

/* The server took nothing, and it is certain: content that left without waiting may have been taken by one whose replies got lost
 * (RFC 1047). */
static bool untouched(const struct client *c)
{
    bool silent = c->verdict.code == 0;
    return c->phase == PHASE_END && c->got <= STEP_MAIL && !c->unreadable &&
           !(silent && c->content == CONTENT_SENT);
}

static enum client_event done(struct client *c, struct step *s)
{
    if (!c->decided)
        client_own_words(&c->verdict, (struct enhanced){4, 0, 0}, "each recipient has its own result");
    s->d->reply = client_reply_of(&c->verdict);
    s->d->next_hop_failed = c->next_hop_failed;
    s->d->untouched = untouched(c);
    c->done_due = c->decided = false;
    c->t = NULL;
    if (c->phase == PHASE_END) return CLIENT_TRANSACTION_DONE;
    c->phase = PHASE_READY;
    c->wait_ms = s->now_ms;
    return CLIENT_TRANSACTION_DONE;
}

static enum client_event closed(const struct client *c, struct step *s)
{
    s->d->reply = client_reply_of(&c->verdict);
    s->d->why = c->why;
    s->d->next_hop_failed = c->next_hop_failed;
    return CLIENT_CLOSE;
}

static bool reply_expected(const struct client *c)
{
    switch (c->phase) {
    case PHASE_READY:
    case PHASE_IDLE: return false;
    case PHASE_TRANSACTION: return client_transaction_asks(c);
    default: return true;
    }
}

/* The next reply, if there is one. */
static enum client_event listen(struct client *c, struct step *s)
{
    const char *why = NULL;
    switch (client_hear(c, s->in, &why)) {
    case HEARD_MORE: return CLIENT_INPUT;
    case HEARD_GARBAGE: client_garbage(c, why); return CLIENT_AGAIN;
    case HEARD_REPLY: break;
    }
    if (!reply_expected(c)) {
        if (c->heard.code == 421)
            client_end(c, &c->heard, "the next hop closes the connection", true);
        else
            client_garbage(c, "the server says what it was not asked");
        return CLIENT_AGAIN;
    }
    if (c->phase == PHASE_TRANSACTION) return client_transaction_reply(c, s);
    enum client_event e = client_hello_reply(c, s);
    c->wait_ms = s->now_ms;
    return e;
}

/* One step. CLIENT_AGAIN: another one. */
static enum client_event next(struct client *c, struct step *s)
{
    if (c->done_due) return done(c, s);
    if (c->phase == PHASE_END) return closed(c, s);
    if (s->now_ms >= client_deadline(c)) {
        client_fail(c, (struct enhanced){4, 4, 2}, overdue(c), c->phase != PHASE_IDLE);
        return CLIENT_AGAIN;
    }
    if (buf_room(s->out) < CLIENT_COMMAND_ROOM) return CLIENT_FLUSH;
    switch (c->phase) {
    case PHASE_HANDSHAKE:
    case PHASE_AUTH_ASK: return CLIENT_INPUT; /* the caller's turn */
    case PHASE_SECURED: return client_hello_due(c, s);
    case PHASE_READY:
        if (s->in->n) return listen(c, s);
        if (c->ehlo.limit_mailmax && c->mails >= c->ehlo.limit_mailmax) { /* RFC 9422 4.2 */
            client_quit(c, s->out);
            return CLIENT_AGAIN;
        }
        c->phase = PHASE_IDLE;
        return CLIENT_READY;
    case PHASE_TRANSACTION: {
        enum client_event e = client_transaction_step(c, s);
        if (e != CLIENT_AGAIN || c->phase == PHASE_END || c->done_due) return e;
        break;
    }
    default: break;
    }
    return s->in->n ? listen(c, s) : CLIENT_INPUT;
}

enum client_event client_next(struct client *c, uint64_t now_ms, struct span *in, struct buf *out,
                              struct client_detail *d)
{
    struct step s = {now_ms, in, out, d};
    *d = (struct client_detail){0};
    for (;;) {
        enum client_event e = next(c, &s);
        if (e != CLIENT_AGAIN) return e;
    }
}

void client_tls_started(struct client *c, uint64_t now_ms)
{
    if (c->phase != PHASE_HANDSHAKE) return;
    c->tls_active = true;
    c->phase = PHASE_SECURED;
    c->wait_ms = now_ms;
    c->ehlo =
        (struct ehlo){0}; /* RFC 3207 4.2: "The client MUST discard any knowledge obtained from the server" */
}

bool client_login_refused(const struct client *c)
{
    return c->login_refused;
}

uint32_t client_extensions(const struct client *c)
{
    return c->ehlo.extensions;
}

uint32_t client_recipients_max(const struct client *c)
{
    uint32_t here = c->ehlo.limit_rcptmax;
    return here && here < LIMIT_RELAY_RECIPIENTS ? here : LIMIT_RELAY_RECIPIENTS;
}
