/* session_world: simulated clients speak SMTP over a simulated network to engines, whose messages go to a spool on a simulated
 * disk, from where a simulated delivery takes them, under two simulated clocks. Everything follows from one seed. */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H

#include "scene.h"

struct session_world_options {
    uint64_t seed;
    bool faults; /* failing, full and read-only disks, also while the spool is recovered */
    bool talk;
    enum sabotage sabotage;
};

struct session_world_result {
    char error[400]; /* empty: all is well */
    uint64_t hash;   /* of everything that happened */
    struct scene_numbers numbers;
};

/* A whole run: rounds that end in a crash, then everything is delivered. */
void session_world_run(const struct session_world_options *o, struct session_world_result *result);

#endif
