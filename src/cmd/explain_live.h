/* explain_live: what the running service says of a next hop: DNS and what follows from it (the connector), its state (the spooler). */
#ifndef CMD_EXPLAIN_LIVE_H
#define CMD_EXPLAIN_LIVE_H

#include "base/buf.h"
#include "policy/next_hop.h"

struct explain_live { /* all zero but for the first two at the start */
    const char *socket;
    bool json;
    unsigned asked;
    int64_t begun;    /* seconds, when the first one was asked */
    char silent[160]; /* why it is asked no more; empty: nothing of the kind */
};

/* Appends lines for people, or the members "live" and "state" of an object. False: by DNS, mail for it is returned. */
bool explain_live(struct explain_live *l, struct buf *b, const struct next_hop *hop);
/* Appends whether the service answered, or the member "service". */
void explain_live_end(const struct explain_live *l, struct buf *b);

/* "name         text": names stand in a column. */
void explain_put_line(struct buf *b, const char *name, const char *text);

#endif
