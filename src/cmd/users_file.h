/* users_file: edits the users file (sallyport-users(5)) in one step: whoever reads it sees all of the old one or all of the new
 * one. Comments and lines that are not touched stay as they are. Only one process edits at a time. */
#ifndef CMD_USERS_FILE_H
#define CMD_USERS_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/limits.h"

#define USERS_FILE_NO_PASSWORD "!" /* no hash of crypt(5): no password fits */

struct users_file {
    char *real; /* its path, symbolic links resolved */
    int lock;   /* the file that was read, locked; -1: there was none */
    uint8_t *p; /* the text; wiped at the end, it holds verifiers */
    size_t n, room;
};

/* Reads and locks. A file that does not exist is an empty one. False: complained. */
bool users_file_open(struct users_file *f, const char *path);
/* One line of a mailbox after the other, in the order of the file: *at begins at 0. False: no more. Whether a name is well-formed
 * is for directory/users to say. */
bool users_file_next(const struct users_file *f, size_t *at, struct span *mailbox, struct span *verifier);
/* key: local@domain in lower case. */
bool users_file_has(const struct users_file *f, struct span key);
bool users_file_add(struct users_file *f, struct span key,
                    struct span verifier); /* at the end; false: no room */
bool users_file_set(struct users_file *f, struct span key,
                    struct span verifier);                     /* in every line of it; options stay */
void users_file_remove(struct users_file *f, struct span key); /* every line of it */
/* The new text takes the old one's place, with its owner and mode; a file that there was not belongs to root and may be read by the
 * directory process, or is the caller's. It is on disk then. False: complained, and the old file is as it was. */
bool users_file_save(struct users_file *f);
void users_file_close(struct users_file *f);

#endif
