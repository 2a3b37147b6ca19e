/* RSET NOOP VRFY HELP QUIT, RFC 5321 4.1.1.5 to 4.1.1.10. EXPN is off in the verb table (7.3): 502 5.5.1. */
#include "engine/server_private.h"
#include "smtp/reply.h"

/*   rset = "RSET" CRLF */
enum server_event server_rset(struct server *s, struct step *t)
{
    server_reset(s);
    server_say(t, REPLY("250 2.0.0 Ok"));
    return SERVER_AGAIN;
}

/*   noop = "NOOP" [ SP String ] CRLF      the string is ignored */
enum server_event server_noop(struct server *s, struct step *t)
{
    (void)s;
    server_say(t, REPLY("250 2.0.0 Ok"));
    return SERVER_AGAIN;
}

/*   vrfy = "VRFY" SP String CRLF */
enum server_event server_vrfy(struct server *s, struct step *t)
{
    (void)s;
    /* RFC 5321 7.3: nobody is told who lives here; RCPT will say it */
    server_say(t, REPLY("252 2.1.5 Send some mail and see"));
    return SERVER_AGAIN;
}

/*   quit = "QUIT" CRLF */
enum server_event server_quit(struct server *s, struct step *t)
{
    server_end(s, t->out, REPLY("221 2.0.0 Bye"));
    return SERVER_AGAIN;
}

/* What a stranger may use here: that which is refused whatever he does is not worth a line. */
static bool served(const struct server *s, const struct verb_row *row)
{
    if (row->flags & (VERB_NEVER | VERB_ORG | VERB_RIGHT | VERB_OFF)) return false;
    switch (row->verb) {
    case VERB_LHLO:
    case VERB_AUTH: return false;
    case VERB_STARTTLS: return server_extensions(s) & EXT_STARTTLS;
    case VERB_BDAT: return server_extensions(s) & EXT_CHUNKING;
    default: return true;
    }
}

/*   help = "HELP" [ SP String ] CRLF      answered from the verb table, whatever the string */
enum server_event server_help(struct server *s, struct step *t)
{
    uint8_t memory[LIMIT_REPLY_LINE_OCTETS - 8];
    struct buf names = buf_on(memory, sizeof memory);
    buf_str(&names, "2.0.0");
    for (size_t i = 0; i < verb_table_rows; i++) {
        if (!served(s, &verb_table[i])) continue;
        buf_byte(&names, ' ');
        buf_str(&names, verb_table[i].name);
    }
    reply_put_line(t->out, 214, SPAN("2.0.0 Commands, RFC 5321 and its extensions:"), false);
    reply_put_line(t->out, 214, buf_span(&names), true);
    return SERVER_AGAIN;
}
