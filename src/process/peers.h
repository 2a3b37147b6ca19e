/* peers: who may talk to whom. The whole trust map of the program; docs/trust.md explains it. */
#ifndef PROCESS_PEERS_H
#define PROCESS_PEERS_H

#include "process/role.h"

struct peers_row {
    enum role a, b;
    const char *about; /* what they talk about, for docs and status */
};
extern const struct peers_row peers_table[];
extern const unsigned peers_table_n;

bool peers_may_talk(enum role a, enum role b);

#endif
