/* mailboxes: the names of all mailboxes, read from the identity database once, for the recipient map. */
#ifndef SERVICE_MAILBOXES_H
#define SERVICE_MAILBOXES_H

#include "directory/users.h"

enum mailboxes {
    MAILBOXES_READ,
    MAILBOXES_ABSENT,    /* there is no folder, or no database in it: nobody has one */
    MAILBOXES_FILE,      /* a file has the folder's name: the users of an earlier version */
    MAILBOXES_UNREADABLE /* *why, in the arena */
};

/* folder: a descriptor (O_PATH will do), or -1: there is none. */
enum mailboxes mailboxes_read(int folder, struct arena *a, struct users *ret, const char **why);
/* The same of a folder by its name. */
enum mailboxes mailboxes_open(const char *path, struct arena *a, struct users *ret, const char **why);

#endif
