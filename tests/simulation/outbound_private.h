/* The insides of the outbound world: outbound_world.c is what happens, outbound_cast.c and outbound_relay.c who takes part
 * (the processes, their births and deaths), outbound_seam.c where the real code is looked at and, on purpose, broken. */
#ifndef OUTBOUND_PRIVATE_H
#define OUTBOUND_PRIVATE_H

#include "outbound_world.h"

#include "process/skeleton.h"

enum { OUTBOUND_QUESTIONS = 256, OUTBOUND_CONFIGS = 3 };

struct outbound_world {
    struct outbound_options o;
    struct scene scene;
    struct post post;
    struct hops hops;
    struct sim_disk *disk;
    struct child spooler;
    struct loop *connector_loop;
    struct ipc *connector;
    struct {
        bool used;
        uint64_t tag, due_ms;
        unsigned hop, tried;
    } questions[OUTBOUND_QUESTIONS];
    uint64_t last_id;
    unsigned config;
};
extern struct outbound_world *outbound_current; /* null: none, and the seams are shut */

/* outbound_cast.c */
void cast_begin(struct outbound_world *w);
void cast_end(struct outbound_world *w);
/* The spooler's process; opens its spool, however often the power goes meanwhile. */
void cast_spooler_start(struct outbound_world *w);
enum cast_death { CAST_STOPS /* in order */, CAST_DIES, CAST_POWER /* with everything else */ };
void cast_spooler_end(struct outbound_world *w, enum cast_death how);
void cast_relay_dies(struct outbound_world *w);
void cast_connector_dies(struct outbound_world *w);
void cast_configure(struct outbound_world *w, unsigned config);
void cast_spooler_turn(struct outbound_world *w);
void cast_connector_turn(struct outbound_world *w);

/* outbound_relay.c */
void cast_relay_begin(const struct config *config);
void cast_relay_peer(enum role role, int fd); /* a conversation begins */
void cast_relay_turn(void);
bool cast_relay_busy(void); /* it has jobs */
void cast_relay_rest(void); /* it reads all that was said to it */

/* outbound_seam.c */
void seam_begin(struct outbound_world *w);
void seam_end(void);

#endif
