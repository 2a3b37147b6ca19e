/* right: the names of what a principal may do (enum right), for the configuration, the tool and its lists. */
#ifndef POLICY_RIGHT_H
#define POLICY_RIGHT_H

#include "base/buf.h"
#include "policy/decide.h"

/* In the order of their bits, one blank between them. */
#define RIGHT_NAMES "submit relay any-sender bypass-size org-props org-status xclient xforward"

/* What was granted by one way. */
struct right_grant {
    uint32_t rights;   /* enum right */
    struct span group; /* to that one, of which it is a member; empty: to itself */
};

/* The bit of a name, as it is written; 0: there is none. */
uint32_t right_find(struct span name);
/* The names of a set, with that octet between them. */
void right_put_names(struct buf *b, uint32_t set, uint8_t between);

#endif
