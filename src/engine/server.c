#include "engine/server_private.h"
#include "smtp/reply.h"

/* What this engine speaks. AUTH comes by server_offer. */
#define SPOKEN                                                                                               \
    (EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_BINARYMIME | EXT_CHUNKING | EXT_SMTPUTF8 | EXT_DSN |     \
     EXT_ENHANCEDSTATUSCODES | EXT_LIMITS | EXT_STARTTLS | EXT_VRFY | EXT_HELP)

static void begin(struct server *s, const struct server_conf *conf, uint64_t now_ms, bool tls)
{
    memset(s, 0, sizeof *s);
    s->conf = conf;
    s->tls = tls;
    s->started_ms = s->command_ms = now_ms;
    s->state = VERB_IN_START;
}

void server_begin(struct server *s, const struct server_conf *conf, uint64_t now_ms, bool tls,
                  struct buf *out)
{
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 1 + LIMIT_BANNER_OCTETS];
    struct buf text = buf_on(memory, sizeof memory);
    begin(s, conf, now_ms, tls);
    /* RFC 5321 4.2: the greeting names the host first; ESMTP invites EHLO (3.1) */
    buf_put(&text, span_head(conf->hostname, LIMIT_DOMAIN_OCTETS));
    buf_byte(&text, ' ');
    buf_put(&text, conf->banner.n ? span_head(conf->banner, LIMIT_BANNER_OCTETS) : SPAN("ESMTP ready"));
    reply_put(out, 220, NULL, buf_span(&text));
}

void server_refuse(struct server *s, const struct server_conf *conf, unsigned code, const char *enhanced,
                   struct span text, struct buf *out)
{
    begin(s, conf, 0, false);
    s->phase = PHASE_CLOSED;
    reply_put(out, code, enhanced, text);
}

void server_early_talker(struct server *s, struct buf *out)
{
    server_end(s, out, REPLY("554 5.5.1 You talk before the greeting"));
}

void server_reset(struct server *s)
{
    if (s->in_transaction) s->abort_due = true;
    s->in_transaction = false;
    s->body_open = false;
    s->bdat_failed = false;
    s->bdat_failed_for_now = false;
    s->content_code = 0;
    s->bdat_last = false;
    s->recipients_refused = false;
    s->recipients = 0;
    s->utf8 = false;
    s->body = BODY_7BIT;
    s->declared_size = 0;
    if (s->state != VERB_IN_START) s->state = VERB_IN_IDLE;
}

void server_tls_started(struct server *s, uint64_t now_ms)
{
    if (s->phase != PHASE_HANDSHAKE) return;
    /* RFC 3207 4.2: the server MUST discard any knowledge obtained from the client, such as the argument to EHLO */
    server_reset(s);
    s->phase = PHASE_COMMAND;
    s->state = VERB_IN_START;
    s->esmtp = false;
    s->submit_right = s->authenticated = s->any_size = false;
    s->mechanisms = 0;
    s->helo_n = 0;
    s->tls = true;
    s->command_ms = now_ms;
}

enum server_event server_next(struct server *s, uint64_t now_ms, struct span *in, struct buf *out,
                              struct server_detail *d)
{
    struct step t = {now_ms, in, out, d};
    for (;;) {
        enum server_event e = SERVER_CLOSE;
        if (s->abort_due) {
            s->abort_due = false;
            return SERVER_ABORT;
        }
        if (s->phase == PHASE_CLOSED) return SERVER_CLOSE;
        if (s->ask != ASK_NONE) return SERVER_WAIT;
        if (s->phase == PHASE_HANDSHAKE) {
            *in = span_skip(*in, in->n); /* came in clear behind STARTTLS: never looked at (I9) */
            return SERVER_WAIT;
        }
        if (buf_room(out) < SERVER_REPLY_ROOM) return SERVER_FLUSH;
        switch (s->phase) {
        case PHASE_COMMAND: e = server_step_command(s, &t); break;
        case PHASE_SKIP: e = server_step_skip(s, &t); break;
        case PHASE_DATA: e = server_step_data(s, &t); break;
        case PHASE_CHUNK: e = server_step_chunk(s, &t); break;
        case PHASE_SASL: e = server_step_sasl(s, &t); break;
        default: break;
        }
        if (e != SERVER_AGAIN) return e;
    }
}

void server_answer(struct server *s, uint64_t now_ms, const struct server_verdict *v, struct buf *out)
{
    uint8_t ask = s->ask;
    s->ask = ASK_NONE;
    s->command_ms = now_ms; /* the client's time begins when it is answered */
    switch (ask) {
    case ASK_MAIL: server_mail_answer(s, out, v); break;
    case ASK_RCPT: server_rcpt_answer(s, out, v); break;
    case ASK_BODY_BEGIN:
        if (s->verb == VERB_BDAT) {
            s->activity_ms = s->block_ms = now_ms;
            if (server_accepts(v)) server_body_begin(s, now_ms);
            server_bdat_answer(s, out, v);
        } else {
            server_data_answer(s, now_ms, out, v);
        }
        break;
    case ASK_BODY_END: server_body_end_answer(s, out, v); break;
    case ASK_STARTTLS: server_starttls_answer(s, out, v); break;
    case ASK_AUTH: server_auth_answer(s, out, v); break;
    default: break;
    }
}

struct span server_helo(const struct server *s)
{
    return span_of(s->helo, s->helo_n);
}

uint32_t server_extensions(const struct server *s)
{
    uint32_t offered = s->conf->extensions & SPOKEN;
    if (s->tls) offered &= ~(uint32_t)EXT_STARTTLS; /* RFC 3207 4.2: MUST NOT be offered inside TLS */
    if (!(offered & EXT_CHUNKING)) offered &= ~(uint32_t)EXT_BINARYMIME; /* RFC 3030 3: needs CHUNKING */
    if (s->mechanisms && !s->authenticated) offered |= EXT_AUTH;
    return offered;
}
