/* user: `sallyport user`: the identity database of a configuration. Exit codes: 0 done; 1 there is one already, there is none, or the
 * database cannot be changed; 64 wrong usage; 78 no configuration. */
#ifndef CMD_USER_H
#define CMD_USER_H

#include "cmd/command.h"

command_fn command_user;

#endif
