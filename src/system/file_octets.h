/* file_octets: the content of a granted file. Its position is shared with whoever opened it, and therefore neither used nor moved. */
#ifndef SYSTEM_FILE_OCTETS_H
#define SYSTEM_FILE_OCTETS_H

#include <stddef.h>
#include <sys/types.h>

/* From the beginning, at most max octets. Returns how many; -1: errno. */
ssize_t file_octets(int fd, void *to, size_t max);

#endif
