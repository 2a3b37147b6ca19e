/* user: `sallyport user add|passwd|remove|list`: the mailboxes of a configuration's users file. Exit codes: 0 done; 1 there is one
 * already, there is none, or the file cannot be changed; 64 no name of a mailbox; 78 no configuration. */
#ifndef CMD_USER_H
#define CMD_USER_H

#include "cmd/command.h"

command_fn command_user;

#endif
