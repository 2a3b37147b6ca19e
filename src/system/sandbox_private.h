/* sandbox: inside. sandbox.c: the order of things, user and limits; sandbox_calls.c: the allow-lists of seccomp;
 * sandbox_landlock.c: folders. */
#ifndef SYSTEM_SANDBOX_PRIVATE_H
#define SYSTEM_SANDBOX_PRIVATE_H

#include "system/sandbox.h"

/* Loads the filter for this process and all its threads. False: *error. */
bool sandbox_calls(const struct sandbox *s, const char **error);

enum landlock_result { LANDLOCK_CLOSED, LANDLOCK_PARTLY, LANDLOCK_ABSENT, LANDLOCK_FAILED };
/* PARTLY: an older kernel that lacks network or scope rules. */
enum landlock_result sandbox_landlock(const struct sandbox *s, const char **error);

#endif
