/* users: who has a mailbox here, as the recipient map and the expansion of aliases need it: names alone. They come from the identity
 * database (service/mailboxes). */
#ifndef DIRECTORY_USERS_H
#define DIRECTORY_USERS_H

#include "base/arena.h"

struct users {
    struct span *keys; /* canonical local@domain, in the order in which they were made; in the arena */
    uint32_t count, room;
};

/* Zeroed at first. key: copied into the arena. False: no memory, or LIMIT_USERS. */
MUST_USE bool users_add(struct users *u, struct arena *a, struct span key);
/* The first user of the domain, else (postmaster needs a reader) the first of all; empty when there is none. */
struct span users_first(const struct users *u, struct span domain);

#endif
