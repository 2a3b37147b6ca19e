/* AUTH, RFC 4954 4.
 *
 *   auth     = "AUTH" SP mechanism [ SP initial ] CRLF *( "334" SP base64 CRLF ( base64 / "*" ) CRLF )
 *   initial  = base64 / "="
 *
 * The engine keeps order and bounds; who it is and what it may do the caller says. Proof without a right is told like no proof
 * (MS02-011, invariant I2). */
#include "base/base64.h"
#include "engine/server_private.h"
#include "smtp/line.h"
#include "smtp/reply.h"

void server_offer(struct server *s, uint32_t mechanisms)
{
    s->mechanisms = mechanisms;
}

static enum server_event refuse(struct server *s, struct step *t, struct span line)
{
    server_fail(s, t, line);
    return SERVER_AGAIN;
}

/* While the caller thinks, its time does not count: sasl_ms is then what is left to the client. */
static enum server_event ask(struct server *s, struct step *t, enum server_event event)
{
    s->sasl_ms = s->sasl_ms > t->now_ms ? s->sasl_ms - t->now_ms : 0;
    s->phase = PHASE_COMMAND;
    s->ask = ASK_AUTH;
    return event;
}

enum server_event server_auth(struct server *s, struct step *t, struct span arg)
{
    /* check */
    size_t blank = span_find(arg, ' ');
    const struct mechanism_row *m = mechanism_find(span_head(arg, blank));
    struct span initial = blank == SPAN_NPOS ? SPAN("") : span_skip(arg, blank + 1);
    if (s->authenticated) return refuse(s, t, REPLY("503 5.5.1 Authenticated already"));
    if (!s->mechanisms) /* RFC 4954 6: only in the clear, or it would have been 502 */
        return refuse(s, t, REPLY("538 5.7.11 Encryption required: send STARTTLS first"));
    if (!m || !(s->mechanisms & MECHANISM_BIT(m->mechanism)))
        return refuse(s, t, REPLY("504 5.5.4 This mechanism is not offered here"));
    if (initial.n && (m->flags & MECHANISM_SERVER_FIRST))
        return refuse(s, t, REPLY("501 5.5.4 This mechanism takes no initial response"));
    t->d->initial = initial.n > 0;
    if (span_eq(initial, SPAN("="))) initial.n = 0;
    if (!base64_valid(initial)) return refuse(s, t, REPLY("501 5.5.2 This is not base64"));
    /* ask */
    t->d->mechanism = m->mechanism;
    t->d->sasl = initial;
    s->sasl_rounds = t->d->initial;
    s->sasl_octets = (uint32_t)initial.n;
    s->sasl_ms = t->now_ms + LIMIT_SASL_SECONDS * UINT64_C(1000);
    return ask(s, t, SERVER_AUTH);
}

void server_auth_answer(struct server *s, struct buf *out, const struct server_verdict *v)
{
    struct server_verdict refusal = *v;
    if (server_accepts(v)) /* success has a function of its own: default is deny */
        refusal = (struct server_verdict){
            .code = 454, .enhanced = "4.7.0", .text = SPAN("Temporary authentication failure")};
    if (refusal.code == 535 && s->auth_failures++ >= s->conf->max_auth_failures) {
        server_end(s, out, REPLY("421 4.7.0 Too many failed logins, closing connection"));
        return;
    }
    server_fail_verdict(s, out, &refusal);
}

void server_challenge(struct server *s, uint64_t now_ms, struct span challenge, struct buf *out)
{
    uint8_t memory[BASE64_OCTETS(LIMIT_SASL_CHALLENGE_OCTETS)];
    struct buf text = buf_on(memory, sizeof memory);
    if (s->ask != ASK_AUTH) return;
    s->ask = ASK_NONE;
    s->command_ms = now_ms;
    base64_encode(span_head(challenge, LIMIT_SASL_CHALLENGE_OCTETS), &text);
    buf_put(out, SPAN("334 "));
    buf_put(out, buf_span(&text));
    buf_put(out, SPAN("\r\n"));
    s->phase = PHASE_SASL;
    s->sasl_ms += now_ms;
}

void server_authenticated(struct server *s, uint64_t now_ms, bool submit, struct buf *out)
{
    if (s->ask != ASK_AUTH) return;
    s->ask = ASK_NONE;
    s->command_ms = now_ms;
    s->authenticated = true;
    s->submit_right = submit;
    buf_put(out, REPLY("235 2.7.0 Authentication successful"));
}

void server_permit_size(struct server *s)
{
    s->any_size = true;
}

/* The exchange ends before its end. */
static enum server_event give_up(struct server *s, struct step *t, struct span line)
{
    s->phase = PHASE_COMMAND;
    s->command_ms = t->now_ms;
    server_fail(s, t, line);
    return SERVER_AUTH_CANCEL;
}

enum server_event server_step_sasl(struct server *s, struct step *t)
{
    struct span line = {NULL, 0};
    size_t consumed = 0;
    enum line_status status = line_find(*t->in, LIMIT_AUTH_LINE_OCTETS, &line, &consumed);
    if (status == LINE_MORE) return SERVER_INPUT;
    struct span taken = span_head(*t->in, consumed);
    *t->in = span_skip(*t->in, consumed);
    if (status == LINE_TOO_LONG) { /* RFC 4954 6: 500 5.5.6, at the end of the line */
        (void)server_skip(s, t, taken);
        return SERVER_AUTH_CANCEL;
    }
    s->sasl_octets += (uint32_t)taken.n;
    if (status == LINE_OK && span_eq(line, SPAN("*")))
        return give_up(s, t, REPLY("501 5.7.0 Authentication cancelled"));
    if (status != LINE_OK || !base64_valid(line)) return give_up(s, t, REPLY("501 5.5.2 This is not base64"));
    if (++s->sasl_rounds > LIMIT_SASL_ROUNDS || s->sasl_octets > LIMIT_SASL_EXCHANGE_OCTETS)
        return give_up(s, t, REPLY("501 5.5.2 Authentication exchange too long"));
    t->d->sasl = line;
    return ask(s, t, SERVER_SASL);
}
