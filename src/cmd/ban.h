/* ban: `sallyport ban` and `sallyport firewall`: networks that may not log in, as the identity database keeps them. Exit codes: 0 done, or
 * there is one; 1 there is none, or the database cannot be read or changed; 64 wrong usage; 78 no configuration. */
#ifndef CMD_BAN_H
#define CMD_BAN_H

#include "cmd/command.h"
#include "cmd/user_private.h"
#include "identity/ban.h"

command_fn command_ban, command_firewall;

/* Runs with the configuration and the database open (u->config, u->identity), and closes both. Its exit code, or that of a complaint. */
typedef int ban_run_fn(struct user_call *u, void *context);
int ban_with_store(struct command_call *v, bool writes, ban_run_fn *run, void *context);

enum { BANS = LIMIT_GUESS_BANS_KEPT };
/* Those in force; memory of the caller, for BANS of them. -1: complained. */
int ban_in_force(struct user_call *u, struct guess_ban *ret);

#endif
