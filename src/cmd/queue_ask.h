/* queue_ask: one request to the running daemon, its lines to a function. */
#ifndef CMD_QUEUE_ASK_H
#define CMD_QUEUE_ASK_H

#include "cmd/command.h"
#include "cmd/control_client.h"

/* Asks the daemon that serves the configuration of this call. The exit code: EXIT_YES, or what went wrong, said already. */
int queue_ask(struct command_call *v, const struct control_request *r, control_client_line_fn *line,
              void *context);

/* On a terminal: "1,234 looked at" on standard error, overwritten by the next and by queue_ask_progress_end. */
void queue_ask_progress(unsigned long long looked_at, unsigned long long found);
void queue_ask_progress_end(void);

#endif
