/* `sallyport server`: what the virtual servers are, and changes of them. */
#ifndef CMD_SERVER_H
#define CMD_SERVER_H

#include "cmd/command.h"

command_fn command_server;

#endif
