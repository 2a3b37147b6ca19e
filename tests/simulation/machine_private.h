/* The insides of the machine: machine.c has descriptors, sockets, time; machine_channel.c what processes say to each other. */
#ifndef MACHINE_PRIVATE_H
#define MACHINE_PRIVATE_H

#include "machine.h"

#define MACHINE_DESCRIPTORS 512
#define MACHINE_FIRST       1000000 /* no descriptor of the system has such a number */

enum { DESCRIPTOR_FREE, DESCRIPTOR_SOCKET, DESCRIPTOR_SEGMENT, DESCRIPTOR_CHANNEL };

struct channel;
struct descriptor {
    uint8_t kind;
    struct socket *socket;
    int file;
    struct channel *channel;
    unsigned end;
    struct loop *loop;
    struct watch *watch;
    uint32_t pending;
};
extern struct descriptor machine_table[MACHINE_DESCRIPTORS];

struct loop {
    uint64_t now_ms, unix_ms;
    struct timer *timers;
    bool again;
};

int machine_descriptor(uint8_t kind, struct descriptor **ret);
/* Null: it is one of the system's. */
struct descriptor *machine_of(int fd);
/* Another descriptor for an open file of the simulated disk. */
int machine_segment(int file);
void machine_close(int fd);

void machine_channels_serve(struct loop *l);

#endif
