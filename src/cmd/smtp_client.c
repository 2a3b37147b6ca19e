#include "cmd/smtp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "cmd/complain.h"
#include "smtp/dot.h"
#include "smtp/ehlo.h"
#include "smtp/line.h"
#include "smtp/reply.h"

enum {
    PIPELINED =
        100, /* commands in flight: their replies fit any socket buffer, so nobody blocks on the other */
    CHUNK_OCTETS = 1048576,
    PIECE_OCTETS = 65536, /* of content that is dot-stuffed at once */
    LINE_OCTETS = 2048,
    REPLY_SHOWN = 255, /* of a reply line; with "..." and escaped at most 1024 */
};

struct client {
    const struct smtp_client_job *job;
    struct dial *dial;
    struct smtp_client_result *result;
    const char *why; /* what broke the connection */
    bool foreign;    /* ... and the connection is not to blame */
    struct ehlo ehlo;
    bool in_ehlo;                   /* reply lines are the server's extensions */
    unsigned lines;                 /* of the reply that is being read */
    unsigned code;                  /* of the last reply */
    char last[4 * REPLY_SHOWN + 1]; /* its last line, escaped */
};

static void show(const struct client *c, const char *direction, struct span line)
{
    char memory[4 * LINE_OCTETS + 8];
    if (!c->job->verbose) return;
    struct buf b = buf_on(memory, sizeof memory);
    buf_escaped(&b, line, LINE_OCTETS);
    fprintf(stderr, "%s %.*s\n", direction, SPAN_ARG(buf_span(&b)));
}

static bool fail(struct client *c, const char *why)
{
    c->why = why;
    c->foreign = true;
    return false;
}

static bool take_line(struct client *c, struct span line, bool *last)
{
    struct reply_line r;
    struct buf b = buf_on(c->last, sizeof c->last - 1);
    show(c, "<", line);
    if (!reply_parse(line, &r)) return fail(c, "that is no SMTP reply");
    if (c->lines > 0 && r.code != c->code) return fail(c, "the code changes within a reply");
    if (c->in_ehlo && c->lines > 0 && r.code == 250) ehlo_read_line(r.text, &c->ehlo);
    buf_escaped(&b, line, REPLY_SHOWN);
    c->last[b.n] = '\0';
    c->code = r.code;
    *last = r.last;
    return ++c->lines <= 200 || r.last || fail(c, "a reply without an end");
}

/* One whole reply into code and last. */
static bool get_reply(struct client *c)
{
    bool last = false, more = false;
    c->lines = 0;
    while (!last) {
        const char *why;
        struct span in = dial_read(c->dial, more, &why), line;
        if (more && !in.p) {
            c->why = why ? why : "the server closed the connection";
            return false;
        }
        size_t used = 0;
        more = false;
        switch (line_find(in, LINE_OCTETS, &line, &used)) {
        case LINE_OK:
            if (!take_line(c, line, &last)) return false;
            dial_consume(c->dial, used);
            break;
        case LINE_MORE: more = true; break;
        default: return fail(c, "a reply line that is too long or broken");
        }
    }
    return true;
}

static bool put(struct client *c, struct buf *b)
{
    if (b->over) return fail(c, "a command that is too long");
    struct span all = buf_span(b), rest = all;
    while (rest.n > 0) {
        size_t end = span_find(rest, '\r');
        if (end == SPAN_NPOS) break;
        show(c, ">", span_head(rest, end));
        rest = span_skip(rest, end + 2);
    }
    b->n = 0;
    return dial_write(c->dial, all, &c->why);
}

static bool command(struct client *c, const char *verb, const char *argument)
{
    char memory[LINE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, verb);
    buf_str(&b, argument);
    buf_str(&b, "\r\n");
    return put(c, &b) && get_reply(c);
}

static bool refused(struct client *c, const char *what)
{
    complain(c->code / 100 == 4 ? EX_TEMPFAIL : EX_UNAVAILABLE, "%s: %s", what, c->last);
    return false;
}

static bool hello(struct client *c)
{
    c->ehlo = (struct ehlo){0};
    c->in_ehlo = true;
    bool ok = command(c, "EHLO ", c->job->helo);
    c->in_ehlo = false;
    if (!ok || c->code == 250) return ok;
    /* RFC 5321 3.2: "a client ... SHOULD try HELO" where EHLO is not known; without TLS nothing was promised yet */
    return command(c, "HELO ", c->job->helo) && (c->code == 250 || refused(c, "HELO"));
}

static bool start_tls(struct client *c)
{
    if (!dial_start_tls(c->dial, &c->job->tls, &c->why)) return fail(c, c->why);
    if (c->job->verbose) fprintf(stderr, "* %s\n", dial_tls_text(c->dial));
    return true;
}

static bool open_session(struct client *c)
{
    const struct smtp_client_job *j = c->job;
    c->dial = dial_tcp(j->host, j->port, LIMIT_DIAL_SECONDS, &c->why);
    if (!c->dial) return false;
    if (j->mode == SMTP_CLIENT_IMPLICIT && !start_tls(c)) return false;
    if (!get_reply(c)) return false;
    if (c->code != 220) return refused(c, "greeting");
    if (!hello(c)) return false;
    if (j->mode != SMTP_CLIENT_STARTTLS) return true;
    if (!(c->ehlo.extensions & EXT_STARTTLS)) return fail(c, "the server does not offer STARTTLS");
    if (!command(c, "STARTTLS", "")) return false;
    if (c->code != 220) return refused(c, "STARTTLS");
    return start_tls(c) && hello(c); /* RFC 3207 4.2: what was said before is forgotten */
}

static bool is_8bit(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > 127) return true;
    return false;
}

static bool put_mail(struct client *c, struct buf *b)
{
    const struct smtp_client_job *j = c->job;
    bool utf8 = is_8bit(span_str(j->from));
    for (unsigned i = 0; i < j->n_to; i++)
        utf8 = utf8 || is_8bit(span_str(j->to[i]));
    if (utf8 && !(c->ehlo.extensions & EXT_SMTPUTF8)) return fail(c, "the server does not offer SMTPUTF8");
    buf_str(b, "MAIL FROM:<");
    buf_str(b, j->from);
    buf_str(b, ">");
    if (c->ehlo.extensions & EXT_SIZE) {
        buf_str(b, " SIZE=");
        buf_u64(b, j->message.n);
    }
    if (is_8bit(j->message) && (c->ehlo.extensions & EXT_8BITMIME)) buf_str(b, " BODY=8BITMIME");
    if (utf8) buf_str(b, " SMTPUTF8");
    buf_str(b, "\r\n");
    return true;
}

static void put_rcpt(struct buf *b, const char *to)
{
    buf_str(b, "RCPT TO:<");
    buf_str(b, to);
    buf_str(b, ">\r\n");
}

static bool get_rcpt_reply(struct client *c, const char *to)
{
    if (!get_reply(c)) return false;
    if (c->code / 100 == 2)
        c->result->accepted++;
    else if (c->code / 100 == 5)
        c->result->refused++;
    else
        c->result->deferred++;
    if (c->code / 100 != 2) refused(c, to);
    return true;
}

/* MAIL and RCPT, in groups where the server allows it (RFC 2920 3.1). */
static bool send_envelope(struct client *c)
{
    const struct smtp_client_job *j = c->job;
    unsigned group = c->ehlo.extensions & EXT_PIPELINING ? PIPELINED : 1;
    char memory[PIPELINED * 1100];
    struct buf b = buf_on(memory, sizeof memory);
    if (!put_mail(c, &b)) return false;
    bool mail_open = true, ok = true;
    if (group == 1) {
        if (!put(c, &b) || !get_reply(c)) return false;
        if (c->code != 250) return refused(c, "MAIL");
        mail_open = false;
    }
    for (unsigned i = 0; i < j->n_to; i += group) {
        unsigned n = j->n_to - i < group ? j->n_to - i : group;
        for (unsigned k = i; k < i + n; k++)
            put_rcpt(&b, j->to[k]);
        if (!put(c, &b)) return false;
        if (mail_open) {
            if (!get_reply(c)) return false;
            ok = c->code == 250 || refused(c, "MAIL");
            mail_open = false;
        }
        unsigned mail_code = c->code;
        for (unsigned k = i; k < i + n; k++)
            if (ok ? !get_rcpt_reply(c, j->to[k]) : !get_reply(c)) return false;
        if (!ok) {
            c->code = mail_code;
            return false;
        }
    }
    return c->result->accepted > 0;
}

static bool send_data(struct client *c)
{
    static char memory[2 * PIECE_OCTETS + 8];
    uint8_t state = 0;
    if (!command(c, "DATA", "")) return false;
    if (c->code != 354) return refused(c, "DATA");
    for (struct span rest = c->job->message; rest.n > 0; rest = span_skip(rest, PIECE_OCTETS)) {
        struct buf b = buf_on(memory, sizeof memory);
        dot_stuff(&state, span_head(rest, PIECE_OCTETS), &b);
        if (b.over || !dial_write(c->dial, buf_span(&b), &c->why)) return false;
    }
    struct buf b = buf_on(memory, sizeof memory);
    dot_finish(&state, &b);
    if (c->job->verbose) fprintf(stderr, "> (%zu octets, and the final dot)\n", c->job->message.n);
    return dial_write(c->dial, buf_span(&b), &c->why) && get_reply(c);
}

static bool send_chunks(struct client *c)
{
    struct span rest = c->job->message;
    if (!(c->ehlo.extensions & EXT_CHUNKING)) return fail(c, "the server does not offer CHUNKING");
    do {
        char memory[64];
        struct buf b = buf_on(memory, sizeof memory);
        struct span chunk = span_head(rest, CHUNK_OCTETS);
        rest = span_skip(rest, chunk.n);
        buf_str(&b, "BDAT ");
        buf_u64(&b, chunk.n);
        buf_str(&b, rest.n == 0 ? " LAST\r\n" : "\r\n");
        if (!put(c, &b) || !dial_write(c->dial, chunk, &c->why) || !get_reply(c)) return false;
        if (c->code != 250) return true;
    } while (rest.n > 0);
    return true;
}

static enum smtp_client_outcome by_code(unsigned code)
{
    return code / 100 == 2 ? SMTP_CLIENT_SENT : code / 100 == 5 ? SMTP_CLIENT_REFUSED : SMTP_CLIENT_DEFERRED;
}

static enum smtp_client_outcome outcome_of(const struct client *c, bool done)
{
    const struct smtp_client_result *r = c->result;
    if (c->why) return c->foreign ? SMTP_CLIENT_FOREIGN : SMTP_CLIENT_ABSENT;
    if (done && c->code / 100 == 2 && r->accepted < c->job->n_to) return SMTP_CLIENT_PARTLY;
    if (!done && r->refused + r->deferred > 0 && r->accepted == 0)
        return r->refused > 0 ? SMTP_CLIENT_REFUSED : SMTP_CLIENT_DEFERRED;
    return by_code(c->code);
}

const char *smtp_client_outcome_name(enum smtp_client_outcome outcome)
{
    static const char *const name[] = {
        [SMTP_CLIENT_SENT] = "sent",        [SMTP_CLIENT_PARTLY] = "partly",
        [SMTP_CLIENT_REFUSED] = "refused",  [SMTP_CLIENT_DEFERRED] = "deferred",
        [SMTP_CLIENT_ABSENT] = "no-server", [SMTP_CLIENT_FOREIGN] = "protocol",
    };
    return name[outcome];
}

void smtp_client_send(const struct smtp_client_job *job, struct smtp_client_result *result)
{
    struct client *c = calloc(1, sizeof *c);
    *result = (struct smtp_client_result){.outcome = SMTP_CLIENT_ABSENT, .why = "no memory"};
    if (!c) {
        complain(EX_UNAVAILABLE, "no memory");
        return;
    }
    c->job = job;
    c->result = result;
    bool done = open_session(c) && send_envelope(c) && (job->chunking ? send_chunks(c) : send_data(c));
    result->outcome = outcome_of(c, done);
    result->why = c->why;
    result->code = c->code;
    snprintf(result->reply, sizeof result->reply, "%s", c->last);
    if (c->why)
        complain(c->foreign ? EX_PROTOCOL : EX_UNAVAILABLE, "%s port %s: %s", job->host, job->port, c->why);
    if (done && !c->why && c->code / 100 != 2) refused(c, "content");
    if (c->dial && !c->why && !command(c, "QUIT", "") && job->verbose)
        fprintf(stderr, "* QUIT: %s\n", c->why); /* the answer to the message counts, not this one */
    dial_close(&c->dial);
    free(c);
}
