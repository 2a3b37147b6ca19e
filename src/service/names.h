/* names: who exists here, from the mailboxes, the aliases file, the lists it includes and the domains of the config: as the
 * directory process publishes it, and as `check` and `explain` look at it. */
#ifndef SERVICE_NAMES_H
#define SERVICE_NAMES_H

#include "config/config.h"
#include "directory/alive.h"
#include "directory/expansion.h"

struct names {                 /* stays where it is: parts of it point to others */
    struct arena *arena;       /* holds everything below */
    const struct users *users; /* the caller's */
    struct aliases *aliases;
    struct problems problems;    /* of all files, and names that lead to nobody */
    struct recipients map;       /* domains, mailboxes, aliases that reach somebody: what the edges look at */
    struct recipients mailboxes; /* domains and mailboxes: what expansion looks at */
    struct span
        home; /* the domain of bare names: the first one in the config whose names are listed, else the first */
    struct world world;   /* of all that */
    struct span *domains; /* all that are served, sorted, without doubles */
    struct alive alive;   /* which aliases reach somebody, in which of them */
};

/* aliases: the text of that file (empty when there is none). Lists that aliases include are opened by their absolute names. users
 * and aliases must stay. False: no memory, or more names than a map can hold. */
MUST_USE bool names_load(struct names *n, const struct config *c, const struct users *users,
                         struct span aliases);
void names_free(struct names *n);

/* Where mail for a recipient as written ("local@domain" or "postmaster") goes; targets live in a. */
enum expand_status names_expand(const struct names *n, struct span recipient, struct arena *a,
                                struct expansion *ret);
/* Canonical key of an address as written; false when it is none. */
bool names_canonical(struct span address, struct buf *key);

#endif
