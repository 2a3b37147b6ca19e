/* write_all: a whole span into a file. */
#ifndef CMD_WRITE_ALL_H
#define CMD_WRITE_ALL_H

#include "base/span.h"

/* False: errno; part of it may be written. */
MUST_USE bool write_all(int fd, struct span s);

#endif
