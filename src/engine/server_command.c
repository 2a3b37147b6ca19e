/* One command line: found, split, checked against the verb table, handed to its verb.
 *
 *   command = verb [ SP argument ] CRLF        RFC 5321 4.1.1
 *
 * Default is deny: what the table does not know or allow here is refused before a verb's own code runs. */
#include "engine/server_private.h"
#include "smtp/line.h"

/* MS02-012: between chunks nothing that starts another protocol may run. Those get the words its scanners look for. */
static struct span between_chunks(const struct verb_row *row)
{
    bool plain_smtp = row->verb >= VERB_HELO && row->verb <= VERB_HELP;
    return plain_smtp ? REPLY("503 5.5.1 Not between two chunks, send BDAT or RSET")
                      : REPLY("503 5.5.2 BDAT expected");
}

static struct span out_of_order(const struct server *s, enum verb verb)
{
    if (s->state == VERB_IN_START) return REPLY("503 5.5.1 Send EHLO first");
    switch (verb) {
    case VERB_MAIL: return REPLY("503 5.5.1 A transaction is open already");
    case VERB_RCPT: return REPLY("503 5.5.1 Send MAIL first");
    case VERB_DATA:
        if (s->state == VERB_IN_IDLE) return REPLY("503 5.5.1 Send MAIL first");
        /* RFC 5321 3.3: no RCPT or all of them refused */
        return s->recipients_refused ? REPLY("554 5.5.1 No valid recipients")
                                     : REPLY("503 5.5.1 Send RCPT first");
    case VERB_STARTTLS: return REPLY("503 5.5.1 Not inside a transaction");
    default: return REPLY("503 5.5.1 Bad sequence of commands");
    }
}

/* Why this verb may not run at all, or an empty span. */
static struct span refused_verb(const struct server *s, const struct verb_row *row)
{
    struct span none = {NULL, 0};
    if (row->flags & VERB_RIGHT)
        return REPLY("500 5.5.1 Command not recognised"); /* feature off: as if unknown */
    if (row->verb == VERB_LHLO)
        return REPLY("500 5.5.1 Command not recognised"); /* RFC 2033 4.1: SMTP refuses LHLO */
    if (s->state == VERB_IN_BDAT && !(row->states & VERB_IN_BDAT)) return between_chunks(row);
    if (row->flags & VERB_ORG && s->authenticated)
        return REPLY("504 5.7.0 Your account has no right to that command");
    if (row->flags & VERB_ORG) return REPLY("504 5.7.0 Need to authenticate first"); /* MS03-046 */
    if (row->flags & VERB_OFF) return REPLY("502 5.5.1 Command not implemented");
    /* what STARTTLS would not bring either */
    bool never = !s->mechanisms && (!s->conf->mechanisms || !(server_extensions(s) & EXT_STARTTLS));
    if (row->verb == VERB_AUTH && s->state == VERB_IN_IDLE && never && !s->authenticated)
        return REPLY("502 5.5.1 AUTH is not available");
    return none;
}

static struct span refused_here(const struct server *s, const struct verb_row *row, struct span arg)
{
    struct span none = {NULL, 0};
    /* the argument first: STARTTLS with one is 501 whatever the state (RFC 3207 4) */
    if (row->argument == VERB_ARG_NONE && arg.n > 0) return REPLY("501 5.5.4 No argument is allowed");
    if (!(row->states & s->state)) return out_of_order(s, row->verb);
    if ((row->flags & VERB_ESMTP) && !s->esmtp) return REPLY("503 5.5.1 Send EHLO first");
    bool needed =
        row->argument == VERB_ARG_STRING || (row->argument == VERB_ARG_DOMAIN && !s->conf->any_hello);
    if (needed && arg.n == 0) return REPLY("501 5.5.4 An argument is needed");
    return none;
}

static enum server_event run(struct server *s, struct step *t, enum verb verb, struct span arg)
{
    switch (verb) {
    case VERB_HELO:
    case VERB_EHLO: return server_hello(s, t, arg);
    case VERB_MAIL: return server_mail(s, t, arg);
    case VERB_RCPT: return server_rcpt(s, t, arg);
    case VERB_DATA: return server_data(s, t);
    case VERB_STARTTLS: return server_starttls(s, t);
    case VERB_AUTH: return server_auth(s, t, arg);
    case VERB_RSET: return server_rset(s, t);
    case VERB_NOOP: return server_noop(s, t);
    case VERB_VRFY: return server_vrfy(s, t);
    case VERB_HELP: return server_help(s, t);
    case VERB_QUIT: return server_quit(s, t);
    default: server_fail(s, t, REPLY("502 5.5.1 Command not implemented")); return SERVER_AGAIN;
    }
}

static enum server_event dispatch(struct server *s, struct step *t, struct span line)
{
    struct span arg = {NULL, 0};
    struct span word = verb_split(line, &arg);
    const struct verb_row *row = verb_find(word);
    if (!row) {
        /* RFC 5321 4.2.4: not recognised is 500 */
        server_fail(s, t, REPLY("500 5.5.1 Command not recognised"));
        return SERVER_AGAIN;
    }
    s->verb = (uint8_t)row->verb;
    if (row->flags &
        VERB_NEVER) { /* a browser was sent here by somebody else's page: hear not one line more */
        server_end(s, t->out, REPLY("421 4.7.0 This is no such service"));
        return SERVER_AGAIN;
    }
    /* a BDAT that is refused still owns its octets: it decides for itself */
    if (row->verb == VERB_BDAT) return server_bdat(s, t, arg);
    struct span refusal = refused_verb(s, row);
    if (refusal.n == 0) refusal = refused_here(s, row, arg);
    if (refusal.n > 0) {
        server_fail(s, t, refusal);
        return SERVER_AGAIN;
    }
    if ((row->flags & VERB_JUNK) && !server_junk(s, t)) return SERVER_AGAIN;
    return run(s, t, row->verb, arg);
}

/* Octets of an over-long line went by. ended: its CRLF was among them. The line gets one reply, at its end, and what
 * it holds is never run. */
static enum server_event skipped(struct server *s, struct step *t, size_t octets, bool ended)
{
    if (octets > LIMIT_SKIPPED_LINE_OCTETS - (size_t)s->skipped) {
        server_end(s, t->out, REPLY("421 4.7.0 Command line too long, closing connection"));
        return SERVER_AGAIN;
    }
    s->skipped += (uint32_t)octets;
    s->phase = ended ? PHASE_COMMAND : PHASE_SKIP;
    if (!ended) return SERVER_AGAIN;
    s->skipped = 0;
    s->command_ms = t->now_ms;
    server_fail(s, t,
                s->verb == VERB_AUTH ? REPLY("500 5.5.6 Authentication exchange line too long")
                                     : REPLY("500 5.5.2 Command line too long"));
    return SERVER_AGAIN;
}

enum server_event server_skip(struct server *s, struct step *t, struct span taken)
{
    return skipped(s, t, taken.n,
                   taken.n >= 2 && taken.p[taken.n - 2] == '\r' && taken.p[taken.n - 1] == '\n');
}

enum server_event server_step_skip(struct server *s, struct step *t)
{
    size_t consumed = 0;
    bool ended = line_skip(*t->in, &consumed);
    if (consumed == 0) return SERVER_INPUT;
    *t->in = span_skip(*t->in, consumed);
    return skipped(s, t, consumed, ended);
}

enum server_event server_step_command(struct server *s, struct step *t)
{
    struct span line = {NULL, 0};
    size_t consumed = 0;
    enum server_event e = SERVER_AGAIN;
    bool auth = s->mechanisms && span_starts_nocase(*t->in, SPAN("AUTH "));
    size_t max = auth ? LIMIT_AUTH_LINE_OCTETS : LIMIT_COMMAND_LINE_OCTETS;
    enum line_status status = line_find(*t->in, max, &line, &consumed);
    if (status == LINE_MORE) return SERVER_INPUT;
    struct span taken = span_head(*t->in, consumed);
    *t->in = span_skip(*t->in, consumed);
    switch (status) {
    case LINE_OK: e = dispatch(s, t, line); break;
    case LINE_TOO_LONG: s->verb = auth ? VERB_AUTH : VERB_UNKNOWN; return server_skip(s, t, taken);
    case LINE_BARE_LF: server_fail(s, t, REPLY("500 5.5.2 Bare LF in a command line")); break;
    case LINE_BARE_CR: server_fail(s, t, REPLY("500 5.5.2 Bare CR in a command line")); break;
    default: server_fail(s, t, REPLY("500 5.5.2 NUL in a command line")); break;
    }
    s->command_ms = t->now_ms;
    return e;
}
