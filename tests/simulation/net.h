/* net: one connection of a simulated network. Octets travel in order and once, arrive when the caller says so and cut where it
 * likes; either direction may fall silent, both may be reset at any octet. */
#ifndef NET_H
#define NET_H

#include "base/span.h"
#include "sim_disk.h"

struct pipe { /* one direction; all that was ever sent is kept, the counters say how far it came */
    uint8_t *p;
    size_t max;
    uint64_t sent, arrived, read;
    bool ended; /* the writer has closed: the reader sees it behind the last octet */
    bool deaf;  /* what is sent from now on never arrives, and nobody is told */
    bool reset; /* what did not arrive is lost, and the reader is told behind the last octet that did */
};

struct link {
    uint32_t session;     /* its number */
    struct pipe up, down; /* from the client, from the server */
};

static inline uint64_t roll(struct sim_disk *dice, uint64_t sides)
{
    return sim_random(dice) % sides;
}

void pipe_write(struct pipe *p, struct span octets);
static inline struct span pipe_inbox(const struct pipe *p)
{
    return p->p ? span_of(p->p + p->read, (size_t)(p->arrived - p->read)) : (struct span){0};
}
/* The reader has had everything there will ever be. */
static inline bool pipe_over(const struct pipe *p)
{
    return p->read == p->arrived && (p->reset || (p->ended && p->arrived == p->sent && !p->deaf));
}
/* Some of what is under way arrives; true when there was any. */
bool pipe_move(struct pipe *p, struct sim_disk *dice);
void link_reset(struct link *l, struct sim_disk *dice);
void link_free(struct link *l);

#endif
