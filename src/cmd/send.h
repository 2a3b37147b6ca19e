/* send: `sallyport send`, a small SMTP client. Exit codes beside those of cmd/command.h: 65 (EX_DATAERR) the message cannot be read
 * or is too large; 69 (EX_UNAVAILABLE) refused by 5xx, also for one recipient of several, or no connection; 75 (EX_TEMPFAIL) the
 * server says 4xx; 76 (EX_PROTOCOL) no TLS, an untrusted certificate, no SMTP, or not the extension that was asked for. */
#ifndef CMD_SEND_H
#define CMD_SEND_H

#include "cmd/command.h"

command_fn command_send;

#endif
