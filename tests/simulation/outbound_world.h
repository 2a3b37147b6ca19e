/* outbound_world: the outbound half under one seed. The spooler and the relay are the real ones, with their spool on a simulated disk and
 * all else the machine's (machine.h): sockets to simulated next hops (hop.h), channels, clocks. What becomes of every message stands
 * in a book (post.h). Not of it: how edges hand messages over (the world commits them itself), the connector, names, TLS, passwords. */
#ifndef OUTBOUND_WORLD_H
#define OUTBOUND_WORLD_H

#include "hop.h"

/* Defects on purpose, to see that the checks see them. */
enum outbound_sabotage {
    OUTBOUND_NONE,
    OUTBOUND_UNSURE, /* a transaction whose end nobody knows is called delivered */
    OUTBOUND_LOST,   /* what was not tried is not put back */
    OUTBOUND_DOTS,   /* dots are not doubled */
    OUTBOUND_SHORT,  /* content that is cut off has a regular end */
    OUTBOUND_SCOPE,  /* a message that was refused is called delivered */
    OUTBOUND_FORGET, /* states are called durable and are not */
    OUTBOUND_SABOTAGE_COUNT
};

struct outbound_options {
    uint64_t seed;
    bool faults; /* failing, full and read-only disks */
    bool talk;
    enum outbound_sabotage sabotage;
};

struct outbound_result {
    char error[400]; /* empty: all is well */
    uint64_t hash;
    struct post_numbers numbers;
};

void outbound_world_run(const struct outbound_options *o, struct outbound_result *result);

#endif
