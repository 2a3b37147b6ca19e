/* From the greeting to the first MAIL: EHLO or HELO (RFC 5321 3.2), LHLO (RFC 2033), STARTTLS (RFC 3207), AUTH (RFC 4954). */
#include "engine/client_private.h"

/* A command that nothing may be pipelined with: what lies in the input now answers nothing. */
static bool quiet(struct client *c, const struct step *s)
{
    if (s->in->n == 0) return true;
    client_garbage(c, "the server says what it was not asked");
    return false;
}

static void say(struct client *c, struct step *s, struct span verb, struct span argument, uint8_t phase)
{
    if (!quiet(c, s)) return;
    buf_put(s->out, verb);
    buf_put(s->out, argument);
    buf_put(s->out, SPAN("\r\n"));
    c->phase = phase;
    c->wait_ms = s->now_ms;
}

static void say_hello(struct client *c, struct step *s)
{
    c->ehlo = (struct ehlo){0};
    say(c, s, c->conf.lmtp ? SPAN("LHLO ") : SPAN("EHLO "), c->conf.helo, PHASE_EHLO);
}

/* An orderly end by ourselves: the server is told. */
static void leave(struct client *c, struct step *s, const char *why)
{
    buf_put(s->out, SPAN("QUIT\r\n"));
    client_fail(c, (struct enhanced){4, 7, 4}, why, true);
}

static void leave_refused(struct client *c, struct step *s, const char *why)
{
    if (c->heard.code != 421) buf_put(s->out, SPAN("QUIT\r\n"));
    client_end(c, &c->heard, why, true);
}

/* The extensions are known: what comes next? */
static enum client_event after_hello(struct client *c, struct step *s)
{
    bool offered = c->ehlo.extensions & EXT_STARTTLS;
    if (!c->tls_active && !c->tls_refused && c->conf.tls != CLIENT_TLS_NEVER && offered) {
        say(c, s, SPAN("STARTTLS"), (struct span){NULL, 0}, PHASE_STARTTLS);
        return CLIENT_AGAIN;
    }
    if (!c->tls_active && c->conf.tls == CLIENT_TLS_MUST) {
        leave(c, s, "TLS is required, and the next hop does not offer STARTTLS");
        return CLIENT_AGAIN;
    }
    if (!c->conf.authenticate) {
        c->phase = PHASE_READY;
        return CLIENT_AGAIN;
    }
    if (!c->tls_active && c->conf.tls != CLIENT_TLS_NEVER) {
        leave(c, s, "credentials are not sent without TLS, and the next hop does not offer it");
        return CLIENT_AGAIN;
    }
    if (!(c->ehlo.extensions & EXT_AUTH)) {
        leave(c, s, "credentials are configured, and the next hop does not offer AUTH");
        return CLIENT_AGAIN;
    }
    if (!quiet(c, s)) return CLIENT_AGAIN;
    c->phase = PHASE_AUTH_ASK;
    c->wait_ms = s->now_ms;
    s->d->mechanisms = c->ehlo.auth;
    s->d->challenge = (struct span){NULL, 0};
    return CLIENT_AUTH;
}

enum client_event client_hello_due(struct client *c, struct step *s)
{
    say_hello(c, s);
    return CLIENT_AGAIN;
}

/* RFC 5321 3.2: a server that does not know EHLO is greeted by HELO. Without extensions there is neither TLS nor AUTH. */
static enum client_event ehlo_refused(struct client *c, struct step *s)
{
    bool needs_extensions =
        c->conf.lmtp || c->conf.authenticate || (c->conf.tls == CLIENT_TLS_MUST && !c->tls_active);
    if (client_class(c) == 5 && !needs_extensions)
        say(c, s, SPAN("HELO "), c->conf.helo, PHASE_HELO);
    else
        leave_refused(c, s, "the next hop refused our greeting");
    return CLIENT_AGAIN;
}

static enum client_event starttls_reply(struct client *c, struct step *s)
{
    if (client_class(c) == 2) {
        *s->in = span_skip(*s->in, s->in->n); /* I9: it was written by whoever can write in clear */
        c->phase = PHASE_HANDSHAKE;
        c->wait_ms = s->now_ms;
        return CLIENT_STARTTLS;
    }
    if (c->conf.tls == CLIENT_TLS_MUST) {
        leave_refused(c, s, "TLS is required, and the next hop refused STARTTLS");
        return CLIENT_AGAIN;
    }
    c->tls_refused = true;
    return after_hello(c, s);
}

/* The server's words alone ("bad password") do not tell what they answer. */
static void tell_refusal(struct client *c)
{
    struct client_words *w = &c->heard;
    const struct client_words said = *w;
    struct buf b = buf_on(w->text, sizeof w->text);
    buf_str(&b, "AUTH ");
    buf_str(&b, c->mechanism);
    buf_str(&b, " was refused: ");
    size_t note = c->auth_note_n ? c->auth_note_n + 3u : 0, room = buf_room(&b) / 2;
    if (note < room) room = buf_room(&b) - note;
    buf_put(&b, span_head(span_of(said.text, said.text_n), room));
    if (note) {
        buf_str(&b, " (");
        room = buf_room(&b) - 1;
        buf_put(&b, span_head(span_of(c->auth_note, c->auth_note_n), room));
        buf_byte(&b, ')');
    }
    w->text_n = (uint16_t)b.n;
}

static enum client_event auth_reply(struct client *c, struct step *s)
{
    if (c->heard.code == 334) {
        if (!quiet(c, s)) return CLIENT_AGAIN;
        c->phase = PHASE_AUTH_ASK;
        s->d->mechanisms = c->ehlo.auth;
        s->d->challenge = c->last_line;
        return CLIENT_AUTH;
    }
    if (client_class(c) == 2 && !c->auth_may_end) {
        leave(c, s, "the next hop lets us in without showing that it knows the password");
        return CLIENT_AGAIN;
    }
    if (client_class(c) == 2) {
        c->phase = PHASE_READY;
        return CLIENT_AGAIN;
    }
    c->login_refused = client_class(c) == 5;
    tell_refusal(c);
    leave_refused(c, s, "the next hop refused our credentials");
    return CLIENT_AGAIN;
}

enum client_event client_hello_reply(struct client *c, struct step *s)
{
    unsigned class = client_class(c);
    bool challenge = c->phase == PHASE_AUTH && c->heard.code == 334;
    if (class == 3 && !challenge) {
        client_garbage(c, "the server wants what was not offered to it");
        return CLIENT_AGAIN;
    }
    if (c->heard.code == 421) {
        leave_refused(c, s, "the next hop closes the connection");
        return CLIENT_AGAIN;
    }
    switch (c->phase) {
    case PHASE_GREETING:
        if (class == 2)
            say_hello(c, s);
        else
            leave_refused(c, s, "the next hop refuses to talk to us");
        return CLIENT_AGAIN;
    case PHASE_EHLO: return class == 2 ? after_hello(c, s) : ehlo_refused(c, s);
    case PHASE_HELO:
        if (class == 2) return after_hello(c, s);
        leave_refused(c, s, "the next hop refused our greeting");
        return CLIENT_AGAIN;
    case PHASE_STARTTLS: return starttls_reply(c, s);
    default: return auth_reply(c, s);
    }
}

/* RFC 4954 4: "*" cancels an exchange that is under way. */
static void give_up_login(struct client *c, struct span why, bool begun, struct buf *out)
{
    struct client_words words;
    static const char none[] = "no credentials are at hand that the next hop accepts";
    client_own_words(&words, (struct enhanced){4, 7, 8}, none);
    if (why.n > 0) {
        words.text_n = (uint16_t)span_head(why, sizeof words.text).n;
        memcpy(words.text, why.p, words.text_n);
    }
    buf_put(out, begun ? SPAN("*\r\n") : SPAN("QUIT\r\n"));
    client_end(c, &words, none, true);
}

void client_auth_answer(struct client *c, uint64_t now_ms, const struct client_login *l, struct buf *out)
{
    bool begun = c->heard.code == 334; /* the reply before was a challenge */
    if (c->phase != PHASE_AUTH_ASK) return;
    if (!l->mechanism) {
        give_up_login(c, l->text, begun, out);
        return;
    }
    if (!begun) {
        struct buf kept = buf_on(c->mechanism, sizeof c->mechanism - 1);
        buf_put(&kept, span_head(span_str(l->mechanism), sizeof c->mechanism - 1));
        c->mechanism[kept.n] = '\0';
        buf_put(out, SPAN("AUTH "));
        buf_str(out, l->mechanism);
        if (l->response.n) buf_byte(out, ' ');
    }
    buf_put(out, l->response);
    buf_put(out, SPAN("\r\n"));
    struct buf note = buf_on(c->auth_note, sizeof c->auth_note);
    buf_put(&note, span_head(l->text, sizeof c->auth_note));
    c->auth_note_n = (uint16_t)note.n;
    c->auth_may_end = l->last;
    c->phase = PHASE_AUTH;
    c->wait_ms = now_ms;
}
