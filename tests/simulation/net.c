#include "net.h"

#include <stdlib.h>

void pipe_write(struct pipe *p, struct span octets)
{
    if (p->reset || p->ended || p->deaf || octets.n == 0) return;
    if (octets.n > p->max - p->sent) {
        p->max = (size_t)(p->sent + octets.n) * 2;
        p->p = realloc(p->p, p->max);
        if (!p->p) abort();
    }
    memcpy(p->p + p->sent, octets.p, octets.n);
    p->sent += octets.n;
}

bool pipe_move(struct pipe *p, struct sim_disk *dice)
{
    uint64_t way = p->sent - p->arrived;
    if (p->reset || way == 0) return false;
    switch (roll(dice, 4)) {
    case 0: way = 1; break;
    case 1: way = 1 + roll(dice, way < 80 ? way : 80); break;
    case 2: way = 1 + roll(dice, way); break;
    default: break;
    }
    p->arrived += way;
    return true;
}

static void pipe_reset(struct pipe *p, struct sim_disk *dice)
{
    if (p->reset) return;
    p->arrived += roll(dice, p->sent - p->arrived + 1);
    if (roll(dice, 2)) p->arrived = p->read; /* what the system had received goes as well */
    p->reset = true;
}

void link_reset(struct link *l, struct sim_disk *dice)
{
    pipe_reset(&l->up, dice);
    pipe_reset(&l->down, dice);
}

void link_free(struct link *l)
{
    free(l->up.p);
    free(l->down.p);
    *l = (struct link){.session = 0};
}
