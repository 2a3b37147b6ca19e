/* directory_bans: tells every edge who is turned away at the door (policy/barred): the whole list when its channel is new, and again when
 * it changed, at most once in LIMIT_BARRED_SECONDS. What does not fit into a channel now goes when it can. */
#ifndef PROCESS_DIRECTORY_BANS_H
#define PROCESS_DIRECTORY_BANS_H

#include "policy/guess.h"
#include "process/skeleton.h"
#include "system/ipc.h"

struct bans;

struct bans_reader { /* what an edge knows; zeroed: nothing */
    uint64_t list;   /* which list it is being told */
    uint32_t sent;   /* entries of it */
};

struct bans *bans_create(struct child *c, const struct guess *g); /* null: no memory */
void bans_free(struct bans **b);                                  /* accepts null */
/* Once a loop turn, before the edges are told. */
void bans_look(struct bans *b);
/* False: the channel cannot be used any more. */
MUST_USE bool bans_tell(const struct bans *b, struct bans_reader *r, struct ipc *edge);

#endif
