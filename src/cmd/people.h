/* people: who exists, as the directory process would find it: users, aliases and the recipient map of a configuration. */
#ifndef CMD_PEOPLE_H
#define CMD_PEOPLE_H

#include "config/config.h"
#include "directory/aliases.h"
#include "directory/recipients.h"
#include "directory/users.h"

struct people {
    struct arena *arena;
    struct users *users;                               /* empty when the file cannot be read */
    struct aliases *aliases;                           /* likewise */
    struct problems problems, users_problems;          /* of both files; of the users file alone */
    const char *users_unreadable, *aliases_unreadable; /* null, or why (constant text) */
    bool users_absent, aliases_absent;                 /* there is no such file */
    struct recipients map;       /* what the edges ask: domains, mailboxes and aliases */
    struct recipients mailboxes; /* what an alias may end at: the same without aliases */
};

/* False: no memory. */
MUST_USE bool people_load(struct people *p, const struct config *c);
void people_free(struct people *p);

#endif
