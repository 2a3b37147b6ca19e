/* verb: the vocabulary. One table of every command this program has ever heard of: dispatch, HELP, the gate's filter,
 * the documentation, the fuzz dictionary and the audit's probes derive from it. Default is deny. */
#ifndef SMTP_VERB_H
#define SMTP_VERB_H

#include "base/span.h"

enum verb {
    VERB_UNKNOWN = 0,
    VERB_HELO,
    VERB_EHLO,
    VERB_LHLO,
    VERB_MAIL,
    VERB_RCPT,
    VERB_DATA,
    VERB_BDAT,
    VERB_RSET,
    VERB_NOOP,
    VERB_QUIT,
    VERB_VRFY,
    VERB_EXPN,
    VERB_HELP,
    VERB_STARTTLS,
    VERB_AUTH,
    VERB_ETRN,
    VERB_TURN,
    VERB_ATRN,
    VERB_BURL,
    VERB_SEND,
    VERB_SOML,
    VERB_SAML,
    VERB_XCLIENT,
    VERB_XFORWARD,
    VERB_XORG,
    VERB_XEXCH50,
    VERB_XLINK2STATE,
    VERB_XEXPS,
    VERB_XANONYMOUSTLS,
    VERB_XADR,
    VERB_XSTA,
    VERB_XCIR,
    VERB_XGEN,
    VERB_XQUE,
    VERB_XTRN,
    VERB_XUSR,
    VERB_XLICENSE,
    VERB_XAUTH,
    VERB_XSHADOW,
    VERB_XQUERYDISCARD,
    VERB_XPROXY,
    VERB_XPROXYFROM,
    VERB_XPROXYTO,
    VERB_XSESSIONPARAMS,
    VERB_XSYSPROBE,
    VERB_DEBUG,
    VERB_WIZ,
    VERB_GET,
    VERB_POST,
    VERB_CONNECT,
    VERB_COUNT
};

enum verb_argument {
    VERB_ARG_NONE,     /* an argument is 501 (RFC 5321 4.1.1: SHOULD) */
    VERB_ARG_DOMAIN,   /* EHLO, HELO, LHLO */
    VERB_ARG_PATH,     /* MAIL FROM:<> / RCPT TO:<> with parameters */
    VERB_ARG_CHUNK,    /* BDAT size [LAST] */
    VERB_ARG_STRING,   /* one string, needed */
    VERB_ARG_OPTIONAL, /* anything or nothing */
};

enum {                    /* states in which a verb may be executed, a bit set */
       VERB_IN_START = 1, /* before EHLO/HELO */
       VERB_IN_IDLE = 2,  /* greeted, no transaction */
       VERB_IN_MAIL = 4,  /* after MAIL */
       VERB_IN_RCPT = 8,  /* after at least one accepted RCPT */
       VERB_IN_BDAT = 16, /* after a non-LAST BDAT (MS02-012) */
       VERB_ANYWHERE = 31,
};

enum {                  /* flags */
       VERB_ESMTP = 1,  /* needs EHLO rather than HELO */
       VERB_JUNK = 2,   /* counts against LIMIT_JUNK_COMMANDS */
       VERB_NEVER = 4,  /* HTTP and other foreign protocols: 421 and close at once (cross-protocol attacks) */
       VERB_ORG = 8,    /* needs an organisation right; without it 504 5.7.0 (XEXCH50, X-LINK2STATE) */
       VERB_RIGHT = 16, /* needs a right; without it 550 5.7.0 when the feature is on, 500 5.5.1 when off */
       VERB_OFF = 32,   /* known, never implemented: 502 5.5.1 */
       VERB_SYNC =
           64, /* must be the last of a pipelined group (RFC 2920 3.1): EHLO DATA VRFY EXPN HELP NOOP QUIT STARTTLS AUTH */
};

struct verb_row {
    enum verb verb;
    const char *name; /* as on the wire, upper case */
    enum verb_argument argument;
    uint8_t states;
    uint8_t flags;
    const char *reference; /* RFC and section, or bulletin */
    const char *help;      /* one line for HELP and the documentation */
};

/* VERB_COUNT - 1 rows, in no promised order; verb_row(v) is never null for a known verb. */
extern const struct verb_row verb_table[];
extern const size_t verb_table_rows;
const struct verb_row *verb_row(enum verb v);

/* The row for a whole word (any case), or null: the word's own length decides, never the table's (Zeek matched with the
 * client's length, so `X` was X-ANONYMOUSTLS). */
const struct verb_row *verb_find(struct span word);

/* Splits a command line into word and argument: the word ends at the first SP; *argument has no leading or trailing
 * SP. A TAB is not a separator. */
struct span verb_split(struct span line, struct span *argument);

#endif
