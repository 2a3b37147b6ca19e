/* init_folder: a folder for a new server, made from nothing. Every file is created anew, never opened: nothing is overwritten. */
#ifndef CMD_INIT_FOLDER_H
#define CMD_INIT_FOLDER_H

#include <stdbool.h>

#include "base/span.h"

/* Whose a thing is when root makes it; otherwise everything is the caller's. */
enum init_owner {
    INIT_PUBLIC,    /* root's, and everyone may read it */
    INIT_SECRET,    /* root alone */
    INIT_SPOOLER,   /* that process and root's group */
    INIT_MAILBOX,   /* likewise */
    INIT_DIRECTORY, /* root's, and that process may read it */
    INIT_USERS,     /* that process's alone */
};

struct init_folder {
    const char *path;
    int fd;
    bool root;
};

/* Makes the folder and those above it, unless they are there; fd is the caller's to close. False: errno text in *why. */
bool init_folder_open(struct init_folder *f, const char *path, const char **why);
/* Is there something of that name already? */
bool init_folder_has(const struct init_folder *f, const char *name);
/* Both say on standard error what failed. name may have several parts, all but the last exist. */
bool init_folder_make(const struct init_folder *f, const char *name, enum init_owner owner);
bool init_folder_write(const struct init_folder *f, const char *name, struct span content,
                       enum init_owner owner);
/* Makes all of it durable. */
bool init_folder_sync(const struct init_folder *f);

#endif
