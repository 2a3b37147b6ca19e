/* Insides of the server engine, shared by its files only. */
#ifndef ENGINE_SERVER_PRIVATE_H
#define ENGINE_SERVER_PRIVATE_H

#include "engine/server.h"

enum { /* server.phase: what the next octets are */
       PHASE_COMMAND,
       PHASE_SKIP, /* the rest of an over-long line */
       PHASE_DATA,
       PHASE_CHUNK,
       PHASE_HANDSHAKE,
       PHASE_SASL, /* the client's answer to a challenge */
       PHASE_CLOSED,
};

enum { /* server.ask */
       ASK_NONE,
       ASK_MAIL,
       ASK_RCPT,
       ASK_BODY_BEGIN,
       ASK_BODY_END,
       ASK_STARTTLS,
       ASK_AUTH,
};

/* What a step returns when there is nothing to tell the caller and more may be usable in the input. */
#define SERVER_AGAIN ((enum server_event)(SERVER_WAIT + 1))

/* One call's arguments. */
struct step {
    uint64_t now_ms;
    struct span *in;
    struct buf *out;
    struct server_detail *d;
};

/* Constant reply lines, CRLF included: nothing is formatted on the way of a message (DESIGN 7). */
#define REPLY(text) SPAN(text "\r\n")

static inline void server_say(struct step *t, struct span line)
{
    buf_put(t->out, line);
}

/* server_budget.c */
/* A refusal. 5xx counts against max_errors; the one beyond becomes 421 and the end. */
void server_fail(struct server *s, struct step *t, struct span line);
/* The caller's refusal, the same way. */
void server_fail_verdict(struct server *s, struct buf *out, const struct server_verdict *v);
/* Last words, then the end of the session. */
void server_end(struct server *s, struct buf *out, struct span line);
/* Counts a command that does no work. False: the budget is spent and the session has ended. */
bool server_junk(struct server *s, struct step *t);

/* server.c */
/* Forgets the transaction; the caller will be told when it believes in one. */
void server_reset(struct server *s);

static inline uint64_t server_max_octets(const struct server *s)
{
    return s->any_size ? LIMIT_MESSAGE_OCTETS_MAX : s->conf->max_message_octets;
}

/* server_command.c */
enum server_event server_step_command(struct server *s, struct step *t);
enum server_event server_step_skip(struct server *s, struct step *t);
/* A line that is longer than it may be, or its beginning: the rest is skipped, then one reply says so. */
enum server_event server_skip(struct server *s, struct step *t, struct span taken);

/* One function per verb; arg has no blanks at its ends. */
enum server_event server_hello(struct server *s, struct step *t, struct span arg);
enum server_event server_mail(struct server *s, struct step *t, struct span arg);
enum server_event server_rcpt(struct server *s, struct step *t, struct span arg);
enum server_event server_data(struct server *s, struct step *t);
enum server_event server_bdat(struct server *s, struct step *t, struct span arg);
enum server_event server_starttls(struct server *s, struct step *t);
enum server_event server_auth(struct server *s, struct step *t, struct span arg);
enum server_event server_rset(struct server *s, struct step *t);
enum server_event server_noop(struct server *s, struct step *t);
enum server_event server_vrfy(struct server *s, struct step *t);
enum server_event server_help(struct server *s, struct step *t);
enum server_event server_quit(struct server *s, struct step *t);

/* Answers to the asks; v->code says accepted (0 or 2xx) or not. */
void server_mail_answer(struct server *s, struct buf *out, const struct server_verdict *v);
void server_rcpt_answer(struct server *s, struct buf *out, const struct server_verdict *v);
void server_data_answer(struct server *s, uint64_t now_ms, struct buf *out, const struct server_verdict *v);
void server_bdat_answer(struct server *s, struct buf *out, const struct server_verdict *v);
void server_body_end_answer(struct server *s, struct buf *out, const struct server_verdict *v);
void server_starttls_answer(struct server *s, struct buf *out, const struct server_verdict *v);
void server_auth_answer(struct server *s, struct buf *out, const struct server_verdict *v);

static inline bool server_accepts(const struct server_verdict *v)
{
    return v->code == 0 || (v->code >= 200 && v->code < 300);
}

/* server_auth.c */
enum server_event server_step_sasl(struct server *s, struct step *t);

/* server_body.c: content, whether it comes by DATA or by BDAT */
enum server_event server_step_data(struct server *s, struct step *t);
enum server_event server_step_chunk(struct server *s, struct step *t);
/* Content begins: counters and clocks. */
void server_body_begin(struct server *s, uint64_t now_ms);
/* Hands a slice to the caller, or drops it when the content is already refused. */
enum server_event server_body_slice(struct server *s, struct step *t, struct span slice);
/* The reply that refuses the content, or an empty span. Depends on the content alone, never on how it was cut. */
struct span server_body_refusal(const struct server *s);

/* Why content is not accepted: for its own sake (line), or because the caller could not keep it (verdict). */
struct body_refusal {
    struct span line;
    struct server_verdict verdict;
};
/* False when nothing is wrong with it. */
bool server_body_refused(const struct server *s, struct body_refusal *ret);
void server_body_tell(struct server *s, struct step *t, const struct body_refusal *r);
/* The caller is to drop what it stored; more content is read and dropped here. */
void server_body_drop(struct server *s);
/* Asks for durability. */
enum server_event server_body_end(struct server *s);

/* server_path.c */
struct span server_path_refusal(enum path_error e, bool recipient);
/* Skips "FROM:" or "TO:" and one SP; false when it is not there. */
bool server_path_keyword(struct span *arg, struct span keyword);
/* Refuses a parameter, naming it. */
void server_fail_params(struct server *s, struct step *t, enum params_error e, struct span bad);
unsigned server_params_offered(const struct server *s);

#endif
