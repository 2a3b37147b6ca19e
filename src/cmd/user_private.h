/* user_private: `sallyport user`, inside. user.c: its sub-commands, a table, and what they share; user_account: add, passwd, remove, lock;
 * user_rights: grant, group, sender; user_app: app passwords and certificates; user_import: files of others; user_list: what is shown;
 * user_secrets: passwords. */
#ifndef CMD_USER_PRIVATE_H
#define CMD_USER_PRIVATE_H

#include "cmd/command.h"
#include "config/config.h"
#include "identity/change.h"

enum { USER_TEXT_OCTETS = 1024, USER_SHOWN_OCTETS = 512 };

struct user_call {
    struct command_call *v;
    const struct config *config;
    struct identity *identity;
    char **words; /* behind the sub-command */
    int n_words;
    /* options; null: not given */
    const char *no_password, *no_mailbox, *host, *grant, *nt, *cram, *scram_sha_1, *group, *from, *expires,
        *label, *domain, *dry_run, *no_reload;
    struct span
        file; /* what the FILE of import and certificate has in it, read before anything else; or why not */
    const char *file_why;    /* null: it was read, or there is none to read */
    uint64_t now;            /* unix seconds */
    bool recipients_changed; /* a mailbox came or went: the running server is told */
    uint8_t name_memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    char caller[96];
    struct change_caller who;
};

typedef int user_run_fn(struct user_call *u); /* the exit code */

user_run_fn user_add, user_passwd, user_remove, user_lock, user_unlock;
user_run_fn user_grant, user_revoke, user_group_add, user_group_remove, user_sender_add, user_sender_remove;
user_run_fn user_app_add, user_app_remove, user_certificate_add, user_certificate_remove;
user_run_fn user_import;
user_run_fn user_list, user_show, user_group_list, user_sender_list, user_app_list, user_certificate_list,
    user_audit, user_audit_of; /* audit_of: of what begins with the first word */

/* --- user.c */

/* Who changes something, and when: now, who, caller. */
void user_caller(struct user_call *u);

/* The canonical name of the first word, of a user, or with --host of a host. False: complained. */
bool user_name(struct user_call *u, struct span *ret);
/* Its number. False: complained that there is none, or why it cannot be known. */
bool user_number(struct user_call *u, struct span name, uint32_t *ret);
bool user_group_number(struct user_call *u, struct span name, uint32_t *ret); /* likewise, of a group */
/* Of a group, an app password, a key: letters, digits and - . _, at most LIMIT_IDENTITY_LABEL_OCTETS. */
bool user_is_label(const char *text);
/* How long something holds: 30m, 12h, 90d. A number alone is none: nobody knows what was meant. False: complained. */
bool user_period(const struct command_call *v, const char *text, uint64_t *seconds);
/* Begins a change. False: complained. */
bool user_begin(struct user_call *u);
/* Ends it: what is for the audit, and is said when it is done ("%s." on standard output; --json: {"done":"..."}). Gives up when change is not
 * DONE; none: what NONE means then. Returns the exit code. */
int user_end(struct user_call *u, enum change change, const char *none, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int user_failed(struct user_call *u); /* complains of SQLite; the change is given up */

/* --- user_secrets.c: from standard input or a terminal */

/* What the options ask for. False: complained. The caller wipes *ret. */
bool user_read_secrets(struct user_call *u, struct change_secrets *ret);
/* Of a password that is known; raw: as it was typed. False: *why. */
bool user_make_secrets(const struct user_call *u, struct span raw, bool verifier, struct change_secrets *ret,
                       const char **why);

#endif
