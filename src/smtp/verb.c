#include "smtp/verb.h"

/* Sets of states that several verbs share. */
enum {
    NOT_IN_BDAT = VERB_IN_START | VERB_IN_IDLE | VERB_IN_MAIL | VERB_IN_RCPT,
    IN_ENVELOPE = VERB_IN_MAIL | VERB_IN_RCPT,
    WITH_RECIPIENT = VERB_IN_RCPT | VERB_IN_BDAT,
};

#define ROW(v, n, arg, st, fl, ref, text) [VERB_##v - 1] = {VERB_##v, n, VERB_ARG_##arg, st, fl, ref, text}

const struct verb_row verb_table[VERB_COUNT - 1] = {
    /* RFC 5321 4.1.4: EHLO and HELO may come at any time and clear the transaction; NOOP, HELP, EXPN, VRFY and RSET
     * "can be used at any time during a session, or without previously initializing a session". */
    ROW(HELO, "HELO", DOMAIN, VERB_ANYWHERE, VERB_JUNK, "RFC 5321 4.1.1.1",
        "HELO domain: begin a session without extensions"),
    ROW(EHLO, "EHLO", DOMAIN, VERB_ANYWHERE, VERB_JUNK | VERB_SYNC, "RFC 5321 4.1.1.1",
        "EHLO domain: begin a session and list the extensions"),
    ROW(LHLO, "LHLO", DOMAIN, NOT_IN_BDAT, VERB_JUNK | VERB_SYNC, "RFC 2033 4.1",
        "LHLO domain: begin an LMTP session"),
    ROW(MAIL, "MAIL", PATH, VERB_IN_IDLE, 0, "RFC 5321 4.1.1.2",
        "MAIL FROM:<reverse-path> [parameters]: begin a transaction"),
    ROW(RCPT, "RCPT", PATH, IN_ENVELOPE, 0, "RFC 5321 4.1.1.3",
        "RCPT TO:<forward-path> [parameters]: add a recipient"),
    ROW(DATA, "DATA", NONE, VERB_IN_RCPT, VERB_SYNC, "RFC 5321 4.1.1.4",
        "DATA: the message follows, ended by CRLF.CRLF"),
    ROW(BDAT, "BDAT", CHUNK, WITH_RECIPIENT, VERB_ESMTP, "RFC 3030 2",
        "BDAT size [LAST]: a chunk of the message follows"),
    ROW(RSET, "RSET", NONE, VERB_ANYWHERE, VERB_JUNK, "RFC 5321 4.1.1.5", "RSET: forget the transaction"),
    ROW(NOOP, "NOOP", OPTIONAL, VERB_ANYWHERE, VERB_JUNK | VERB_SYNC, "RFC 5321 4.1.1.9",
        "NOOP [string]: do nothing"),
    ROW(QUIT, "QUIT", NONE, VERB_ANYWHERE, VERB_SYNC, "RFC 5321 4.1.1.10", "QUIT: end the session"),
    ROW(VRFY, "VRFY", STRING, NOT_IN_BDAT, VERB_JUNK | VERB_SYNC, "RFC 5321 4.1.1.6",
        "VRFY string: neither confirms nor denies"),
    ROW(EXPN, "EXPN", STRING, NOT_IN_BDAT, VERB_JUNK | VERB_SYNC | VERB_OFF, "RFC 5321 4.1.1.7",
        "EXPN string: not offered"),
    ROW(HELP, "HELP", OPTIONAL, NOT_IN_BDAT, VERB_JUNK | VERB_SYNC, "RFC 5321 4.1.1.8",
        "HELP [command]: what a command is for"),
    ROW(STARTTLS, "STARTTLS", NONE, VERB_IN_IDLE, VERB_ESMTP | VERB_SYNC, "RFC 3207 4",
        "STARTTLS: encrypt the session"),
    ROW(AUTH, "AUTH", STRING, VERB_IN_IDLE, VERB_ESMTP | VERB_SYNC, "RFC 4954 4, MS02-011",
        "AUTH mechanism [initial-response]: log in"),
    ROW(ETRN, "ETRN", STRING, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "RFC 1985 5", "ETRN node: not offered"),
    ROW(TURN, "TURN", NONE, VERB_IN_IDLE, VERB_SYNC | VERB_OFF, "RFC 5321 F.1", "TURN: not offered, unsafe"),
    ROW(ATRN, "ATRN", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_SYNC | VERB_OFF, "RFC 2645 5.1",
        "ATRN [domains]: not offered"),
    ROW(BURL, "BURL", STRING, WITH_RECIPIENT, VERB_ESMTP | VERB_OFF, "RFC 4468 3",
        "BURL url [LAST]: not offered"),
    ROW(SEND, "SEND", PATH, VERB_IN_IDLE, VERB_OFF, "RFC 5321 F.6", "SEND FROM:<reverse-path>: not offered"),
    ROW(SOML, "SOML", PATH, VERB_IN_IDLE, VERB_OFF, "RFC 5321 F.6", "SOML FROM:<reverse-path>: not offered"),
    ROW(SAML, "SAML", PATH, VERB_IN_IDLE, VERB_OFF, "RFC 5321 F.6", "SAML FROM:<reverse-path>: not offered"),
    ROW(XCLIENT, "XCLIENT", STRING, VERB_IN_IDLE, VERB_ESMTP | VERB_RIGHT | VERB_SYNC,
        "Postfix XCLIENT_README", "XCLIENT attribute=value ...: a trusted front end names its client"),
    ROW(XFORWARD, "XFORWARD", STRING, VERB_IN_IDLE, VERB_ESMTP | VERB_RIGHT, "Postfix XFORWARD_README",
        "XFORWARD attribute=value ...: a trusted filter names the first client, for the log"),
    ROW(XORG, "XORG", STRING, VERB_IN_IDLE | IN_ENVELOPE, VERB_ESMTP | VERB_RIGHT, "RFC 5321 2.2.2, MS03-046",
        "XORG operation ...: hosts of one organisation only"),
    ROW(XEXCH50, "XEXCH50", STRING, VERB_IN_RCPT, VERB_ESMTP | VERB_ORG, "MS03-046, CVE-2003-0714",
        "XEXCH50 size count: needs authentication"),
    ROW(XLINK2STATE, "X-LINK2STATE", STRING, VERB_IN_IDLE, VERB_ESMTP | VERB_ORG, "MS05-021, CVE-2005-0560",
        "X-LINK2STATE chunk: needs authentication"),
    ROW(XEXPS, "X-EXPS", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "KB 812455",
        "X-EXPS mechanism: not offered"),
    ROW(XANONYMOUSTLS, "X-ANONYMOUSTLS", NONE, VERB_IN_IDLE, VERB_ESMTP | VERB_SYNC | VERB_OFF,
        "Exchange 2007 and later", "X-ANONYMOUSTLS: not offered"),
    ROW(XADR, "XADR", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "PMDF and Sun MTA", "XADR: not offered"),
    ROW(XSTA, "XSTA", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "PMDF and Sun MTA", "XSTA: not offered"),
    ROW(XCIR, "XCIR", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "PMDF and Sun MTA", "XCIR: not offered"),
    ROW(XGEN, "XGEN", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "PMDF and Sun MTA", "XGEN: not offered"),
    ROW(XQUE, "XQUE", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "Snort SMTP normaliser", "XQUE: not offered"),
    ROW(XTRN, "XTRN", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "Snort SMTP normaliser", "XTRN: not offered"),
    ROW(XUSR, "XUSR", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "Snort SMTP normaliser", "XUSR: not offered"),
    ROW(XLICENSE, "XLICENSE", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "Snort SMTP normaliser",
        "XLICENSE: not offered"),
    ROW(XAUTH, "XAUTH", OPTIONAL, VERB_IN_IDLE, VERB_OFF, "Exchange 5.x, KB 188341", "XAUTH: not offered"),
    ROW(XSHADOW, "XSHADOW", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "Exchange 2010 and later",
        "XSHADOW: not offered"),
    ROW(XQUERYDISCARD, "XQUERYDISCARD", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF,
        "Exchange 2010 and later", "XQUERYDISCARD: not offered"),
    ROW(XPROXY, "XPROXY", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "Exchange 2013 and later",
        "XPROXY: not offered"),
    ROW(XPROXYFROM, "XPROXYFROM", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "Exchange 2013 and later",
        "XPROXYFROM: not offered"),
    ROW(XPROXYTO, "XPROXYTO", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "Exchange 2013 and later",
        "XPROXYTO: not offered"),
    ROW(XSESSIONPARAMS, "XSESSIONPARAMS", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF,
        "Exchange 2013 and later", "XSESSIONPARAMS: not offered"),
    ROW(XSYSPROBE, "XSYSPROBE", OPTIONAL, VERB_IN_IDLE, VERB_ESMTP | VERB_OFF, "Exchange 2013 and later",
        "XSYSPROBE: not offered"),
    ROW(DEBUG, "DEBUG", OPTIONAL, NOT_IN_BDAT, VERB_OFF, "CVE-1999-0095", "DEBUG: not offered"),
    ROW(WIZ, "WIZ", OPTIONAL, NOT_IN_BDAT, VERB_OFF, "CVE-1999-0145", "WIZ: not offered"),
    ROW(GET, "GET", OPTIONAL, NOT_IN_BDAT, VERB_NEVER, "RFC 9110 9.3.1", "GET: this is no HTTP server"),
    ROW(POST, "POST", OPTIONAL, NOT_IN_BDAT, VERB_NEVER, "RFC 9110 9.3.3", "POST: this is no HTTP server"),
    ROW(CONNECT, "CONNECT", OPTIONAL, NOT_IN_BDAT, VERB_NEVER, "RFC 9110 9.3.6",
        "CONNECT: this is no HTTP proxy"),
};
#undef ROW

const size_t verb_table_rows = sizeof verb_table / sizeof *verb_table;

const struct verb_row *verb_row(enum verb v)
{
    return v > VERB_UNKNOWN && v < VERB_COUNT ? &verb_table[v - 1] : NULL;
}

/* The whole word and the whole name: neither may be a prefix of the other. */
static bool is_name(struct span word, const char *name)
{
    size_t i = 0;
    while (i < word.n && name[i] && (word.p[i] & 0xDF) == ((uint8_t)name[i] & 0xDF) &&
           octet_lower(word.p[i]) == octet_lower((uint8_t)name[i]))
        i++;
    return i == word.n && i > 0 && !name[i];
}

const struct verb_row *verb_find(struct span word)
{
    for (size_t i = 0; i < verb_table_rows; i++)
        if (is_name(word, verb_table[i].name)) return &verb_table[i];
    return NULL;
}

struct span verb_split(struct span line, struct span *argument)
{
    struct span word = span_head(line, span_find(line, ' '));
    struct span rest = span_skip(line, word.n);
    while (rest.n && rest.p[0] == ' ')
        rest = span_skip(rest, 1);
    while (rest.n && rest.p[rest.n - 1] == ' ')
        rest.n--;
    *argument = rest;
    return word;
}
