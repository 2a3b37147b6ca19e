/* spool_use: a spool that may hold anything is opened, asked, delivered from and written; twice. */
#ifndef FUZZ_SPOOL_USE_H
#define FUZZ_SPOOL_USE_H

#include <stdbool.h>

#include "system/disk.h"

void spool_use(const struct disk *d, uint32_t segment_octets, bool checkpoint);

#endif
