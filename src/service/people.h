/* people: mailboxes and aliases of a configuration, read and looked at as the directory process does. */
#ifndef SERVICE_PEOPLE_H
#define SERVICE_PEOPLE_H

#include "service/mailboxes.h"
#include "service/names.h"

struct people {
    struct arena *arena; /* the texts */
    struct names names;
    struct users users;
    enum mailboxes mailboxes;       /* when they were not READ there are none */
    const char *users_unreadable;   /* why they are UNREADABLE */
    const char *aliases_unreadable; /* null, or why (constant text): then it counts as empty */
    bool aliases_absent;            /* there is no such file */
};

/* mailboxes: else the database is not looked at, as if there were none. False: no memory. */
MUST_USE bool people_load(struct people *p, const struct config *c, bool mailboxes);
void people_free(struct people *p);

#endif
