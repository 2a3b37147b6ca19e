#include "system/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static enum stream_moved of_tls(enum tls_result r)
{
    switch (r) {
    case TLS_DONE: return STREAM_SOME;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE: return STREAM_BLOCKED;
    case TLS_AGAIN: return STREAM_LATER;
    case TLS_EOF_CLEAN: return STREAM_END;
    default: return STREAM_BROKEN;
    }
}

static enum stream_moved of_errno(void)
{
    return errno == EAGAIN || errno == EINTR ? STREAM_BLOCKED : STREAM_BROKEN;
}

enum stream_moved stream_read(int fd, struct tls *tls, uint8_t *to, size_t max, size_t *n, bool *wants_write)
{
    if (tls) {
        enum tls_result r = tls_read(tls, to, max, n);
        if (r == TLS_WANT_WRITE) *wants_write = true;
        return of_tls(r);
    }
    ssize_t r = read(fd, to, max);
    if (r < 0) return of_errno();
    *n = (size_t)r;
    return r > 0 ? STREAM_SOME : STREAM_END;
}

enum stream_moved stream_write(int fd, struct tls *tls, struct span octets, bool more, size_t *n)
{
    if (tls) return of_tls(tls_write(tls, octets, n));
    ssize_t r = send(fd, octets.p, octets.n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (r < 0) return of_errno();
    *n = (size_t)r;
    return STREAM_SOME;
}
