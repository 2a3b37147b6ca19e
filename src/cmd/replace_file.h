/* replace_file: a text file replaced as a whole: whoever reads it finds the old text or the new one, also after a crash; never over what
 * somebody else wrote meanwhile. */
#ifndef CMD_REPLACE_FILE_H
#define CMD_REPLACE_FILE_H

#include "base/span.h"

/* The file at path (a symbolic link stays, what it leads to is replaced) holds old until now. The new one has its owner, mode and
 * access list. Null: it holds text, on disk; else why nothing was changed (until the next call). */
MUST_USE const char *replace_file(const char *path, struct span old, struct span text);

#endif
