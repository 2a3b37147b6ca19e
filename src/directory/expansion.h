/* expansion: from one recipient to where its mail goes: aliases, lists, subaddresses, the names that always exist. */
#ifndef DIRECTORY_EXPANSION_H
#define DIRECTORY_EXPANSION_H

#include "directory/expand.h"
#include "directory/world.h"

struct expansion {
    struct expand_target *targets; /* in the arena, without doubles */
    uint32_t count;
    struct span owner; /* of a list, in the arena, or empty */
};

/* key: canonical local@domain, or "postmaster". Aliases lead as world_target says. postmaster and abuse without alias or mailbox of
 * their own: abuse goes to postmaster, and that to the first user of the domain, else of the file, else to a mailbox `postmaster`, so
 * that somebody can read it (RFC 5321 4.5.1, RFC 2142); the same when what was looked at on the way to nobody has such a name.
 * LATER: an alias on the way is broken, or there is no memory. Depth, targets and steps are bounded. */
enum expand_status expansion_of(const struct world *w, struct span key, struct arena *a,
                                struct expansion *ret);

#endif
