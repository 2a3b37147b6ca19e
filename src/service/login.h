/* login: a conversation in which a client proves who it is (RFC 4422). In the directory process only; each step is worked in a helper
 * thread (system/workers.h), straight on: it may compute for long or wait. What a mechanism proves and what that permits are decided
 * by different functions (decision 0010, invariants I1 and I2): however it was proven, login_step ends in the same question for rights. */
#ifndef SERVICE_LOGIN_H
#define SERVICE_LOGIN_H

#include "config/config.h"
#include "directory/login_message.h"
#include "directory/sender_message.h"
#include "identity/identity.h"
#include "service/login_ask.h"
#include "service/login_reason.h"

struct login_world { /* of the process; nobody changes it while threads run */
    const struct config *config;
    int identity;     /* descriptor of the identity store's folder */
    struct span home; /* domain of names without one */
    /* service/token_keys.h; null: none could be read, or no tokens { } */
    const struct token_keys *token_keys;
    /* system/tls_authorities.h; null: they could not be read, or no client-authorities */
    const struct tls_authorities *authorities;
    const struct login_ask *ask; /* other processes, from threads */
    /* service/kerberos.h; null: its keytab could not be read, or no kerberos { } */
    struct kerberos *kerberos;
    uint8_t chance[32]; /* secret: what users who do not exist seem to have */
};

/* What a thread has for itself: its own opened database. Made before the cage is closed: libraries load what they need. Null: *why. */
struct login_thread;
struct login_thread *login_thread_create(const struct login_world *w, const char **why);
void login_thread_free(struct login_thread **t);

struct login_report { /* what became of it, for the log and the bans */
    enum login_reason reason;
    char claimed[LIMIT_PRINCIPAL_NAME_OCTETS]; /* the name as it was said, hostile; may be empty */
    uint16_t claimed_n;
    /* more about it, in somebody else's words, hostile in parts; may be empty */
    char detail[LIMIT_LOGIN_DETAIL_OCTETS];
    uint16_t detail_n;
    uint32_t principal; /* whose name that is; 0: nobody's */
};

struct login;
/* m is copied. Null: no memory, or no such server or mechanism. */
struct login *login_create(const struct login_world *w, const struct login_begin *m);
/* The first step takes the initial response of login_begin, each further one the client's answer. *ret is whole (session and slot too);
 * its spans live as long as l and until the next step. After anything but LOGIN_CHALLENGE it is over. */
void login_step(struct login *l, struct login_thread *t, struct span response, uint64_t unix_seconds,
                struct login_answer *ret);
const struct login_report *login_report_of(const struct login *l);
const struct login_begin *login_begin_of(const struct login *l);
/* Which threads its next step is for, so that none waits behind what takes longer by nature. */
enum login_queue {
    LOGIN_QUICK,   /* microseconds */
    LOGIN_SLOW,    /* milliseconds of a processor: passwords */
    LOGIN_OUTSIDE, /* waits for somebody else (winbind, Dovecot): up to seconds, and no processor */
    LOGIN_QUEUES
};
enum login_queue login_queue(const struct login *l);
uint32_t
login_refusal_ms(const struct login *l); /* a refusal is told at a multiple of it after its step began */
/* The same for a challenge; 0: at once. Not 0 where a name was looked up: whether somebody has it would be seen by the microseconds
 * it took. */
uint32_t login_challenge_ms(const struct login *l);
void login_free(struct login **l); /* wipes; accepts null */

/* In a thread. */
void login_sender(struct login_thread *t, const struct sender_question *q, struct sender_answer *ret);

#endif
