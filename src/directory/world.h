/* world: who exists, and where one step leads from a name or from a target of an alias: the rules that expansion (from a recipient
 * outward) and alive (which aliases reach anybody) share. */
#ifndef DIRECTORY_WORLD_H
#define DIRECTORY_WORLD_H

#include "directory/aliases.h"
#include "directory/recipients.h"
#include "directory/users.h"

struct world {
    const struct aliases *aliases;
    const struct recipients *mailboxes; /* served domains and mailboxes; no aliases in it */
    const struct users *users;
    struct span
        home; /* the first served domain: for <postmaster>, and for bare names in aliases that exist nowhere nearer */
};

struct world_alias { /* an alias as it was reached */
    const struct alias_entry *entry;
    struct span domain;
};
struct world_address {
    struct span local, domain;
    bool final; /* the mailbox is meant, an alias of that name does not count */
};

/* The alias of a name in a served domain: that of the whole name; else, if there is no mailbox of the whole name, that of the name
 * without its subaddress. Null: none. */
const struct alias_entry *world_alias_of(const struct world *w, struct span local, struct span domain);
/* The mailbox of a name in a served domain: its local part, which is `local` or that without its subaddress; empty when there is none. */
struct span world_mailbox_of(const struct world *w, struct span local, struct span domain);
/* postmaster or abuse, perhaps with a subaddress: in a served domain it always leads to somebody. */
bool world_role(struct span local);
/* The address that a target (no list) of an alias means. A bare name stands for that name in the domain by which the alias was
 * reached; if nobody of that name exists there, in the home domain. A target that leads to the same alias again means the mailbox
 * of that name. */
struct world_address world_target(const struct world *w, const struct alias_target *t, struct world_alias by);

#endif
