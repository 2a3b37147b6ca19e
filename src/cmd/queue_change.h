/* queue_change: `sallyport queue flush|hold|release|remove|bounce|requeue`. */
#ifndef CMD_QUEUE_CHANGE_H
#define CMD_QUEUE_CHANGE_H

#include "cmd/command.h"
#include "service/control.h"

/* request: verb and filter; ids: words that name messages, or none. yes: nobody is asked. Returns the exit code. */
int queue_change(struct command_call *v, struct control_request *request, char *const *ids, int n_ids,
                 bool yes);

#endif
