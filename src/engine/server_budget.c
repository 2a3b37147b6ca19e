/* Budgets of a session: errors, commands that do no work, time. Whoever spends one hears 421 and is gone. */
#include "engine/server_private.h"
#include "smtp/reply.h"

void server_end(struct server *s, struct buf *out, struct span line)
{
    buf_put(out, line);
    s->phase = PHASE_CLOSED;
    s->ask = ASK_NONE;
    server_reset(s);
}

/* True when this error may still be told as what it is. */
static bool may_err(struct server *s, struct buf *out)
{
    if (s->errors < s->conf->max_errors) {
        s->errors++;
        return true;
    }
    server_end(s, out, REPLY("421 4.7.0 Too many errors, closing connection"));
    return false;
}

void server_fail(struct server *s, struct step *t, struct span line)
{
    if (line.p[0] == '5' && !may_err(s, t->out)) return;
    buf_put(t->out, line);
}

void server_fail_verdict(struct server *s, struct buf *out, const struct server_verdict *v)
{
    if (v->code >= 500 && !v->no_error && !may_err(s, out)) return;
    reply_put(out, v->code, v->enhanced, v->text);
    if (v->code == 421) server_end(s, out, (struct span){NULL, 0});
}

bool server_junk(struct server *s, struct step *t)
{
    if (s->junk < s->conf->max_junk) {
        s->junk++;
        return true;
    }
    server_end(s, t->out, REPLY("421 4.7.0 Too many commands without mail, closing connection"));
    return false;
}

static uint64_t later(uint64_t ms, uint64_t seconds)
{
    uint64_t sum = 0;
    if (__builtin_add_overflow(ms, seconds * 1000, &sum)) return UINT64_MAX;
    return sum;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Content flows: RFC 5321 4.5.3.2.5 (data block), the total of one message, and a minimum rate, which makes a client
 * that sends an octet now and then as dead as one that sends none. */
static uint64_t content_deadline(const struct server *s)
{
    const struct server_conf *c = s->conf;
    uint64_t at =
        earlier(later(s->activity_ms, c->data_block_seconds), later(s->body_ms, c->message_seconds));
    if (c->minimum_rate > 0) {
        uint64_t earned = s->block_octets / c->minimum_rate; /* seconds these octets are worth */
        uint64_t seconds = earned > LIMIT_RATE_GRACE_SECONDS ? earned : LIMIT_RATE_GRACE_SECONDS;
        at = earlier(at, later(s->block_ms, seconds));
    }
    return at;
}

uint64_t server_deadline(const struct server *s)
{
    const struct server_conf *c = s->conf;
    uint64_t at = later(s->started_ms, c->session_seconds);
    if (s->ask != ASK_NONE) return UINT64_MAX;
    switch (s->phase) {
    case PHASE_HANDSHAKE: return earlier(at, later(s->command_ms, LIMIT_TLS_HANDSHAKE_SECONDS));
    case PHASE_DATA:
    case PHASE_CHUNK: return earlier(at, content_deadline(s));
    case PHASE_SASL: return earlier(at, s->sasl_ms);
    default: break;
    }
    if (s->state == VERB_IN_BDAT) at = earlier(at, later(s->body_ms, c->message_seconds));
    /* counted from the last command that was complete: octets of the next one do not stretch it */
    return earlier(at, later(s->command_ms, c->command_seconds));
}

static enum server_event leave(struct server *s)
{
    if (s->abort_due) {
        s->abort_due = false;
        return SERVER_ABORT;
    }
    return SERVER_CLOSE;
}

enum server_event server_tick(struct server *s, uint64_t now_ms, struct buf *out)
{
    struct span line = REPLY("421 4.4.2 Timeout, closing connection");
    if (s->phase == PHASE_CLOSED) return leave(s);
    if (now_ms < server_deadline(s)) return SERVER_INPUT;
    /* no words inside a handshake, and none that do not fit: a client that reads nothing hears nothing */
    if (s->phase == PHASE_HANDSHAKE || buf_room(out) < line.n) line.n = 0;
    server_end(s, out, line);
    return leave(s);
}

enum server_event server_drain(struct server *s, struct buf *out)
{
    struct span line = REPLY("421 4.3.2 Service is shutting down, try again soon");
    if (s->phase == PHASE_CLOSED) return leave(s);
    if (s->ask != ASK_NONE || s->phase == PHASE_DATA || s->phase == PHASE_CHUNK || s->phase == PHASE_SASL ||
        s->in_transaction)
        return SERVER_INPUT;
    if (s->phase == PHASE_HANDSHAKE || buf_room(out) < line.n) line.n = 0;
    server_end(s, out, line);
    return leave(s);
}
