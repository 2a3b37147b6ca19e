/* machine: what the outbound world puts under the real processes in place of the kernel: descriptors, sockets, readiness, timers, channels.
 * It defines the functions of system/loop.h and system/ipc.h itself and wraps read, send, pread and close (meson.build); time is what
 * the world says it is, and what arrives when is the world's to say. One at a time. */
#ifndef MACHINE_H
#define MACHINE_H

#include "net.h"
#include "system/ipc.h"
#include "system/loop.h"

struct socket {        /* the client's end of a link */
    struct link *link; /* the owner keeps it while `open` */
    size_t window;     /* octets that may be under way */
    uint64_t read_ms;  /* when octets were taken last */
    bool open, blocked;
    int fd;
};

struct machine {
    struct sim_disk *disk;
    uint64_t mono_ms, unix_ms;
    uint64_t moved; /* grows with everything that happens */
    const char *wrong;
    /* Sees each message as it is sent, and may change it; null: nobody does. */
    void (*tamper)(uint16_t type, uint8_t *payload, size_t n);
};
extern struct machine machine;

void machine_begin(struct sim_disk *disk);
void machine_end(void);

/* A descriptor for it, which whoever gets it closes. */
int machine_socket(struct socket *s);
/* Something happened to the link: whoever watches the socket is to look. */
void machine_wake(struct socket *s, uint32_t events);
/* Both ends of a channel, for ipc_open. */
void machine_channel(int ends[2]);

/* One turn of that loop: what is ready, messages, timers, then after(context). */
void machine_turn(struct loop *l, void (*after)(void *), void *context);
/* A message waits there, or the end of a channel. */
bool machine_busy(const struct loop *l);
/* Something is not as it must be; the first one counts. */
void machine_wrong(const char *constant_text);

#endif
