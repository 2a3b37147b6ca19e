/* alive: which aliases reach anybody, in which domain: a mailbox, an address elsewhere, postmaster or abuse, or a line that is
 * broken (its mail waits until that is mended). The others lead in a circle or to names that nobody has: their mail must be refused
 * before it is accepted (invariant I8). It is what expansion_of finds out of each, for all aliases together. */
#ifndef DIRECTORY_ALIVE_H
#define DIRECTORY_ALIVE_H

#include "directory/world.h"

struct alive {
    const struct world *world;
    const struct span *domains; /* all that are served, by span_compare, without doubles */
    uint32_t n_domains;
    uint32_t *first; /* by the number of an alias: where its marks begin */
    uint8_t *marks; /* of each alias, for each domain in which it counts: steps to somebody, or ALIVE_NEVER */
    uint64_t looks;
    bool incomplete; /* LIMIT_ALIAS_LOOKS: what is not known to be dead counts as alive */
};

#define ALIVE_NEVER 255u /* more than LIMIT_ALIAS_DEPTH */

/* w and domains stay referenced. Each target is looked at LIMIT_ALIAS_DEPTH times at most in each domain, and all together
 * LIMIT_ALIAS_LOOKS times. False: no memory. */
MUST_USE bool alive_find(struct arena *a, const struct world *w, const struct span *domains,
                         uint32_t n_domains, struct alive *ret);
/* The range of domains (of alive.domains) in which an alias counts: all, the one it names, or, if that is not served, none. */
void alive_range(const struct alive *v, const struct alias_entry *e, uint32_t *begin, uint32_t *end);
/* Mail for the alias in that domain of its range reaches somebody. */
bool alive_in(const struct alive *v, const struct alias_entry *e, uint32_t domain);
/* Where the mail of a dead alias goes round or ends: "a -> b -> a", "a -> gone"; "..." where it is too deep, or where more than
 * LIMIT_ALIAS_LOOKS would be looked at in all. Not escaped; cut where the buffer ends. */
void alive_path(struct alive *v, const struct alias_entry *e, uint32_t domain, struct buf *out);

#endif
