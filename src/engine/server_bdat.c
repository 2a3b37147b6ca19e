/* BDAT, RFC 3030 2.
 *
 *   bdat = "BDAT" SP chunk-size [ SP "LAST" ] CRLF chunk-size * OCTET
 *
 * "If a BDAT command fails for any reason, the receiver-SMTP MUST accept and discard the associated message data": its
 * octets are always consumed, and only then comes its one reply. Content is counted, never searched for an end. */
#include "engine/server_private.h"
#include "smtp/reply.h"

enum refusal { /* server.refusal */
               REFUSAL_NONE,
               REFUSAL_SAID, /* the caller refused and its words are out already */
               REFUSAL_SYNTAX,
               REFUSAL_NOT_OFFERED,
               REFUSAL_NO_EHLO,
               REFUSAL_NO_MAIL,
               REFUSAL_NO_RCPT,
               REFUSAL_ALL_REFUSED,
               REFUSAL_FAILED,
               REFUSAL_TOO_LARGE,
};

static struct span words(const struct server *s)
{
    switch ((enum refusal)s->refusal) {
    case REFUSAL_NONE:
    case REFUSAL_SAID: break;
    case REFUSAL_SYNTAX: return REPLY("501 5.5.4 Syntax: BDAT size [LAST]");
    case REFUSAL_NOT_OFFERED: return REPLY("502 5.5.1 CHUNKING is not offered");
    case REFUSAL_NO_EHLO: return REPLY("503 5.5.1 Send EHLO first");
    case REFUSAL_NO_MAIL: return REPLY("503 5.5.1 Send MAIL first");
    case REFUSAL_NO_RCPT: return REPLY("503 5.5.1 Send RCPT first");
    case REFUSAL_ALL_REFUSED: return REPLY("554 5.5.1 No valid recipients");
    case REFUSAL_FAILED:
        /* chunks that were sent without waiting: what failed for now must not look as if it had failed for good */
        return s->bdat_failed_for_now ? REPLY("451 4.5.1 A chunk has failed, send RSET")
                                      : REPLY("503 5.5.1 A chunk has failed, send RSET");
    case REFUSAL_TOO_LARGE: return REPLY("552 5.3.4 Message too large");
    }
    return (struct span){NULL, 0};
}

static enum refusal check(const struct server *s, enum chunk_error e, uint64_t size)
{
    uint64_t before = s->state == VERB_IN_BDAT ? s->body_octets : 0;
    if (!(server_extensions(s) & EXT_CHUNKING)) return REFUSAL_NOT_OFFERED;
    if (e != CHUNK_OK) return REFUSAL_SYNTAX;
    if (!s->esmtp) return REFUSAL_NO_EHLO;
    if (s->bdat_failed) return REFUSAL_FAILED;
    switch (s->state) {
    case VERB_IN_START:
    case VERB_IN_IDLE: return REFUSAL_NO_MAIL;
    case VERB_IN_MAIL: return s->recipients_refused ? REFUSAL_ALL_REFUSED : REFUSAL_NO_RCPT;
    default: break;
    }
    /* before never passes the maximum while the content is good */
    if (before > server_max_octets(s) || size > server_max_octets(s) - before) return REFUSAL_TOO_LARGE;
    return REFUSAL_NONE;
}

enum server_event server_bdat(struct server *s, struct step *t, struct span arg)
{
    uint64_t size = 0;
    bool last = false;
    /* check */
    enum chunk_error e = params_chunk(arg, &size, &last);
    if (e == CHUNK_BAD_SIZE) {
        /* nobody knows where the next command begins: not one more octet is looked at */
        server_end(s, t->out, REPLY("501 5.5.4 Unreadable chunk size, closing connection"));
        return SERVER_AGAIN;
    }
    s->refusal = (uint8_t)check(s, e, size);
    s->chunk_left = size;
    s->bdat_last = last && e == CHUNK_OK;
    s->phase = PHASE_CHUNK;
    s->block_octets = 0;
    s->block_ms = s->activity_ms = t->now_ms;
    if (s->state != VERB_IN_BDAT) s->body_ms = t->now_ms;
    if (s->refusal != REFUSAL_NONE && s->body_open) server_body_drop(s); /* nothing of it will be kept */
    if (s->refusal != REFUSAL_NONE || s->state == VERB_IN_BDAT) return SERVER_AGAIN;
    /* ask, with the first chunk */
    s->ask = ASK_BODY_BEGIN;
    return SERVER_BODY_BEGIN;
}

void server_bdat_answer(struct server *s, struct buf *out, const struct server_verdict *v)
{
    s->state = VERB_IN_BDAT;
    if (server_accepts(v)) return; /* the reply waits for the octets */
    s->refusal = REFUSAL_SAID;
    s->bdat_failed_for_now = v->code < 500;
    server_fail_verdict(s, out, v);
}

/* A chunk failed: the end of the transaction when it was the last one, else nothing but RSET helps (RFC 3030 2: the
 * state is indeterminate and RSET MUST be issued). */
static void failed(struct server *s, bool for_now)
{
    bool transaction = s->state != VERB_IN_START && s->state != VERB_IN_IDLE;
    if (!transaction) return;
    if (s->bdat_last) {
        server_reset(s);
        return;
    }
    if (s->body_open) server_body_drop(s); /* what was stored is worthless from here on */
    if (!s->bdat_failed) s->bdat_failed_for_now = for_now;
    s->state = VERB_IN_BDAT;
    s->bdat_failed = true;
}

static enum server_event refused_chunk(struct server *s, struct step *t)
{
    struct span line = words(s);
    if (s->refusal != REFUSAL_NOT_OFFERED) failed(s, s->bdat_failed_for_now);
    if (line.n > 0) server_fail(s, t, line);
    return SERVER_AGAIN;
}

/* All octets of the chunk are here. */
static enum server_event finish(struct server *s, struct step *t)
{
    bool text = s->body != BODY_BINARYMIME;
    if (s->refusal == REFUSAL_NONE && s->bdat_last && text && !s->bdat_completed) {
        s->bdat_completed = true;
        /* every message is whole lines: a last one that lacks its end gets it (a next hop by DATA would need it) */
        t->d->body = chunk_completion(&s->chunk);
        if (t->d->body.n > 0 && s->body_open) return SERVER_BODY;
    }
    s->phase = PHASE_COMMAND;
    s->command_ms = t->now_ms;
    if (s->refusal != REFUSAL_NONE) return refused_chunk(s, t);
    struct body_refusal refusal;
    if (server_body_refused(s, &refusal)) {
        failed(s, refusal.line.n == 0 && refusal.verdict.code < 500);
        server_body_tell(s, t, &refusal);
        return SERVER_AGAIN;
    }
    if (s->bdat_last) return server_body_end(s);
    server_say(t, REPLY("250 2.0.0 Chunk accepted"));
    return SERVER_AGAIN;
}

enum server_event server_step_chunk(struct server *s, struct step *t)
{
    if (s->chunk_left == 0) return finish(s, t);
    if (t->in->n == 0) return SERVER_INPUT;
    size_t n = s->chunk_left < t->in->n ? (size_t)s->chunk_left : t->in->n;
    struct span slice = span_head(*t->in, n);
    *t->in = span_skip(*t->in, n);
    s->chunk_left -= n;
    s->block_octets += n;
    s->activity_ms = t->now_ms;
    if (s->refusal != REFUSAL_NONE) return SERVER_AGAIN;
    if (s->body != BODY_BINARYMIME) chunk_feed(&s->chunk, slice);
    return server_body_slice(s, t, slice);
}
