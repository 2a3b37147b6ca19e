/* path_word: an address as an operator writes it on the command line. */
#ifndef CMD_PATH_WORD_H
#define CMD_PATH_WORD_H

#include "smtp/path.h"

#define PATH_WORD_OCTETS 1024

/* "a@b" or "<a@b>"; flags of path_parse. The path points into memory. False: it is no address. */
bool path_word(const char *text, unsigned flags, char memory[PATH_WORD_OCTETS], struct path *ret);

#endif
