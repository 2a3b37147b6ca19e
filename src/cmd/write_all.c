#include "cmd/write_all.h"

#include <errno.h>
#include <unistd.h>

bool write_all(int fd, struct span s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        s = span_skip(s, (size_t)n);
    }
    return true;
}
