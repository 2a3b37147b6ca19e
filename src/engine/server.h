/* server: the SMTP server engine. Pure: octets in, events and reply octets out. The caller owns sockets, clock, TLS,
 * policy look-ups, storage. One struct per session, no pointer into the heap, small enough for a slot table.
 *
 * Use: while there is input, call server_next(). It consumes from *in, appends replies to *out and returns the next
 * event. An event marked ASK stops the session until server_answer() (at once or later; replies keep their order because
 * nothing is parsed meanwhile). Grammar, order, limits and wire rules (DESIGN 8) are the engine's; who may do what is the
 * caller's. Per verb: check (pure) -> ask -> act; state changes only in act. */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include "base/buf.h"
#include "base/limits.h"
#include "engine/chunk.h"
#include "mail/header.h"
#include "sasl/mechanism.h"
#include "smtp/dot.h"
#include "smtp/ehlo.h"
#include "smtp/params.h"
#include "smtp/path.h"
#include "smtp/verb.h"

/* What a virtual server is to the engine; immutable, shared by its sessions. */
struct server_conf {
    struct span hostname; /* in greeting, EHLO, replies; printable ASCII, at most LIMIT_DOMAIN_OCTETS */
    struct span banner;   /* behind it in the greeting, likewise, LIMIT_BANNER_OCTETS; empty: ESMTP ready */
    uint32_t extensions;  /* EXT_* that may be offered (EXT_STARTTLS only with a certificate) */
    bool require_tls;     /* MAIL before TLS: 530 5.7.0 Must issue a STARTTLS command first */
    bool require_auth;    /* MAIL before a right to submit: 530 5.7.0 Authentication required */
    bool
        any_hello; /* for old devices: an argument of HELO or EHLO that is no name, or none, is taken and forgotten */
    bool normalize_bare_lf; /* for old devices: bare LF in DATA becomes CRLF (never an end of data) */
    bool lmtp;
    uint32_t mechanisms; /* MECHANISM_BIT: what may be offered to clients that have TLS */
    uint32_t max_recipients, max_messages, max_errors, max_junk, max_received, max_auth_failures;
    uint64_t max_message_octets;
    uint64_t max_session_octets; /* of all messages of a session: then no other transaction begins */
    uint32_t max_line_octets;
    uint32_t command_seconds, data_block_seconds, session_seconds, message_seconds;
    uint32_t minimum_rate; /* octets a second */
};

enum server_event {
    SERVER_INPUT, /* everything usable is consumed: come back with more octets behind what is left in *in */
    SERVER_FLUSH, /* less than SERVER_REPLY_ROOM free in *out: send it and call again */
    SERVER_MAIL,  /* ASK: d->path, d->mail. A transaction wants to begin */
    SERVER_RCPT,  /* ASK: d->path, d->rcpt */
    SERVER_BODY_BEGIN, /* ASK: storage for content is needed; refuse with 4xx when there is none */
    SERVER_BODY, /* d->body: content octets in order, dots undone, as they are to be stored. Not an ASK */
    SERVER_BODY_END, /* ASK: content complete and acceptable: make it durable, then answer (invariant I5). Whatever the
                          answer is, the transaction is over and no SERVER_ABORT follows */
    SERVER_ABORT, /* the transaction is gone (RSET, new EHLO, content refused, ...): drop what was stored */
    SERVER_STARTTLS, /* ASK: refuse with 454 4.7.0 when no handshake can begin now; accepted, the 220 is in *out: flush it,
                          let server_next discard what is in *in (I9), shake hands, then server_tls_started */
    SERVER_AUTH, /* ASK: d->mechanism, d->initial, d->sasl. Answer with server_challenge, server_authenticated, or a refusal */
    SERVER_SASL,        /* ASK: d->sasl, the client's answer to the challenge. Likewise */
    SERVER_AUTH_CANCEL, /* the exchange is over before its end, the client was told: forget it. Not an ASK */
    SERVER_CLOSE,       /* flush *out and close; comes again and again, no other event follows */
    SERVER_WAIT,        /* an ASK is open: nothing happens until server_answer */
};

/* Spans in it point into the input that was given (or to constants) and live as long as the caller leaves that alone. */
struct server_detail {
    struct path path;         /* MAIL, RCPT */
    struct mail_params mail;  /* MAIL */
    struct rcpt_params rcpt;  /* RCPT */
    struct span body;         /* BODY */
    enum mechanism mechanism; /* AUTH: one of those offered */
    bool initial;             /* AUTH: there is an initial response */
    struct span sasl;         /* AUTH, SASL: the response, well-formed base64 */
};

/* The caller's word on an ASK. code 0 means accept with the engine's own text. */
struct server_verdict {
    uint16_t code;        /* 0 accept; 4xx or 5xx refuses; 421 refuses and closes; 250 accept with text */
    const char *enhanced; /* "5.1.1"; constant */
    struct span text;     /* printable; copied into *out before the call returns */
    bool no_error;        /* do not count against max_errors */
};

/* What a call may need in *out. An out smaller than this can never be used. */
#define SERVER_REPLY_ROOM 2048

struct server {
    const struct server_conf *conf;
    /* clock of the caller, see server_deadline: begin of the session; last command done; begin of the content; begin of
     * this DATA or chunk; last content octet */
    uint64_t started_ms, command_ms, body_ms, block_ms, activity_ms;
    uint64_t body_octets;    /* of the current message, as stored */
    uint64_t block_octets;   /* that came in this DATA or chunk, kept or not */
    uint64_t chunk_left;     /* BDAT octets still to come */
    uint64_t session_octets; /* of content, of all messages so far */
    struct dot dot;
    struct chunk chunk;
    struct header_scan header;
    uint32_t recipients;   /* accepted in this transaction */
    uint32_t messages;     /* transactions begun in this session (LIMITS MAILMAX) */
    uint32_t errors, junk; /* budgets used */
    uint32_t mechanisms;   /* offered now: see server_offer */
    uint32_t sasl_octets;  /* of this exchange so far, encoded */
    uint64_t sasl_ms;      /* its time is over then, on the caller's clock */
    uint32_t skipped;      /* octets of an over-long line that were dropped */
    uint8_t state;         /* VERB_IN_* */
    uint8_t phase;         /* private: command, skipping, data, chunk, handshake, closed */
    uint8_t ask;           /* private: the open question */
    uint8_t verb;          /* enum verb in progress */
    uint8_t refusal;       /* private: why the octets of this chunk are swallowed */
    uint8_t sasl_rounds, auth_failures;
    bool esmtp, tls, submit_right;
    bool any_size;            /* see server_permit_size */
    bool authenticated;       /* 235 was said: who it is and what it may do the caller knows */
    bool utf8;                /* MAIL had SMTPUTF8 */
    bool in_transaction;      /* MAIL was accepted and the caller was not told SERVER_ABORT since */
    bool recipients_refused;  /* at least one RCPT was */
    bool body_open;           /* content is handed to the caller */
    bool bdat_failed;         /* a chunk failed: nothing but RSET helps */
    bool bdat_failed_for_now; /* ... by a 4xx */
    bool bdat_last, bdat_completed;
    bool abort_due; /* private */
    enum body_type body;
    uint64_t declared_size;                      /* MAIL SIZE=, 0 when absent */
    const char *content_enhanced, *content_text; /* private: constants of server_fail_content */
    uint16_t content_code;                       /* private: 0 while the caller keeps up */
    uint8_t helo_n;
    char helo[LIMIT_DOMAIN_OCTETS];
};
_Static_assert(sizeof(struct server) <= 512, "an idle session is small (DESIGN 7)");

/* Begins a session and writes the greeting. tls: implicit TLS, the handshake is done. */
void server_begin(struct server *s, const struct server_conf *conf, uint64_t now_ms, bool tls,
                  struct buf *out);
/* Instead of server_begin: a refusal (421 or 554) in place of the greeting, then the session ends. */
void server_refuse(struct server *s, const struct server_conf *conf, unsigned code, const char *enhanced,
                   struct span text, struct buf *out);

enum server_event server_next(struct server *s, uint64_t now_ms, struct span *in, struct buf *out,
                              struct server_detail *d);
/* Answers the open ASK; without one nothing happens. out must have SERVER_REPLY_ROOM (it had when the ASK came). */
void server_answer(struct server *s, uint64_t now_ms, const struct server_verdict *v, struct buf *out);

/* Which mechanisms are offered from here on: those that can succeed in this session as it is (TLS or not, this client, this certificate).
 * None after server_begin and after server_tls_started. */
void server_offer(struct server *s, uint32_t mechanisms);
/* Answers to SERVER_AUTH and SERVER_SASL beside a refusal by server_answer; without an open one nothing happens. challenge: not encoded, at
 * most LIMIT_SASL_CHALLENGE_OCTETS. submit: the right to submit was found, or one of the organisation (never merely: proven). */
void server_challenge(struct server *s, uint64_t now_ms, struct span challenge, struct buf *out);
void server_authenticated(struct server *s, uint64_t now_ms, bool submit, struct buf *out);

/* The principal is not bound by max_message_octets: LIMIT_MESSAGE_OCTETS_MAX counts instead, until server_tls_started. */
void server_permit_size(struct server *s);

/* Handshake done: all state but TLS itself and the budgets resets (RFC 3207 4.2); the greeting is not repeated. */
void server_tls_started(struct server *s, uint64_t now_ms);
/* Octets that came before the greeting: 554 5.5.1 and close. */
void server_early_talker(struct server *s, struct buf *out);

/* When the session must be looked at again, on the caller's clock; UINT64_MAX while an ASK is open, whose time is the
 * caller's. server_tick at or after that time writes 421 (if there is room) and returns SERVER_CLOSE when a deadline has
 * passed. An open transaction is dropped first: SERVER_ABORT, and the next call of server_tick or server_next returns
 * SERVER_CLOSE. Before its time it returns SERVER_INPUT and does nothing. */
uint64_t server_deadline(const struct server *s);
enum server_event server_tick(struct server *s, uint64_t now_ms, struct buf *out);
/* Shutting down: 421 4.3.2 when the session is between transactions: SERVER_CLOSE; inside one: SERVER_INPUT, ask later. */
enum server_event server_drain(struct server *s, struct buf *out);

/* True while the next octets of the input are content (DATA or BDAT): the caller may then offer server_next no more octets than
 * it has room to store. */
bool server_in_content(const struct server *s);
/* The caller cannot keep the content that is arriving (no space, spool failed): the rest is consumed and thrown away, and the
 * end of data (each chunk) is answered with this verdict instead of an ASK. SERVER_ABORT comes from the next server_next. */
void server_fail_content(struct server *s, unsigned code, const char *enhanced, const char *constant_text);

/* The peer's name for itself, empty before EHLO. */
struct span server_helo(const struct server *s);
/* EXT_* offered to this session now. */
uint32_t server_extensions(const struct server *s);
/* True when the content of the current message held octets above 127 (7bit hops cannot take it). */
bool server_body_8bit(const struct server *s);

#endif
