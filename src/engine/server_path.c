/* What MAIL and RCPT share: the keyword, refusals of paths and parameters. */
#include "engine/server_private.h"
#include "smtp/reply.h"

bool server_path_keyword(struct span *arg, struct span keyword)
{
    if (!span_starts_nocase(*arg, keyword)) return false;
    *arg = span_skip(*arg, keyword.n);
    /* the grammar has no blank here (RFC 5321 3.3 says so twice), clients do: one SP is taken */
    if (arg->n > 0 && arg->p[0] == ' ') *arg = span_skip(*arg, 1);
    return true;
}

struct span server_path_refusal(enum path_error e, bool recipient)
{
    switch (e) {
    case PATH_OK: break;
    case PATH_NO_BRACKETS: return REPLY("501 5.5.2 The address must stand in <>");
    case PATH_UTF8: return REPLY("553 5.6.7 Octets above 127 need SMTPUTF8"); /* RFC 6531 3.5 */
    case PATH_UTF8_BROKEN: return REPLY("501 5.5.2 Not well-formed UTF-8");
    case PATH_ROUTE: /* RFC 5321 F.2 */
        return recipient ? REPLY("550 5.1.3 Source routes are not served")
                         : REPLY("550 5.1.7 Source routes are not served");
    case PATH_LOCAL_LONG:
        return recipient ? REPLY("501 5.1.3 Local part too long") : REPLY("501 5.1.7 Local part too long");
    case PATH_DOMAIN_LONG:
        return recipient ? REPLY("501 5.1.2 Domain too long") : REPLY("501 5.1.7 Domain too long");
    case PATH_IDN: /* RFC 5891 5; RFC 6531 3.3 wants U-labels */
        return recipient ? REPLY("501 5.1.2 The domain is no valid internationalized domain name")
                         : REPLY("501 5.1.8 The domain is no valid internationalized domain name");
    case PATH_SYNTAX:
        return recipient ? REPLY("501 5.1.3 Bad recipient address syntax")
                         : REPLY("501 5.1.7 Bad sender address syntax");
    }
    return (struct span){NULL, 0};
}

unsigned server_params_offered(const struct server *s)
{
    uint32_t ext = s->esmtp ? server_extensions(s) : 0;
    unsigned offered = 0;
    if (ext & EXT_SIZE) offered |= PARAMS_SIZE;
    if (ext & EXT_8BITMIME) offered |= PARAMS_BODY;
    if (ext & EXT_BINARYMIME) offered |= PARAMS_BODY | PARAMS_BINARY;
    if (ext & EXT_SMTPUTF8) offered |= PARAMS_SMTPUTF8;
    if (ext & EXT_DSN) offered |= PARAMS_DSN;
    if ((ext & EXT_AUTH) || s->authenticated)
        offered |= PARAMS_AUTH; /* RFC 4954 5: taken, and never believed */
    return offered;
}

/* Says s in printable ASCII, at most LIMIT_ECHO_OCTETS of it (invariant I11). */
static void echo(struct buf *text, struct span s)
{
    size_t end = text->n + LIMIT_ECHO_OCTETS;
    for (size_t i = 0; i < s.n; i++) {
        bool plain = s.p[i] > ' ' && s.p[i] < 127 && s.p[i] != '\\';
        if (text->n + (plain ? 1 : 4) > end) break;
        /* one octet a time: what is above 127 is escaped like any other that is not ASCII */
        if (plain)
            buf_byte(text, s.p[i]);
        else
            buf_escaped(text, span_of(s.p + i, 1), 1);
    }
}

void server_fail_params(struct server *s, struct step *t, enum params_error e, struct span bad)
{
    uint8_t memory[LIMIT_REPLY_LINE_OCTETS];
    struct buf line = buf_on(memory, sizeof memory);
    switch (e) {
    case PARAMS_SIZE_HUGE: server_fail(s, t, REPLY("552 5.3.4 Message too large")); return;
    /* RFC 5321 4.1.1.11: not recognised or not implemented is 555 */
    case PARAMS_UNKNOWN: buf_str(&line, "555 5.5.4 Unsupported parameter "); break;
    case PARAMS_TWICE: buf_str(&line, "501 5.5.4 Parameter given twice "); break;
    default: buf_str(&line, "501 5.5.4 Bad parameter "); break;
    }
    echo(&line, bad);
    buf_str(&line, "\r\n");
    server_fail(s, t, buf_span(&line));
}
