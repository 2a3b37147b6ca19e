/* notify: what systemd and a service say to each other: sd_notify(3) datagrams and sockets passed by sd_listen_fds(3), by
 * hand. Without systemd everything here does nothing. */
#ifndef SYSTEM_NOTIFY_H
#define SYSTEM_NOTIFY_H

#include "base/span.h"

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC (when WATCHDOG_PID is us or absent) and takes them out of the environment, so that no
 * child inherits them. False: NOTIFY_SOCKET is set and cannot be used; errno. */
bool notify_open(void);
/* One datagram: lines like "READY=1\nSTATUS=serving". Lost ones are not repeated. Nothing when there is no socket. */
void notify_send(struct span text);
/* 0: the watchdog is off. */
uint64_t notify_watchdog_ms(void);

struct notify_socket {
    int fd;           /* the caller's, close-on-exec */
    const char *name; /* of LISTEN_FDNAMES; "" when there is none. Valid for the process' life */
};
/* The sockets that were passed to this process, at most max (more are closed); the environment is cleared of them. */
size_t notify_sockets(struct notify_socket *ret, size_t max);

#endif
