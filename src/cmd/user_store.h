/* user_store: work on the database of users with the rights of its owner and no others. A captured directory process may have written that
 * database: whatever SQLite makes of it then happens to that account, not to root. */
#ifndef CMD_USER_STORE_H
#define CMD_USER_STORE_H

#include "cmd/user_private.h"

/* Returns an exit code; may complain and print. */
typedef int user_store_fn(struct user_call *u, void *context);

/* Opens the database (u->identity), does run and closes it; returns its code. makes: the database may be a new one. u->v and u->config are
 * set. When the caller is root and the folder somebody else's, that is done in a process of its own that has given up root for the owner: then
 * nothing that run changes in memory is seen by the caller, and it opens no file that only root may read. */
int user_with_store(struct user_call *u, bool writes, bool makes, user_store_fn *run, void *context);

#endif
