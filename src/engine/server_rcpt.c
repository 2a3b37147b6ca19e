/* RCPT, RFC 5321 4.1.1.3.
 *
 *   rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [ SP Rcpt-parameters ] CRLF
 *   parameters: NOTIFY ORCPT (RFC 3461) */
#include "engine/server_private.h"
#include "smtp/reply.h"

enum server_event server_rcpt(struct server *s, struct step *t, struct span arg)
{
    struct server_detail *d = t->d;
    struct span rest = {NULL, 0};
    struct span bad = {NULL, 0};
    struct span refusal = {NULL, 0};
    unsigned flags = PATH_ALLOW_POSTMASTER | (s->utf8 ? PATH_ALLOW_UTF8 : 0);

    /* check */
    if (!server_path_keyword(&arg, SPAN("TO:")))
        refusal = REPLY("501 5.5.2 Syntax: RCPT TO:<address>");
    else
        refusal = server_path_refusal(path_parse(arg, flags, &d->path, &rest), true);
    if (refusal.n > 0) {
        s->recipients_refused = true;
        server_fail(s, t, refusal);
        return SERVER_AGAIN;
    }
    enum params_error e = params_rcpt(rest, server_params_offered(s), &d->rcpt, &bad);
    if (e != PARAMS_OK) {
        s->recipients_refused = true;
        server_fail_params(s, t, e, bad);
        return SERVER_AGAIN;
    }
    if (s->recipients >= s->conf->max_recipients) { /* RFC 5321 4.5.3.1.10: 452, never 552 */
        server_fail(s, t, REPLY("452 4.5.3 Too many recipients"));
        return SERVER_AGAIN;
    }
    /* ask */
    s->ask = ASK_RCPT;
    return SERVER_RCPT;
}

void server_rcpt_answer(struct server *s, struct buf *out, const struct server_verdict *v)
{
    if (!server_accepts(v)) {
        s->recipients_refused = true;
        server_fail_verdict(s, out, v);
        return;
    }
    s->state = VERB_IN_RCPT;
    s->recipients++;
    if (v->code)
        reply_put(out, v->code, v->enhanced, v->text);
    else
        buf_put(out, REPLY("250 2.1.5 Recipient ok"));
}
