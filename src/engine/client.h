/* client: the SMTP and LMTP client engine (RFC 5321, 2033, 2920, 3030, 3207, 3461, 1870, 6152, 6531, 9422). Pure: octets in, events and
 * command octets out; the caller owns sockets, clock, TLS, credentials, content. One struct per session; a session carries any number
 * of transactions, one after the other. Nothing a server sends (endless replies, garbage, replies nobody asked for, early close) leads
 * to anything but the end of this session, with each recipient that had no final reply deferred.
 *
 * Use: client_begin, then client_next with what was read, until it says CLIENT_INPUT; commands to be sent are appended to *out. What
 * is left in *in is put in front of the octets that are read next. */
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include "base/buf.h"
#include "base/limits.h"
#include "smtp/ehlo.h"
#include "smtp/params.h"
#include "smtp/reply.h"

enum client_tls { CLIENT_TLS_NEVER, CLIENT_TLS_MAY, CLIENT_TLS_MUST };

struct client_conf {  /* of one session */
    struct span helo; /* our name; the caller keeps it */
    bool lmtp;
    enum client_tls
        tls; /* STARTTLS; with implicit TLS the handshake is done before client_begin and tls_active is set */
    bool tls_active;
    bool
        authenticate; /* credentials exist: AUTH before the first MAIL, and never in clear unless tls is NEVER */
};

struct client_recipient {
    uint32_t index; /* the caller's */
    struct span
        path; /* without brackets; said with A-labels where that is all that SMTPUTF8 is needed for and it is not offered */
    uint8_t notify; /* DSN_NOTIFY_* */
    struct span
        orcpt; /* "type;xtext" as it came; empty: "rfc822;" and the path are given when DSN is offered */
};

struct client_transaction {   /* the caller keeps it, and what it points to, until CLIENT_TRANSACTION_DONE */
    struct span reverse_path; /* without brackets, empty for <> */
    struct span envid;        /* xtext, may be empty */
    enum dsn_ret ret;
    bool body_8bit, body_binary, utf8; /* what the content and the addresses need */
    uint64_t content_octets;
    const struct client_recipient *recipients;
    uint32_t n; /* 1..LIMIT_RELAY_RECIPIENTS; no more than client_recipients_max() are taken */
};

enum client_event {
    CLIENT_INPUT,    /* everything usable is consumed: send *out, come back with more octets */
    CLIENT_FLUSH,    /* less than CLIENT_COMMAND_ROOM free in *out: send it and call again */
    CLIENT_STARTTLS, /* send *out (nothing of the input is left, I9), shake hands, then client_tls_started, or give the session up */
    CLIENT_AUTH,     /* ASK: d->mechanisms, and d->challenge once the exchange runs: client_auth_answer */
    CLIENT_READY, /* greeting, EHLO, TLS and AUTH are done, no transaction is open: client_transaction, or client_quit. Said once */
    CLIENT_RCPT,  /* d->recipient has its result now: d->reply (refused; with LMTP also the final one) */
    CLIENT_CONTENT, /* send *out, then the content: d->dot_stuffed tells how (dot_stuff and dot_finish, or raw), then client_content_sent.
                     * client_next may be called meanwhile whenever there is input */
    CLIENT_TRANSACTION_DONE, /* d->reply goes for all recipients that had no result of their own */
    CLIENT_CLOSE, /* send *out and close; d->reply or d->why says why; an open transaction had its results before. Again and again */
};

struct client_reply {
    uint16_t
        code; /* 0: no reply: the connection was lost, timed out, the reply was garbage, or it is refused here */
    struct enhanced
        enhanced; /* of the reply, or ours; its class is the verdict: 2 taken, 4 deferred, 5 failed */
    struct span
        text; /* printable, one line, at most LIMIT_RESULT_TEXT_OCTETS, without the codes; the client's until its next call */
};

struct client_detail {
    struct client_reply reply;
    uint32_t recipient;     /* RCPT: position in the transaction's array */
    bool dot_stuffed;       /* CONTENT */
    struct span mechanisms; /* AUTH: blank-separated, as offered */
    struct span challenge;  /* AUTH: base64 as it came, in the input; empty at first */
    const char *why;        /* CLOSE: constant */
    bool
        next_hop_failed; /* DONE, CLOSE: another message would fare the same here now (no TLS, 421, 4xx or 5xx greeting, AUTH refused) */
    bool
        untouched; /* DONE: the session ended before the server took MAIL, and it cannot have the message: try it elsewhere at once */
};

#define CLIENT_COMMAND_ROOM 2048
#define CLIENT_INPUT_ROOM   2048 /* an input buffer of this size never stalls */

struct client; /* fields are private: see engine/client_private.h; sizeof by client_octets() */
size_t client_octets(void);

void client_begin(struct client *c, const struct client_conf *conf, uint64_t now_ms);
enum client_event client_next(struct client *c, uint64_t now_ms, struct span *in, struct buf *out,
                              struct client_detail *d);
void client_tls_started(struct client *c, uint64_t now_ms);
struct client_login { /* an answer to CLIENT_AUTH */
    const char
        *mechanism; /* null: none fits, or the exchange cannot go on: the session ends with next_hop_failed */
    struct span response; /* base64 or empty */
    bool
        last; /* success may follow it; when it comes before, the server has not shown what it must (RFC 5802 5.1) */
    struct span
        text; /* printable: why there is no mechanism; else what to tell beside the server's words when it refuses us. May be empty */
};
void client_auth_answer(struct client *c, uint64_t now_ms, const struct client_login *l, struct buf *out);
/* Begins a transaction (after READY); client_next goes on with it. What this hop cannot take (8BITMIME, BINARYMIME, SMTPUTF8, SIZE) is
 * refused by CLIENT_TRANSACTION_DONE without a command being sent: 5.6.3, 5.6.7, 5.3.4. */
void client_transaction(struct client *c, const struct client_transaction *t, uint64_t now_ms);
/* Octets of the content were taken by the connection: it does not stall. */
void client_content_moves(struct client *c, uint64_t now_ms);
/* All octets of the content were handed to the connection. failed: the content cannot be read: the session must end, nothing may look
 * like a whole message. */
void client_content_sent(struct client *c, uint64_t now_ms, bool failed);
/* Between transactions: QUIT is appended to *out, CLIENT_CLOSE follows. The answer is not waited for. */
void client_quit(struct client *c, struct buf *out);
/* The connection ended, or an error came: the results follow from client_next with an empty input. */
void client_lost(struct client *c, const char *constant_why);

/* When to look again (RFC 5321 4.5.3.2 and total deadlines); client_next at that time says what has become of it. */
uint64_t client_deadline(const struct client *c);
bool client_login_refused(const struct client *c);      /* its end was a 5xx to our credentials */
uint32_t client_extensions(const struct client *c);     /* EXT_* of the server's last EHLO */
uint32_t client_recipients_max(const struct client *c); /* of one transaction here (RFC 9422 RCPTMAX) */

#endif
