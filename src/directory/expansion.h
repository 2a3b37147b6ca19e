/* expansion: from one recipient to where its mail goes: aliases, lists, subaddresses, the names that always exist. */
#ifndef DIRECTORY_EXPANSION_H
#define DIRECTORY_EXPANSION_H

#include "directory/aliases.h"
#include "directory/expand.h"
#include "directory/recipients.h"
#include "directory/users.h"

struct expansion_world { /* who exists */
    const struct aliases *aliases;
    const struct recipients *mailboxes; /* served domains and mailboxes; no aliases in it */
    const struct users *users;
    struct span
        home; /* the first served domain: for <postmaster>, and for bare names in aliases that exist nowhere nearer */
};

struct expansion {
    struct expand_target *targets; /* in the arena, without doubles */
    uint32_t count;
    struct span owner; /* of a list, in the arena, or empty */
};

/* key: canonical local@domain, or "postmaster". A bare name in an alias stands for that name in the domain by which the alias
 * was reached; if nobody of that name exists there, in the home domain. An alias that names itself means the mailbox of that
 * name. postmaster and abuse without alias or mailbox of their own: abuse goes to postmaster, and that to the first user of
 * the domain, else of the file, else to a mailbox `postmaster`, so that somebody can read it (RFC 5321 4.5.1, RFC 2142).
 * LATER: an alias on the way is broken, or there is no memory. Depth, targets and steps are bounded. */
enum expand_status expansion_of(const struct expansion_world *w, struct span key, struct arena *a,
                                struct expansion *ret);

#endif
