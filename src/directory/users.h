/* users: the users file: who has a mailbox here. One line a user, "mailbox TAB verifier TAB options", '#' begins a comment line.
 * The verifier and the options are for authentication; only mailbox names are kept here. */
#ifndef DIRECTORY_USERS_H
#define DIRECTORY_USERS_H

#include "directory/problem.h"

struct users {
    struct span *keys; /* canonical local@domain, lower case, in the order of the file; in the arena */
    uint32_t count;
};

/* Lines with problems are left out. Null: no memory. The text may be wiped afterwards: all is copied, subjects of problems too. */
struct users *users_parse(struct arena *a, struct span file, struct span text, struct problems *problems);
/* The first user of the domain, else (postmaster needs a reader) the first of all; empty when there is none. */
struct span users_first(const struct users *u, struct span domain);

#endif
