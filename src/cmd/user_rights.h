/* user_rights: rights of users, hosts and groups. */
#ifndef CMD_USER_RIGHTS_H
#define CMD_USER_RIGHTS_H

#include "cmd/user_private.h"

/* "submit,relay" into a set; null: none. False: command_usage was called. */
bool user_rights_read(struct user_call *u, const char *text, uint32_t *ret);
/* Each right of the set, in an open change. NONE: it has them all. */
enum change user_rights_give(struct user_call *u, struct change_subject to, uint32_t rights);

#endif
