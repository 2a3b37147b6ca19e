/* queue: the questions to the running daemon: `sallyport queue ...`, status, reload, stop. Exit codes beside
 * those of cmd/command.h: 69 (EX_UNAVAILABLE) no such message or no daemon, 75 (EX_TEMPFAIL) ask later. */
#ifndef CMD_QUEUE_H
#define CMD_QUEUE_H

#include "cmd/command.h"

command_fn command_queue, command_status, command_reload, command_stop;

#endif
