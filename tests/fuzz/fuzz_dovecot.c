/* Whatever stands in Dovecot's place: a greeting, then replies, line by line. */
#include "sasl/dovecot.h"

#include "base/base64.h"
#include "sasl/mechanism.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

/* What was unescaped comes back when it is escaped and unescaped again. */
static void check_escapes(struct span line)
{
    static uint8_t plain[LIMIT_DOVECOT_LINE_OCTETS], escaped[2 * LIMIT_DOVECOT_LINE_OCTETS],
        again[LIMIT_DOVECOT_LINE_OCTETS];
    struct buf p = buf_on(plain, sizeof plain), e = buf_on(escaped, sizeof escaped),
               a = buf_on(again, sizeof again);
    dovecot_put_plain(&p, line);
    dovecot_put_escaped(&e, buf_span(&p));
    must(!p.over && !e.over);
    for (size_t i = 0; i < e.n; i++)
        must(e.p[i] != '\t' && e.p[i] != '\n' && e.p[i] != '\r' && e.p[i] != 0);
    dovecot_put_plain(&a, buf_span(&e));
    must(span_eq(buf_span(&a), buf_span(&p)));
}

static void check_reply(struct span line)
{
    static uint8_t memory[2048];
    struct buf b = buf_on(memory, sizeof memory);
    struct dovecot_reply r;
    dovecot_reply_read(line, 7, &b, &r);
    must(r.kind != DOVECOT_OK || span_eq(span_head(line, 3), SPAN("OK\t")));
    must(r.kind != DOVECOT_CONT || (r.challenge.n <= sizeof memory && r.user.n == 0));
    must(r.user.n <= sizeof memory && r.actor.n <= sizeof memory);
    must(r.kind == DOVECOT_NONSENSE || !b.over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size), line;
    struct dovecot_server s = {0};
    bool good = true;
    if (size > LIMIT_DOVECOT_LINE_OCTETS) return 0;
    while (dovecot_line_take(&input, &line)) {
        if (good && !s.done) good = dovecot_handshake(&s, line);
        must(!s.done || s.version);
        must((s.mechanisms >> MECHANISM_COUNT) == 0 && s.lines <= LIMIT_DOVECOT_HANDSHAKE_LINES + 1);
        check_reply(line);
        check_escapes(line);
    }
    return 0;
}
