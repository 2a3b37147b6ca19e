/* queue_summary: `sallyport queue summary`: what waits, by destination and by reason. */
#ifndef CMD_QUEUE_SUMMARY_H
#define CMD_QUEUE_SUMMARY_H

#include "cmd/command.h"
#include "service/control.h"

/* by: "destination", "reason", or null: both. Returns the exit code. */
int queue_summary(struct command_call *v, const struct question_filter *filter, const char *by);

#endif
