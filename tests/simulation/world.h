/* world: a spool on a simulated disk under a simulated clock, what is done to it, and a model of what must be true. Everything
 * follows from one seed. */
#ifndef WORLD_H
#define WORLD_H

#include "sim_disk.h"
#include "spool/store.h"

struct world_options {
    uint64_t seed;
    bool faults;       /* failing writes and syncs, full and read-only disks */
    bool small;        /* a disk with room for one log segment: it is often full, and emptied again */
    bool keep_running; /* no crash, no reopening by itself (the caller does it) */
    bool talk;         /* print what happens */
};

struct world;
struct world *world_create(const struct world_options *o);
void world_destroy(struct world **w);
struct sim_disk *world_disk(struct world *w);
bool world_open(struct world *w);  /* false: the power went off while it was opened */
bool world_stop(struct world *w);  /* in order: a mark of a clean stop, if true; the store is not open */
void world_crash(struct world *w); /* power cut and back; the store is not open */
void world_act(struct world *w);   /* one random action */
void world_flush(struct world *w);
void world_mend(struct world *w); /* the disk is no longer full or read-only (a small one as large as ever) */
/* Compares everything with the model; prints and returns false at the first difference. */
bool world_check(struct world *w);
const char *world_error(const struct world *w); /* null: all is well */
struct store *world_store(struct world *w);
/* Numbers, to see that the run was not empty. */
struct world_numbers {
    uint64_t committed, answered_failed, finished, recovered, crashes, expanded, stopped;
    uint64_t recycled;        /* small: times that there was space again */
    uint64_t from_checkpoint; /* starts */
};
struct world_numbers world_numbers(const struct world *w);

#endif
