/* users: the users file: who has a mailbox here. One line a user, "mailbox TAB verifier TAB options", '#' begins a comment line.
 * The verifier and the options are for authentication; only mailbox names are kept here. */
#ifndef DIRECTORY_USERS_H
#define DIRECTORY_USERS_H

#include "directory/aliases.h"

struct users {
    struct span *keys; /* canonical local@domain, in the order of the file; in the arena */
    uint32_t count;
};

/* Lines with problems are left out. Null: no memory. The text may be wiped afterwards: all is copied, subjects of problems too.
 * canonical: as for aliases_parse. */
struct users *users_parse(struct arena *a, struct span file, struct span text,
                          aliases_canonical_fn *canonical, struct problems *problems);
/* The first user of the domain, else (postmaster needs a reader) the first of all; empty when there is none. */
struct span users_first(const struct users *u, struct span domain);

#endif
