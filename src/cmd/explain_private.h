/* explain_private: `explain`, inside. explain: the question, and the commands of a session in their order; explain_ban: who is turned away; explain_who: who logs in, and what
 * that permits; explain_tls: in clear or not; explain_sender: from which addresses; explain_limits: how much; explain_way: where it goes; explain_steps: what was found. */
#ifndef CMD_EXPLAIN_PRIVATE_H
#define CMD_EXPLAIN_PRIVATE_H

#include "cmd/command.h"
#include "cmd/explain_steps.h"
#include "cmd/load_people.h"
#include "cmd/path_word.h"
#include "identity/identity.h"
#include "service/config_load.h"

enum { EXPLAIN_KEY_OCTETS = LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8 };

struct explain_question {
    const char *client, *helo, *server, *tls, *from, *to, *user, *certificate, *name, *outside, *groups;
    struct address address;
    struct path sender, recipient;
    char from_text[PATH_WORD_OCTETS], to_text[PATH_WORD_OCTETS];
};

enum explain_missing { EXPLAIN_NO_USER, EXPLAIN_NO_APP, EXPLAIN_APP_EXPIRED, EXPLAIN_APP_NETWORK };

struct explain_call {
    struct explain *e;
    const struct explain_question *q;
    const struct config *config;
    const struct config_server *server;
    const struct people *people;
    struct identity *identity;     /* null: there is none that can be read */
    const char *identity_why;      /* then why */
    bool relay_network;            /* the client's address is in one */
    bool device;                   /* it has a sender */
    bool tls, tls_possible;        /* the session is under TLS; it can be */
    bool banned;                   /* its logins are refused */
    bool outside;                  /* an outside authority vouches for it */
    bool exists;                   /* who is asked for (--user) */
    enum explain_missing missing;  /* else why not */
    struct identity_principal who; /* then it; number 0: nobody has logged in */
    uint32_t rights;               /* what whoever has logged in may do */
};

/* explain_config.c: is the configuration what the running service has read? */
void explain_config(struct explain_call *x, const struct config_load *load);

/* explain_ban.c: false: the client is turned away at the door. */
bool explain_ban(struct explain_call *x, uint64_t unix_seconds);

/* explain_tls.c: tls, tls_possible */
void explain_tls(struct explain_call *x);

/* explain_who.c: the mechanisms that are offered, and, where somebody is asked for, whether he may log in. False: refused. */
bool explain_who(struct explain_call *x, uint64_t unix_seconds);
bool explain_logged_in(const struct explain_call *x);

/* explain_sender.c: may who has logged in use that reverse-path? False: refused. */
bool explain_sender(struct explain_call *x);
/* May who has not logged in? False: refused. */
bool explain_device(struct explain_call *x);

/* explain_limits.c */
void explain_limits(struct explain_call *x);

/* explain_way.c */
void explain_way(const struct explain_call *x, struct span recipient, bool local);
void explain_targets(const struct explain_call *x);

#endif
