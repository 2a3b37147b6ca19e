/* complain: what goes wrong, on standard error: "sallyport COMMAND: TEXT", or with --json {"error":TEXT,"command":COMMAND,
 * "exit":N}, one object a line. Control characters are escaped; a backslash passes, for text that was escaped already. */
#ifndef CMD_COMPLAIN_H
#define CMD_COMPLAIN_H

#include <stdbool.h>

/* Said once, before anything else: whose complaints these are (null: of no command yet), and in which form. */
void complain_as(const char *command, bool json);
/* Returns exit_code, the exit status that follows. 0: it goes on all the same, and the object's first key is "warning". */
int complain(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3), nonnull(2)));

#endif
