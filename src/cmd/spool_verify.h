/* spool_verify: looks at a spool folder without a daemon, and changes nothing in it. */
#ifndef CMD_SPOOL_VERIFY_H
#define CMD_SPOOL_VERIFY_H

#include "cmd/control_client.h"

/* Gives the same JSON lines as the daemon's answer to `queue verify` (spool/question.h). False: the folder cannot be read as a spool; why
 * is said on standard error. No daemon may run on it: what it writes meanwhile looks like damage. */
bool spool_verify(const char *folder, control_client_line_fn *line, void *context);

#endif
