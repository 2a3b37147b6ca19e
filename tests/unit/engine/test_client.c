/* Dialogues of the client engine. S: what the server says, C: what the client must have said since. Each is played whole, octet by
 * octet, and cut off behind every octet: then each recipient has one result all the same, and none but what was heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client_fixture.h"

struct row {
    const char *name;
    unsigned how, recipients;
    const char *dialogue, *events;
};

#define HI      "S220 hi\nCEHLO me\n"
#define PLAIN   HI "S250 x\n"
#define PIPE    HI "S250-x\nS250 PIPELINING\n"
#define CHUNKS  HI "S250-x\nS250-PIPELINING\nS250 CHUNKING\n"
#define MAIL    "CMAIL FROM:<a@b>\n"
#define TO(x)   "CRCPT TO:<u" x "@d>\n"
#define CONTENT "CHi\nC..dot\nC.\n"
#define CHUNK   "CBDAT 10 LAST\nCHi\nC.dot\n"
#define QUIT    "CQUIT\n"
#define OK      "S250 2.1.0 ok\n"

static const struct row rows[] = {
    /* one after the other */
    {"plain", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS354 go\n" CONTENT "S250 2.0.0 queued\n" QUIT,
     "READY DATA DONE=250/2.0.0 READY CLOSE "},
    {"helo", 0, 1,
     HI "S500 what\nCHELO me\nS250 x\n" MAIL OK TO("0") OK "CDATA\nS354\n" CONTENT "S250\n" QUIT,
     "READY DATA DONE=250/2.0.0 READY CLOSE "},
    {"multi-line replies", 0, 1,
     "S220-a\nS220-b\nS220 c\nCEHLO me\nS250 x\n" MAIL "S250-2.1.0 a\nS250 2.1.0 b\n" TO("0") OK
     "CDATA\nS354-x\nS354 y\n" CONTENT "S250-2.0.0 a\nS250-2.0.0\nS250 2.0.0 b\n" QUIT,
     "READY DATA DONE=250/2.0.0 READY CLOSE "},
    {"mail refused", 0, 1, PLAIN MAIL "S550 5.7.1 no\n" QUIT, "READY DONE=550/5.7.1 READY CLOSE "},
    {"mail deferred", 0, 2, PLAIN MAIL "S451 no\n" QUIT, "READY DONE=451/4.0.0 READY CLOSE "},
    {"one recipient refused", 0, 2,
     PLAIN MAIL OK TO("0") "S550 5.1.1 who\n" TO("1") OK "CDATA\nS354\n" CONTENT OK QUIT,
     "READY RCPT0=550/5.1.1 DATA DONE=250/2.1.0 READY CLOSE "},
    {"all recipients refused", 0, 2,
     PLAIN MAIL OK TO("0") "S550 5.1.1 who\n" TO("1") "S450 4.2.1 later\n" QUIT,
     "READY RCPT0=550/5.1.1 RCPT1=450/4.2.1 DONE=0/4.0.0 READY CLOSE "},
    {"too many recipients", 0, 3,
     PLAIN MAIL OK TO("0") OK TO("1") "S452 4.5.3 many\n" TO("2") "S552 many\n"
                                                                  "CDATA\nS354\n" CONTENT OK QUIT,
     "READY RCPT1=452/4.5.3 RCPT2=552/4.5.3 DATA DONE=250/2.1.0 READY CLOSE "},
    {"552 of the first one is what it says", 0, 2,
     PLAIN MAIL OK TO("0") "S552 full\n" TO("1") OK "CDATA\nS354\n" CONTENT OK QUIT,
     "READY RCPT0=552/5.0.0 DATA DONE=250/2.1.0 READY CLOSE "},
    {"552 5.2.2 is about the mailbox", 0, 2,
     PLAIN MAIL OK TO("0") OK TO("1") "S552 5.2.2 full\n"
                                      "CDATA\nS354\n" CONTENT OK QUIT,
     "READY RCPT1=552/5.2.2 DATA DONE=250/2.1.0 READY CLOSE "},
    {"data refused", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS451 4.3.0 no\n" QUIT,
     "READY DONE=451/4.3.0 READY CLOSE "},
    {"message refused", 0, 2,
     PLAIN MAIL OK TO("0") OK TO("1") OK "CDATA\nS354\n" CONTENT "S554 5.7.1 spam\n" QUIT,
     "READY DATA DONE=554/5.7.1 READY CLOSE "},
    {"the enhanced code of another class means nothing", 0, 1,
     PLAIN MAIL OK TO("0") OK "CDATA\nS354\n" CONTENT "S554 2.0.0 odd\n" QUIT,
     "READY DATA DONE=554/5.0.0 READY CLOSE "},
    /* PIPELINING */
    {"pipelined", 0, 2, PIPE MAIL TO("0") TO("1") "CDATA\n" OK OK OK "S354\n" CONTENT OK QUIT,
     "READY DATA DONE=250/2.1.0 READY CLOSE "},
    {"pipelined, mail refused, data refused", 0, 1,
     PIPE MAIL TO("0") "CDATA\nS550 5.7.1 no\nS503 x\nS503 y\n" QUIT, "READY DONE=550/5.7.1 READY CLOSE "},
    {"pipelined, mail refused, data wanted", 0, 1,
     PIPE MAIL TO("0") "CDATA\nS550 5.7.1 no\nS250 x\nS354 y\nC.\nS250 z\n" QUIT,
     "READY DONE=550/5.7.1 READY CLOSE "},
    {"pipelined, all refused, data wanted", 0, 1,
     PIPE MAIL TO("0") "CDATA\nS250 x\nS550 5.1.1 who\nS354 y\nC.\nS250 2.0.0 z\n" QUIT,
     "READY RCPT0=550/5.1.1 DONE=250/2.0.0 READY CLOSE "},
    {"pipelined, all refused, data refused", 0, 1,
     PIPE MAIL TO("0") "CDATA\nS250 x\nS550 5.1.1 who\nS554 none\n" QUIT,
     "READY RCPT0=550/5.1.1 DONE=554/5.0.0 READY CLOSE "},
    {"RSET only where the server may be inside", TWICE, 1,
     PIPE MAIL TO("0") "CDATA\nS250 x\nS250 y\nS451 4.3.0 no\nCRSET\n" MAIL TO("0") "CDATA\n" OK OK OK
                                                                                    "S354\n" CONTENT OK QUIT,
     "READY DONE=451/4.3.0 READY DATA DONE=250/2.1.0 READY CLOSE "},
    {"RSET where MAIL was refused and a recipient was taken all the same", TWICE, 1,
     PIPE MAIL TO("0") "CDATA\nS450 no\nS250 x\nS451 y\nCRSET\n" MAIL TO("0") "CDATA\n" OK OK OK
                                                                              "S354\n" CONTENT OK QUIT,
     "READY DONE=450/4.0.0 READY DATA DONE=250/2.1.0 READY CLOSE "},
    {"no RSET between", TWICE, 1,
     PIPE MAIL TO("0") "CDATA\n" OK OK "S354\n" CONTENT OK MAIL TO("0") "CDATA\n" OK OK
                                                                        "S354\n" CONTENT OK QUIT,
     "READY DATA DONE=250/2.1.0 READY DATA DONE=250/2.1.0 READY CLOSE "},
    {"RSET refused", TWICE, 1, PLAIN MAIL OK TO("0") "S550 who\nCRSET\nS500 what\n",
     "READY RCPT0=550/5.0.0 DONE=0/4.0.0 READY UNTOUCHED=500/5.0.0 CLOSE "},
    {"no RSET after MAIL was refused", TWICE, 1, PLAIN MAIL "S550 no\n" MAIL "S550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY DONE=550/5.0.0 READY CLOSE "},
    /* CHUNKING */
    {"chunk", 0, 1, CHUNKS MAIL TO("0") CHUNK OK OK "S250 2.0.0 y\n" QUIT,
     "READY BDAT DONE=250/2.0.0 READY CLOSE "},
    {"chunk, one after the other", 0, 1, HI "S250-x\nS250 CHUNKING\n" MAIL OK TO("0") OK CHUNK OK QUIT,
     "READY BDAT DONE=250/2.1.0 READY CLOSE "},
    {"chunk on its way, all refused", TWICE, 1,
     CHUNKS MAIL TO("0") CHUNK OK "S550 5.1.1 who\nS554 none\nCRSET\n" MAIL TO("0") CHUNK OK OK OK OK QUIT,
     "READY BDAT RCPT0=550/5.1.1 DONE=554/5.0.0 READY BDAT DONE=250/2.1.0 READY CLOSE "},
    {"chunk on its way, mail refused", 0, 1, CHUNKS MAIL TO("0") CHUNK "S550 5.7.1 no\nS503 x\nS503 x\n" QUIT,
     "READY BDAT DONE=550/5.7.1 READY CLOSE "},
    {"chunk, all refused before it left", 0, 1,
     HI "S250-x\nS250 CHUNKING\n" MAIL OK TO("0") "S550 5.1.1 who\n" QUIT,
     "READY RCPT0=550/5.1.1 DONE=0/4.0.0 READY CLOSE "},
    /* LMTP */
    {"lmtp", LMTP, 3,
     "S220 hi\nCLHLO me\nS250-x\nS250 PIPELINING\n" MAIL TO("0") TO("1") TO(
         "2") "CDATA\n" OK OK "S550 5.1.1 who\n" OK "S354\n" CONTENT "S250 2.1.5 a\nS452 4.2.2 full\n" QUIT,
     "READY RCPT1=550/5.1.1 DATA RCPT0=250/2.1.5 RCPT2=452/4.2.2 DONE=0/4.0.0 READY CLOSE "},
    {"lmtp in chunks", LMTP, 2,
     "S220 hi\nCLHLO me\nS250-x\nS250-CHUNKING\nS250 PIPELINING\n" MAIL TO("0") TO("1") CHUNK OK OK OK
     "S250 2.1.5 a\nS550 5.2.0 b\n" QUIT,
     "READY BDAT RCPT0=250/2.1.5 RCPT1=550/5.2.0 DONE=0/4.0.0 READY CLOSE "},
    {"lmtp, nobody, data wanted", LMTP, 1,
     "S220 hi\nCLHLO me\nS250-x\nS250 PIPELINING\n" MAIL TO("0") "CDATA\n" OK "S550 5.1.1 who\nS354\nC.\n",
     "READY RCPT0=550/5.1.1 DONE=0/4.5.0 CLOSE "},
    {"lmtp, LHLO refused", LMTP, 1, "S220 hi\nCLHLO me\nS500 no\n" QUIT, "CLOSE! "},
    /* the beginning */
    {"greeting refused", 0, 1, "S554 5.7.1 go\n" QUIT, "CLOSE! "},
    {"greeting deferred", 0, 1, "S450 4.3.2 busy\n" QUIT, "CLOSE! "},
    {"greeting 421", 0, 1, "S421 4.3.2 busy\n", "CLOSE! "},
    {"EHLO deferred", 0, 1, HI "S451 no\n" QUIT, "CLOSE! "},
    {"EHLO and HELO refused", 0, 1, HI "S502 no\nCHELO me\nS550 no\n" QUIT, "CLOSE! "},
    {"354 as a greeting", 0, 1, "S354 what\n", "CLOSE! "},
    /* TLS */
    {"tls where offered", MAY, 1,
     HI
     "S250-x\nS250-AUTH PLAIN\nS250 STARTTLS\nCSTARTTLS\nS220 go\nTCEHLO me\nS250-x\nS250 STARTTLS\n" MAIL OK
         TO("0") OK "CDATA\nS354\n" CONTENT OK QUIT,
     "TLS READY DATA DONE=250/2.1.0 READY CLOSE "},
    {"tls not offered", MAY, 1, PLAIN MAIL "S550 no\n" QUIT, "READY DONE=550/5.0.0 READY CLOSE "},
    {"tls refused", MAY, 1, HI "S250-x\nS250 STARTTLS\nCSTARTTLS\nS454 4.7.0 no\n" MAIL "S550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY CLOSE "},
    {"tls required, not offered", MUST_TLS, 1, PLAIN QUIT, "CLOSE! "},
    {"tls required, refused", MUST_TLS, 1, HI "S250-x\nS250 STARTTLS\nCSTARTTLS\nS454 4.7.0 no\n" QUIT,
     "CLOSE! "},
    {"tls required, no EHLO", MUST_TLS, 1, HI "S502 no\n" QUIT, "CLOSE! "},
    {"extensions are forgotten under tls", MAY, 1,
     HI "S250-x\nS250-PIPELINING\nS250 STARTTLS\nCSTARTTLS\nS220 go\nTCEHLO me\nS250 x\n" MAIL
        "S550 no\n" QUIT,
     "TLS READY DONE=550/5.0.0 READY CLOSE "},
    {"what was said in clear behind the 220 is gone", MAY | RUDE, 1,
     HI "S250-x\nS250 STARTTLS\nCSTARTTLS\nS220 go\nS250 injected\nTCEHLO me\nS250 x\n" MAIL "S550 no\n" QUIT,
     "TLS READY DONE=550/5.0.0 READY CLOSE "},
    /* AUTH */
    {"auth", AUTH | TLS_ACTIVE, 1,
     HI "S250-x\nS250 AUTH PLAIN SCRAM-SHA-256\nCAUTH PLAIN AGEAYg==\nS235 2.7.0 in\n" MAIL "S550 no\n" QUIT,
     "AUTH READY DONE=550/5.0.0 READY CLOSE "},
    {"auth in steps", AUTH | TLS_ACTIVE | TWICE, 1,
     HI "S250-x\nS250 AUTH PLAIN\nCAUTH PLAIN AGEAYg==\nS334 c29tZQ==\nCeA==\nS334 \nC\nS235 in\n" MAIL
        "S550 no\n" MAIL "S550 no\n" QUIT,
     "AUTH AUTH AUTH READY DONE=550/5.0.0 READY DONE=550/5.0.0 READY CLOSE "},
    {"auth refused", AUTH | TLS_ACTIVE, 1,
     HI "S250-x\nS250 AUTH PLAIN\nCAUTH PLAIN AGEAYg==\nS535 5.7.8 no\n" QUIT, "AUTH CLOSE! "},
    {"auth not offered", AUTH | TLS_ACTIVE, 1, PLAIN QUIT, "CLOSE! "},
    {"auth never in clear", AUTH | MAY, 1, HI "S250-x\nS250 AUTH PLAIN\n" QUIT, "CLOSE! "},
    /* what the hop cannot take */
    {"8bit", EIGHT, 1, HI "S250-x\nS250 8BITMIME\nCMAIL FROM:<a@b> BODY=8BITMIME\nS550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY CLOSE "},
    {"8bit, not offered", EIGHT, 2, PLAIN QUIT, "READY DONE=0/5.6.3 READY CLOSE "},
    {"binary", BINARY, 1,
     HI "S250-x\nS250-CHUNKING\nS250 BINARYMIME\nCMAIL FROM:<a@b> BODY=BINARYMIME\nS550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY CLOSE "},
    {"binary, no chunks", BINARY, 1, HI "S250-x\nS250 BINARYMIME\n" QUIT, "READY DONE=0/5.6.3 READY CLOSE "},
    {"utf8", UTF8, 1, HI "S250-x\nS250 SMTPUTF8\nCMAIL FROM:<a@b> SMTPUTF8\nS550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY CLOSE "},
    {"utf8: a domain alone", UTF8 | IDN, 1,
     HI "S250-x\nS250 SMTPUTF8\nCMAIL FROM:<a@b> SMTPUTF8\n" OK "CRCPT TO:<u0@B\xc3\xbc"
        "cher.example>\nS550 no\n" QUIT,
     "READY RCPT0=550/5.0.0 DONE=0/4.0.0 READY CLOSE "},
    {"utf8: a domain alone, not offered", UTF8 | IDN, 1,
     PLAIN MAIL OK "CRCPT TO:<u0@xn--bcher-kva.example>\nS550 no\n" QUIT,
     "READY RCPT0=550/5.0.0 DONE=0/4.0.0 READY CLOSE "},
    {"utf8: content, not offered", UTF8 | IDN | EIGHT, 1, HI "S250-x\nS250 8BITMIME\n" QUIT,
     "READY DONE=0/5.6.7 READY CLOSE "},
    {"utf8: binary, not offered", UTF8 | IDN | BINARY, 1, HI "S250-x\nS250-CHUNKING\nS250 BINARYMIME\n" QUIT,
     "READY DONE=0/5.6.7 READY CLOSE "},
    {"utf8, not offered", UTF8 | UTF8_LOCAL, 1, PLAIN QUIT, "READY DONE=0/5.6.7 READY CLOSE "},
    {"size", 0, 1, HI "S250-x\nS250 SIZE 10\nCMAIL FROM:<a@b> SIZE=10\nS550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY CLOSE "},
    {"size without a figure", 0, 1, HI "S250-x\nS250 SIZE\nCMAIL FROM:<a@b> SIZE=10\nS550 no\n" QUIT,
     "READY DONE=550/5.0.0 READY CLOSE "},
    {"too large", TWICE, 1, HI "S250-x\nS250 SIZE 9\n" QUIT,
     "READY DONE=0/5.3.4 READY DONE=0/5.3.4 READY CLOSE "},
    {"dsn", DSN, 1,
     HI "S250-x\nS250 DSN\nCMAIL FROM:<a@b> RET=HDRS ENVID=e+2B1\n" OK
        "CRCPT TO:<u0@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@d\nS550 no\n" QUIT,
     "READY RCPT0=550/5.0.0 DONE=0/4.0.0 READY CLOSE "},
    {"dsn, not offered", DSN, 1, PLAIN MAIL OK TO("0") "S550 no\n" QUIT,
     "READY RCPT0=550/5.0.0 DONE=0/4.0.0 READY CLOSE "},
    {"dsn: the original recipient is named", 0, 1,
     HI "S250-x\nS250 DSN\n" MAIL OK "CRCPT TO:<u0@d> ORCPT=rfc822;u0@d\nS550 no\n" QUIT,
     "READY RCPT0=550/5.0.0 DONE=0/4.0.0 READY CLOSE "},
    /* the reply is longer than what the client says of itself when it quits */
    {"mailmax", TWICE, 1,
     HI "S250-x\nS250 LIMITS MAILMAX=1\n" MAIL "S550 no, not from anybody over there\n" QUIT,
     "READY DONE=550/5.0.0 CLOSE "},
    /* 421 at any time */
    {"421 after MAIL", 0, 1, PLAIN MAIL "S421 4.3.2 bye\n", "READY UNTOUCHED=421/4.3.2 CLOSE! "},
    {"421 after RCPT", 0, 2, PLAIN MAIL OK TO("0") OK TO("1") "S421 4.3.2 bye\n",
     "READY DONE=421/4.3.2 CLOSE! "},
    {"421 after DATA", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS421 4.3.2 bye\n",
     "READY DONE=421/4.3.2 CLOSE! "},
    {"421 after the dot", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS354\n" CONTENT "S421 4.3.2 bye\n",
     "READY DATA DONE=421/4.3.2 CLOSE! "},
    /* hostile */
    {"garbage as a greeting", 0, 1, "SSSH-2.0-x\n", "CLOSE! "},
    {"garbage in a transaction", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nSyes\n", "READY DONE=0/4.5.0 CLOSE "},
    {"codes that change", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS354\n" CONTENT "S250-x\nS550 y\n",
     "READY DATA DONE=0/4.5.0 CLOSE "},
    {"250 to DATA", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS250 done\n", "READY DONE=0/4.5.0 CLOSE "},
    {"354 to RCPT", 0, 1, PLAIN MAIL OK TO("0") "S354 go\n", "READY DONE=0/4.5.0 CLOSE "},
    {"354 to the dot", 0, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS354\n" CONTENT "S354 more\n",
     "READY DATA DONE=0/4.5.0 CLOSE "},
    {"two greetings", RUDE, 1, "S220 hi\nS220 hi\n", "CLOSE! "},
    {"an answer before the question", RUDE, 1, PLAIN MAIL OK "S250 and this\n", "READY DONE=0/4.5.0 CLOSE "},
    {"one reply too many", TWICE | RUDE, 1, PLAIN MAIL "S550 no\nS550 no\n", "READY DONE=550/5.0.0 CLOSE "},
    {"421 out of turn", TWICE | RUDE, 1, PLAIN MAIL "S550 no\nS421 4.3.2 bye\n",
     "READY DONE=550/5.0.0 CLOSE! "},
    {"accepted before it was sent", HOLD, 1,
     CHUNKS MAIL TO("0") "CBDAT 10 LAST\n" OK OK "S250 2.0.0 thanks\n", "READY BDAT DONE=0/4.5.0 CLOSE "},
    {"refused before it was sent", HOLD, 1, CHUNKS MAIL TO("0") "CBDAT 10 LAST\n" OK OK "S552 5.3.4 large\n",
     "READY BDAT DONE=552/5.3.4 CLOSE "},
    {"accepted in the midst of DATA", HOLD, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS354\nS250 2.0.0 thanks\n",
     "READY DATA DONE=0/4.5.0 CLOSE "},
    {"the content cannot be read", DAMAGED, 1, PLAIN MAIL OK TO("0") OK "CDATA\nS354\nCHi\nC..",
     "READY DATA DONE=0/4.3.0 CLOSE "},
    {"the chunk cannot be read", DAMAGED, 1, CHUNKS MAIL TO("0") "CBDAT 10 LAST\nCHi\nC.",
     "READY BDAT DONE=0/4.3.0 CLOSE "},
};

/* The text of a line with its CRLF (a last C line without its newline has none); *at goes behind it. */
static void add_line(struct octets *o, const char **at)
{
    size_t n = strcspn(*at, "\n");
    octets_add(o, span_of(*at, n));
    if ((*at)[n]) octets_add(o, SPAN("\r\n"));
    *at += (*at)[n] ? n + 1 : n;
}

/* Plays the row in pieces of so many octets; the connection ends behind cut octets of the server. Returns what the server could say. */
static size_t play(struct caller *p, const struct row *r, size_t piece, size_t cut)
{
    struct octets line = {NULL, 0, 0};
    const char *at = r->dialogue;
    size_t total = 0;
    bool lost = false;
    while (*at && !lost) {
        line.n = 0;
        char who = *at++;
        if (who == 'T') {
            if (p->handshake) caller_tls(p);
            continue;
        }
        add_line(&line, &at);
        while (*at == who && ++at)
            add_line(&line, &at);
        if (who == 'C') {
            if (cut == SIZE_MAX && !span_eq(octets_span(&line), octets_span(&p->said)))
                fail_msg("%s: want <%.*s> got <%.*s>", r->name, SPAN_ARG(octets_span(&line)),
                         SPAN_ARG(octets_span(&p->said)));
            p->said.n = 0;
            continue;
        }
        for (struct span s = octets_span(&line); s.n && !lost; s = span_skip(s, piece)) {
            struct span one = span_head(s, piece < cut - total ? piece : cut - total);
            total += one.n;
            caller_hear(p, one);
            lost = total == cut;
        }
    }
    caller_lost(p);
    free(line.p);
    return total;
}

static void expect_events(const struct caller *p, const struct row *r)
{
    if (!span_eq(octets_span(&p->events), span_str(r->events)))
        fail_msg("%s: want <%s> got <%.*s>", r->name, r->events, SPAN_ARG(octets_span(&p->events)));
}

static void test_dialogues(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_transaction todo[2];
        struct caller p;
        client_fixture(&p, rows[i].how, rows[i].recipients, todo);
        play(&p, &rows[i], SIZE_MAX, SIZE_MAX);
        expect_events(&p, &rows[i]);
        caller_free(&p);
        if (rows[i].how & RUDE) continue;
        client_fixture(&p, rows[i].how, rows[i].recipients, todo);
        play(&p, &rows[i], 1, SIZE_MAX);
        expect_events(&p, &rows[i]);
        caller_free(&p);
    }
}

/* A result is that of the whole dialogue, or a deferral; success needs the whole reply that says it. */
static void check_cut(const struct row *r, const struct caller *whole, const struct caller *cut, size_t at)
{
    for (unsigned t = 0; t < cut->at; t++)
        for (unsigned i = 0; i < r->recipients; i++) {
            assert_int_not_equal(cut->result[t][i], 0);
            if (cut->result[t][i] == 4) continue;
            assert_int_equal(cut->result[t][i], whole->result[t][i]);
            if (cut->result[t][i] == 2 && at < whole->result_at[t][i])
                fail_msg("%s cut at %zu: too early", r->name, at);
        }
}

static void test_cut_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_transaction todo[2];
        struct caller whole, cut;
        if (rows[i].how & RUDE) continue;
        client_fixture(&whole, rows[i].how, rows[i].recipients, todo);
        size_t total = play(&whole, &rows[i], 1, SIZE_MAX);
        for (size_t at = 1; at < total; at++) {
            client_fixture(&cut, rows[i].how, rows[i].recipients, todo);
            play(&cut, &rows[i], SIZE_MAX, at);
            check_cut(&rows[i], &whole, &cut, at);
            caller_free(&cut);
        }
        caller_free(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_cut_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
