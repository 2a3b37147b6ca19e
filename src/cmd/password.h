/* password: read from a person or a script. */
#ifndef CMD_PASSWORD_H
#define CMD_PASSWORD_H

#include <stdbool.h>

#include "base/limits.h"

/* One line of standard input into text, NUL-terminated; a terminal is asked twice with its echo off, and left as it was whatever ends this process but
 * SIGKILL. False: *why says what is wrong. The caller wipes text. */
bool password_read(char text[LIMIT_PASSWORD_OCTETS + 1], const char **why);

#endif
