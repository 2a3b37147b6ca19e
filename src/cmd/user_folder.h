/* user_folder: the folder of the identity database (`users` of a configuration). */
#ifndef CMD_USER_FOLDER_H
#define CMD_USER_FOLDER_H

#include <stdbool.h>

/* Opens it, O_PATH; make: one that is not there is made, mode 0700, and root gives it to the directory process. -1: complained. */
int user_folder_open(const char *path, bool make);

#endif
