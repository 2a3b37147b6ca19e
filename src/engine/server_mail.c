/* MAIL, RFC 5321 4.1.1.2.
 *
 *   mail         = "MAIL FROM:" Reverse-path [ SP Mail-parameters ] CRLF
 *   Reverse-path = Path / "<>"
 *   parameters: SIZE (RFC 1870), BODY (6152, 3030), SMTPUTF8 (6531), RET ENVID (3461) */
#include "engine/server_private.h"
#include "smtp/reply.h"

/* Whether mail may be sent at all in this session as it stands. */
static struct span refused_session(const struct server *s)
{
    struct span none = {NULL, 0};
    const struct server_conf *c = s->conf;
    if (c->require_tls && !s->tls)
        return REPLY("530 5.7.0 Must issue a STARTTLS command first"); /* RFC 3207 4 */
    if (c->require_auth && !s->submit_right)
        return REPLY("530 5.7.0 Authentication required"); /* RFC 4954 6 */
    return none;
}

/* Never inside a transaction: a message that was begun may end. A client that hears 452 sends the rest in another session; 552 is for
 * what no session takes, for it would be tried for ever (RFC 1870 6.1). */
static struct span refused_size(const struct server *s, const struct mail_params *p)
{
    const struct server_conf *c = s->conf;
    uint64_t size = p->has_size ? p->size : 0, session = c->max_session_octets;
    /* what is offered as SIZE is taken */
    if (s->any_size && session < LIMIT_MESSAGE_OCTETS_MAX) session = LIMIT_MESSAGE_OCTETS_MAX;
    if (size > server_max_octets(s)) return REPLY("552 5.3.4 Message too large");
    if (size > session) return REPLY("552 5.3.4 Message too large for one session");
    if (s->session_octets >= session || size > session - s->session_octets)
        return REPLY("452 4.3.1 Enough octets for one session, send the rest in another one");
    return (struct span){NULL, 0};
}

enum server_event server_mail(struct server *s, struct step *t, struct span arg)
{
    struct server_detail *d = t->d;
    struct span rest = {NULL, 0};
    struct span bad = {NULL, 0};
    unsigned offered = server_params_offered(s);
    unsigned flags = PATH_ALLOW_NULL | ((offered & PARAMS_SMTPUTF8) ? PATH_ALLOW_UTF8 : 0);

    /* check */
    struct span refusal = refused_session(s);
    if (refusal.n == 0 && !server_path_keyword(&arg, SPAN("FROM:")))
        refusal = REPLY("501 5.5.2 Syntax: MAIL FROM:<address>");
    if (refusal.n == 0) refusal = server_path_refusal(path_parse(arg, flags, &d->path, &rest), false);
    if (refusal.n > 0) {
        server_fail(s, t, refusal);
        return SERVER_AGAIN;
    }
    enum params_error e = params_mail(rest, offered, &d->mail, &bad);
    if (e != PARAMS_OK) {
        server_fail_params(s, t, e, bad);
        return SERVER_AGAIN;
    }
    if (d->path.utf8 && !d->mail.smtputf8)
        refusal = server_path_refusal(PATH_UTF8, false);
    else
        refusal = refused_size(s, &d->mail);
    if (refusal.n > 0) {
        server_fail(s, t, refusal);
        return SERVER_AGAIN;
    }
    if (s->messages >= s->conf->max_messages) { /* RFC 9422 4.1, MAILMAX */
        server_end(s, t->out, REPLY("421 4.5.3 Too many messages in one session"));
        return SERVER_AGAIN;
    }
    /* ask. These three mean nothing before the transaction is there, so they may be set now */
    s->declared_size = d->mail.has_size ? d->mail.size : 0;
    s->utf8 = d->mail.smtputf8;
    s->body = d->mail.has_body ? d->mail.body : BODY_7BIT;
    s->ask = ASK_MAIL;
    return SERVER_MAIL;
}

void server_mail_answer(struct server *s, struct buf *out, const struct server_verdict *v)
{
    if (!server_accepts(v)) {
        server_reset(s);
        server_fail_verdict(s, out, v);
        return;
    }
    s->state = VERB_IN_MAIL;
    s->in_transaction = true;
    s->messages++;
    if (v->code)
        reply_put(out, v->code, v->enhanced, v->text);
    else
        buf_put(out, REPLY("250 2.1.0 Sender ok"));
}
