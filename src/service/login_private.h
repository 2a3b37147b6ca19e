/* login_private: a conversation, as its mechanisms see it. Each mechanism is a file; service/login.c has the table. */
#ifndef SERVICE_LOGIN_PRIVATE_H
#define SERVICE_LOGIN_PRIVATE_H

#include "base/arena.h"
#include "sasl/mechanism.h"
#include "service/login.h"

struct login_thread {
    const struct login_world *world;
    struct identity *identity;
    void *scram;                        /* the library's handle */
    void *hmac_md5;                     /* a context without a key */
    struct kerberos_acceptor *kerberos; /* service/kerberos.h; null: no keytab */
};

struct login_vouched { /* set by login_outside() alone; name empty: nobody outside vouched for anybody */
    struct span name;
    struct span *groups;
    uint32_t n_groups;
};

struct login {
    const struct login_world *world;
    struct arena *arena;      /* everything of it: secrets too; wiped at the end */
    struct login_begin begin; /* its spans lie in the arena */
    unsigned step;            /* steps done */
    bool outside;             /* the next step waits for somebody else: set by a step, or by login_create */
    bool looked_up;           /* login_find was called in this step */
    uint64_t unix_seconds;    /* of this step */
    uint8_t challenge[LIMIT_SASL_CHALLENGE_OCTETS];
    struct span out;               /* of this step; points into challenge */
    void *state;                   /* the mechanism's own, in the arena */
    void (*end)(struct login *l);  /* what of state is not in the arena; or null */
    struct identity_principal who; /* who it is, once known; number 0: nobody */
    bool no_scram_256, no_scram_1; /* those keys of who are made up */
    enum login_reason useless;     /* what it logs in by opens nothing, whatever is proven; NONE: it may */
    struct login_vouched vouched;
    uint64_t valid_until; /* unix seconds: login_ends() */
    bool proven;          /* set by a mechanism right before LOGIN_SUCCESS, and by nothing else */
    uint8_t stamp[LIMIT_STAMP_OCTETS]; /* login_stamp() */
    struct span label;                 /* the same: of what its proof rests on, for the log; may be empty */
    struct login_report report;
};

/* One step of a mechanism, in a thread. response: hostile; initial: it came with AUTH (only in step 0, where response is empty otherwise).
 * Returns LOGIN_CHALLENGE with l->out set, LOGIN_SUCCESS with who and proven set, or login_fail(); LOGIN_MALFORMED and LOGIN_LATER may also
 * be returned as they are: then the reason is that of every mechanism. It never looks at rights: the caller does. */
typedef enum login_kind login_step_fn(struct login *l, struct login_thread *t, struct span response,
                                      bool initial);

login_step_fn login_password, login_scram, login_ntlm, login_cram, login_external, login_oauth, login_gssapi;
/* What the thread holds of the library. False: it has no memory. */
bool login_scram_begin(struct login_thread *t);
void login_scram_end(struct login_thread *t);
bool login_ntlm_begin(struct login_thread *t);
void login_ntlm_end(struct login_thread *t);

/* The claimed name for the report: at most what fits. */
void login_claim(struct login *l, struct span name);
/* What proves who it is ends then (unix seconds), and with it what the session may do. The earliest one counts. */
void login_ends(struct login *l, uint64_t unix_seconds);
/* More about a refusal, for the log alone: at most what fits. */
void login_detail(struct login *l, struct span text);
/* What its proof rests on (identity_by); to be taken right after that was read, not when it was proven: a client may take its time
 * in between, and what is changed meanwhile ends its login with its first message. login_find has taken it by the secrets that it
 * found, of the account or of an app password. False: the store cannot be read now, or it is gone: LOGIN_LATER. */
bool login_stamp(struct login *l, struct login_thread *t, enum identity_by by, uint64_t credential);
/* It ends without success. Returns what the client is told for that reason. */
enum login_kind login_fail(struct login *l, enum login_reason reason);
/* The same for a proof that failed. Its reason, for the log alone: whether there is such a user, and whether it has a secret of this kind. */
enum login_kind login_fail_proof(struct login *l, bool has_one);
/* What it logs in by is an app password that is there, and opens nothing: EXPIRED or ELSEWHERE. */
void login_useless(struct login *l, enum identity_found found);
/* Who that name is. When nobody, l->who is made up so that every further step takes as long: proof against it fails. False: the store cannot
 * be read now: LOGIN_LATER. */
bool login_find(struct login *l, struct login_thread *t, struct span name);
/* The last word of a mechanism whose proof an outside authority gives (Kerberos, Active Directory, Dovecot): that it is name, local@domain in
 * a domain that the configuration maps that authority's names to. An account of that name in the database is that account: its lock,
 * rights, groups and senders count. Without one it is an outsider, to whom `right` lines alone grant anything, and who sends from its own
 * address. groups: those that the authority says, beside the account's own; more than LIMIT_IDENTITY_GROUPS are left out. Borrowed.
 * LOGIN_SUCCESS: l->who and l->proven are set; else what login_step_fn returns. */
enum login_kind login_outside(struct login *l, struct login_thread *t, struct span name,
                              const struct span *groups, uint32_t n_groups);
/* Whom the outside authority has refused, for the report alone: so that failures count for the account that login_outside() would have found.
 * name: as it was claimed; domain: of a name without one, may not be empty. */
void login_suspect(struct login *l, struct login_thread *t, struct span name, struct span domain);
/* Reads l->who anew by what was proven of it, its number, and by what login_outside() has heard: whatever else a mechanism left in it is gone.
 * UNKNOWN: nobody. */
enum identity_found login_who_now(struct login *l, struct login_thread *t);
/* RFC 4422 3.4.1: to act as somebody else is a right that nobody has here. True: authzid is empty, what was said as authcid, or the account's
 * name as identity_name takes it. Else the caller fails with LOGIN_REASON_AUTHZID. */
bool login_authzid_permitted(const struct login *l, struct span authzid, struct span authcid);
/* Name and password, by PLAIN or LOGIN. name: of LOGIN, kept between steps. LOGIN_SUCCESS: *ret is whole; else what login_step shall say. */
struct plain_message;
enum login_kind login_password_take(struct login *l, struct span *name, struct span response, bool initial,
                                    struct plain_message *ret);
/* In place of the mechanism's own where a server has login dovecot. */
login_step_fn login_dovecot;
bool login_dovecot_waits(const struct login_begin *m); /* its first step */
/* Checks a password in clear against what the principal has: verifier, SCRAM keys or app passwords. Takes as long whatever is wrong. */
bool login_password_fits(struct login *l, struct login_thread *t, struct span password);

#endif
