/* STARTTLS, RFC 3207 4.
 *
 *   starttls = "STARTTLS" CRLF
 *
 * Whatever was pipelined behind it came in the clear, from anybody: it is thrown away, never answered, and half a line
 * of it is never joined to what comes through TLS (invariant I9; CVE-2011-0411). */
#include "engine/server_private.h"

enum server_event server_starttls(struct server *s, struct step *t)
{
    /* check */
    if (s->tls) { /* RFC 3207 4.2: not offered again, and refused */
        server_fail(s, t, REPLY("503 5.5.1 TLS is active already"));
        return SERVER_AGAIN;
    }
    if (!(server_extensions(s) & EXT_STARTTLS)) {
        server_fail(s, t, REPLY("502 5.5.1 STARTTLS is not offered"));
        return SERVER_AGAIN;
    }
    /* ask: RFC 3207 4: 454 when TLS is not available for a temporary reason */
    s->ask = ASK_STARTTLS;
    return SERVER_STARTTLS;
}

void server_starttls_answer(struct server *s, struct buf *out, const struct server_verdict *v)
{
    if (!server_accepts(v)) {
        server_fail_verdict(s, out, v);
        return;
    }
    s->phase = PHASE_HANDSHAKE;
    buf_put(out, REPLY("220 2.0.0 Ready to start TLS"));
}
