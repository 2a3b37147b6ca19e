/* DATA, RFC 5321 4.1.1.4.
 *
 *   data = "DATA" CRLF, then content, then CRLF "." CRLF */
#include "engine/server_private.h"
#include "smtp/reply.h"

enum server_event server_data(struct server *s, struct step *t)
{
    /* check: that there is a recipient the verb table has seen to. RFC 3030 3: BINARYMIME goes by BDAT only */
    if (s->body == BODY_BINARYMIME) {
        server_fail(s, t, REPLY("503 5.5.1 BODY=BINARYMIME needs BDAT"));
        return SERVER_AGAIN;
    }
    /* ask */
    s->ask = ASK_BODY_BEGIN;
    return SERVER_BODY_BEGIN;
}

void server_data_answer(struct server *s, uint64_t now_ms, struct buf *out, const struct server_verdict *v)
{
    if (!server_accepts(v)) {
        server_fail_verdict(s, out, v); /* the transaction stays: DATA may be tried again */
        return;
    }
    server_body_begin(s, now_ms);
    dot_begin(&s->dot, s->conf->max_line_octets, s->conf->normalize_bare_lf);
    s->phase = PHASE_DATA;
    buf_put(out, REPLY("354 End data with <CR><LF>.<CR><LF>"));
}

enum server_event server_step_data(struct server *s, struct step *t)
{
    struct span slice = {NULL, 0};
    size_t before = t->in->n;
    enum dot_event e = dot_next(&s->dot, t->in, &slice);
    if (before > t->in->n) {
        s->activity_ms = t->now_ms;
        s->block_octets += before - t->in->n;
    }
    switch (e) {
    case DOT_MORE: return SERVER_INPUT;
    case DOT_SLICE: return server_body_slice(s, t, slice);
    case DOT_CR: return server_body_slice(s, t, SPAN("\r"));
    case DOT_END: break;
    }
    s->phase = PHASE_COMMAND;
    s->command_ms = t->now_ms;
    struct body_refusal refusal;
    if (!server_body_refused(s, &refusal)) return server_body_end(s);
    server_reset(s);
    server_body_tell(s, t, &refusal);
    return SERVER_AGAIN;
}
