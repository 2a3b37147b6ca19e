/* Insides of the client engine, shared by its files only. client.c: the loop and the clock; client_reply: octets to replies;
 * client_hello: from the greeting to AUTH; client_transaction: MAIL to the last reply; client_command: command lines. */
#ifndef ENGINE_CLIENT_PRIVATE_H
#define ENGINE_CLIENT_PRIVATE_H

#include "engine/client.h"

enum { /* client.phase: what the next reply answers, or whom the session waits for */
       PHASE_GREETING,
       PHASE_EHLO,
       PHASE_HELO,
       PHASE_STARTTLS,
       PHASE_HANDSHAKE, /* the caller */
       PHASE_SECURED,   /* the handshake is done, EHLO is due */
       PHASE_AUTH_ASK,  /* the caller */
       PHASE_AUTH,
       PHASE_READY, /* CLIENT_READY is due */
       PHASE_IDLE,
       PHASE_TRANSACTION,
       PHASE_END,
};

enum { /* client.content */
       CONTENT_NONE,
       CONTENT_DUE, /* CLIENT_CONTENT is to be said */
       CONTENT_MOVES,
       CONTENT_SENT,
       CONTENT_EMPTY, /* nobody is left who wants it, and the server waits for it: only the end was sent */
};

/* A transaction is a row of steps. client.sent runs ahead of client.got where PIPELINING allows it: the reply that comes is
 * always that of step `got`. */
enum { STEP_RSET, STEP_MAIL, STEP_RCPT }; /* the first recipient; the others follow */
static inline uint32_t step_content(const struct client_transaction *t) /* DATA or BDAT */
{
    return STEP_RCPT + t->n;
}

struct client_words { /* a reply, or our own word in its place */
    uint16_t code, text_n;
    struct enhanced enhanced;
    char text[LIMIT_RESULT_TEXT_OCTETS];
};

struct client {
    struct client_conf conf;
    uint64_t started_ms, wait_ms; /* wait: since when the next thing is waited for */
    uint8_t phase;
    bool tls_active, tls_refused;
    uint32_t mails; /* begun in this session (RFC 9422 MAILMAX) */

    /* the reply that is being read */
    struct client_words heard;
    struct span last_line; /* text of its last line, in the input */
    uint32_t reply_octets, reply_lines;
    bool skipping, skipped_last; /* the rest of an over-long line; it was the last one of its reply */

    struct ehlo ehlo;
    char mechanisms[512];
    char mechanism[24]; /* that AUTH was begun with */
    bool auth_may_end;  /* 2xx is believed */
    bool login_refused; /* for good: see client_login_refused() */
    uint16_t auth_note_n;
    char auth_note[LIMIT_RESULT_TEXT_OCTETS]; /* what a refusal is told with */

    /* the transaction */
    const struct client_transaction *t;
    uint32_t sent, got;
    uint32_t accepted, finals; /* recipients; with LMTP: of them, that had their last reply */
    uint8_t taken[(LIMIT_RELAY_RECIPIENTS + 7) / 8]; /* one bit a recipient: its RCPT was accepted */
    uint8_t content;
    bool chunked;       /* BDAT, not DATA */
    bool mail_accepted; /* MAIL was answered by 2xx */
    bool unreadable;    /* the content failed us */
    bool decided;       /* verdict holds the fate of the message */
    bool rset_due;      /* the server may still be inside the former transaction */
    bool rset_this;     /* this transaction begins with RSET */
    bool done_due;      /* CLIENT_TRANSACTION_DONE is to be said */
    struct client_words verdict;

    /* the end */
    const char *why;
    bool next_hop_failed;
};

struct step { /* one call's arguments */
    uint64_t now_ms;
    struct span *in;
    struct buf *out;
    struct client_detail *d;
};

/* What a step returns when there is nothing to tell the caller and more can be done. */
#define CLIENT_AGAIN ((enum client_event)(CLIENT_CLOSE + 1))

static inline unsigned client_class(const struct client *c) /* of the reply that was heard */
{
    return c->heard.code / 100;
}

/* client.c */
/* The session ends. words: what an open transaction that is not decided ends with. */
void client_end(struct client *c, const struct client_words *words, const char *why, bool next_hop_failed);
/* The same with our own words: "4.5.0" and the reason. */
void client_fail(struct client *c, struct enhanced e, const char *why, bool next_hop_failed);
/* The server broke the protocol. */
void client_garbage(struct client *c, const char *why);
void client_own_words(struct client_words *w, struct enhanced e, const char *text);

/* client_reply.c */
enum client_heard { HEARD_MORE, HEARD_REPLY, HEARD_GARBAGE };
enum client_heard client_hear(struct client *c, struct span *in, const char **why);
struct client_reply client_reply_of(const struct client_words *w);

/* client_hello.c */
enum client_event client_hello_due(struct client *c, struct step *s);   /* after TLS */
enum client_event client_hello_reply(struct client *c, struct step *s); /* in the phases before READY */

/* client_transaction.c */
enum client_event client_transaction_step(struct client *c,
                                          struct step *s); /* CLIENT_AGAIN: a reply is needed */
enum client_event client_transaction_reply(struct client *c, struct step *s);
bool client_transaction_asks(const struct client *c); /* a reply is outstanding */

/* client_command.c */
/* What is wrong with the envelope: it must not be put on the wire. Null: nothing. */
const char *client_command_refusal(const struct client *c, const struct client_transaction *t,
                                   struct enhanced *e);
void client_command_put_mail(const struct client *c, struct buf *out);
void client_command_put_rcpt(const struct client *c, const struct client_recipient *r, struct buf *out);

#endif
