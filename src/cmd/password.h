/* password: read from a person or a script, kept as a verifier only. */
#ifndef CMD_PASSWORD_H
#define CMD_PASSWORD_H

#include <stdbool.h>

#include "base/limits.h"

#define PASSWORD_VERIFIER_OCTETS 384 /* CRYPT_OUTPUT_SIZE */

/* One line of standard input into text, NUL-terminated; a terminal is asked with its echo off. False: *why says what is wrong.
 * The caller wipes text. */
bool password_read(char text[LIMIT_PASSWORD_OCTETS + 1], const char **why);
/* yescrypt, as crypt(5) writes it, with a fresh salt. */
bool password_verifier(const char *text, char verifier[PASSWORD_VERIFIER_OCTETS], const char **why);

#endif
