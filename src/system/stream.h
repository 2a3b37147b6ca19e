/* stream: octets to and from a peer, in clear or under TLS: one call, one answer for both. */
#ifndef SYSTEM_STREAM_H
#define SYSTEM_STREAM_H

#include "system/tls.h"

enum stream_moved {
    STREAM_SOME,    /* *n octets, at least 1 */
    STREAM_BLOCKED, /* the socket will say when to go on */
    STREAM_LATER,   /* its share of this turn is used up: call again in the next, no event will announce it */
    STREAM_END,     /* FIN, under TLS close_notify: the peer has said all */
    STREAM_BROKEN,  /* I9: reset, truncated stream, alert, garbage: nothing further is parsed */
};

/* tls: null in clear. *wants_write is set when TLS has to write before it can read on. */
enum stream_moved stream_read(int fd, struct tls *tls, uint8_t *to, size_t max, size_t *n, bool *wants_write);
/* more: in clear, what follows at once leaves in the same packet (MSG_MORE). Empty octets: STREAM_SOME, 0. */
enum stream_moved stream_write(int fd, struct tls *tls, struct span octets, bool more, size_t *n);

#endif
