#include "system/file_octets.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

ssize_t file_octets(int fd, void *to, size_t max)
{
    size_t n = 0;
    while (n < max) {
        ssize_t got = pread(fd, (uint8_t *)to + n, max - n, (off_t)n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}
