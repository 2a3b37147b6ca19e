/* people: users and aliases of a configuration, read from their files and looked at as the directory process does. */
#ifndef SERVICE_PEOPLE_H
#define SERVICE_PEOPLE_H

#include "service/names.h"

struct people {
    struct arena *arena; /* the texts; that of the users file is wiped */
    struct names names;
    const char *users_unreadable,
        *aliases_unreadable;           /* null, or why (constant text): then it counts as empty */
    bool users_absent, aliases_absent; /* there is no such file */
};

/* False: no memory. */
MUST_USE bool people_load(struct people *p, const struct config *c);
void people_free(struct people *p);

#endif
