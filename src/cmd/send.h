/* send: `sallyport send`, a small SMTP client. Exit codes beside those of cmd/command.h, as in sysexits: 65 the message cannot be read
 * or is too large, 69 refused (5xx, also for one recipient of several), 75 try later (4xx, no connection, no TLS). */
#ifndef CMD_SEND_H
#define CMD_SEND_H

#include "cmd/command.h"

command_fn command_send;

#endif
