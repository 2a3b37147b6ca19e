/* folder: SQLite below a descriptor. SQLite knows files by absolute names, which a caged process cannot use; here the name is
 * "/DESCRIPTOR/identity.db" (IDENTITY_FILE), and its open, stat, access and unlink look below that descriptor. Everything else named
 * is refused, so that no statement and no damaged file leads SQLite to another file of the machine. */
#ifndef IDENTITY_FOLDER_H
#define IDENTITY_FOLDER_H

#include "identity/identity.h"

enum { FOLDER_NAME_OCTETS = 32 };

/* Once for the process, before the first database is opened; any thread, any number of times. False: SQLite refuses. */
bool folder_install(void);
/* The name that SQLite is given. */
void folder_name(int folder, char ret[FOLDER_NAME_OCTETS]);
/* False: what has that name is a link, a folder, a device. True also when there is nothing. */
bool folder_has_regular(int folder);
/* Makes an empty file of mode 0600 when there is none; root gives it to the owner of the folder. False: errno. */
bool folder_make_file(int folder);

#endif
