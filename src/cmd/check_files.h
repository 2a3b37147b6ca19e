/* check_files: do the files and folders that a configuration names exist, and are they what they should be? */
#ifndef CMD_CHECK_FILES_H
#define CMD_CHECK_FILES_H

#include "cmd/problems.h"

void check_files(const struct config *c, struct problems_list *problems);

#endif
