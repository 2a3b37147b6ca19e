/* report: what the recorded log says, summed up. */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "cmd/command.h"
#include "cmd/log_lines.h"

command_fn command_report;

/* report legacy: devices of servers for old devices. Returns the exit code. */
int report_legacy(const struct command_call *v, struct log_lines *lines);

#endif
