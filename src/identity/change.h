/* change: what `sallyport user` writes, and why a change of identity is never half done: one transaction for each command, with a row
 * of the audit in it. Every function but change_begin needs an open transaction. */
#ifndef IDENTITY_CHANGE_H
#define IDENTITY_CHANGE_H

#include "identity/identity.h"
#include "identity/secret.h"

enum change {
    CHANGE_DONE,
    CHANGE_NONE,   /* it is so already, or there is nothing that could be taken away */
    CHANGE_FAILED, /* change_why(); the transaction is good for change_undo only */
};

struct change_caller { /* for the audit */
    uint32_t uid;
    struct span name;
    uint64_t unix_seconds;
};

/* Waits for another one's change, up to LIMIT_IDENTITY_WAIT_MS. False: change_why(). */
MUST_USE bool change_begin(struct identity *i);
/* what: one line for the audit. On disk when it returns true; false: change_why(), and nothing was changed. */
MUST_USE bool change_commit(struct identity *i, const struct change_caller *who, struct span what);
void change_undo(struct identity *i);
const char *change_why(const struct identity *i);

/* Secrets of an account; a new password replaces all of them. */
struct change_secrets {
    char verifier[SECRET_VERIFIER_OCTETS];  /* empty: none */
    struct secret_scram scram_256, scram_1; /* iterations 0: none */
    bool has_nt, has_cram;
    uint8_t nt[16], cram[32];
};

enum change change_add(struct identity *i, uint8_t kind, struct span name, bool mailbox,
                       uint64_t unix_seconds, uint32_t *number); /* NONE: the name is taken */
enum change change_remove(struct identity *i, uint32_t principal);
enum change change_lock(struct identity *i, uint32_t principal, bool locked);
enum change change_mailbox(struct identity *i, uint32_t principal, bool mailbox);
enum change change_secrets(struct identity *i, uint32_t principal, const struct change_secrets *s);

struct change_subject { /* to whom a right is granted */
    bool team;
    uint32_t number;
};
enum change change_grant(struct identity *i, struct change_subject to, uint32_t right, bool granted);

enum change change_team(struct identity *i, struct span name, bool exists,
                        uint32_t *number /* of a new one */);
enum change change_member(struct identity *i, uint32_t team, uint32_t principal, bool member);

/* pattern: canonical local@domain, "@domain" or "*". */
enum change change_sender(struct identity *i, uint32_t principal, struct span pattern, bool allowed);

struct change_app {
    struct span label;
    uint8_t digest[SECRET_DIGEST_OCTETS];
    struct change_secrets secrets; /* no verifier */
    const struct span *networks;   /* as network_parse takes them */
    uint32_t n_networks;
    uint64_t expires; /* unix seconds; 0: never */
};
enum change change_app_add(struct identity *i, uint32_t principal, const struct change_app *app,
                           uint64_t unix_seconds); /* NONE: the label is taken */
enum change change_app_remove(struct identity *i, uint32_t principal, struct span label);

enum change change_pin(struct identity *i, uint32_t principal, const uint8_t spki_sha256[32],
                       struct span label, uint64_t unix_seconds); /* NONE: it is somebody's already */
enum change change_unpin(struct identity *i, uint32_t principal, const uint8_t spki_sha256[32]);

/* Numbers of names. */
enum identity_found change_find(struct identity *i, struct span name, uint32_t *number);
enum identity_found change_find_team(struct identity *i, struct span name, uint32_t *number);

#endif
