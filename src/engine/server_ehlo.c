/* EHLO and HELO, RFC 5321 4.1.1.1.
 *
 *   ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
 *   helo = "HELO" SP Domain CRLF                          a literal is taken as well, old clients send it
 *
 * An underscore in the name is taken too: hosts so named exist, and the name proves nothing. */
#include "engine/server_private.h"
#include "smtp/reply.h"

static void greet(const struct server *s, struct buf *out)
{
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 16], names[256];
    struct buf first = buf_on(memory, sizeof memory), auth = buf_on(names, sizeof names);
    mechanism_put_names(&auth, s->mechanisms);
    struct ehlo e = {.extensions = server_extensions(s),
                     .size = server_max_octets(s),
                     .limit_rcptmax = s->conf->max_recipients,
                     .limit_mailmax = s->conf->max_messages,
                     .auth = buf_span(&auth)};
    buf_put(&first, span_head(s->conf->hostname, LIMIT_DOMAIN_OCTETS));
    if (!s->esmtp) {
        reply_put(out, 250, NULL, buf_span(&first));
        return;
    }
    buf_str(&first, " greets you"); /* the peer's own name is not said back to it */
    ehlo_put(out, buf_span(&first), &e);
}

/* RFC 5321 4.1.4: clears all buffers and resets the state exactly as if RSET had been issued */
static void begin(struct server *s, struct span name, struct buf *out)
{
    server_reset(s);
    s->esmtp = s->verb == VERB_EHLO;
    s->state = VERB_IN_IDLE;
    s->helo_n = (uint8_t)name.n;
    if (name.n) memcpy(s->helo, name.p, name.n);
    greet(s, out);
}

enum server_event server_hello(struct server *s, struct step *t, struct span arg)
{
    /* check */
    bool literal = arg.n > 0 && arg.p[0] == '[';
    if (arg.n > LIMIT_DOMAIN_OCTETS ||
        (literal ? !address_literal_valid(arg) : !domain_valid(arg, false, true))) {
        if (s->conf->any_hello) {
            begin(s, span_of(NULL, 0), t->out);
            return SERVER_AGAIN;
        }
        /* RFC 5321 4.1.1.1: on an error the state stays as it was */
        server_fail(s, t, REPLY("501 5.5.4 The argument must be a domain or an address literal"));
        return SERVER_AGAIN;
    }
    begin(s, arg, t->out);
    return SERVER_AGAIN;
}
