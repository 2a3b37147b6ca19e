/* rights: what somebody may do on a server, and why: from the identity database and from the `right` lines. One function: logins and
 * `explain` ask it, so that there is no second truth (decision 0010, invariants I1 and I2). Proof is none of its arguments: it is asked of
 * somebody who is known already, and says nothing of anybody else. */
#ifndef CONFIG_RIGHTS_H
#define CONFIG_RIGHTS_H

#include "config/config.h"
#include "policy/right.h"

struct rights_subject { /* who it is */
    struct span name;   /* canonical */
    const struct span *groups;
    uint32_t n_groups;
    const struct right_grant *grants; /* what the identity database says */
    uint32_t n_grants;
};

struct rights_origin { /* one reason for having some */
    uint32_t rights;
    const struct config_grant *line; /* a `right` line; null: the database */
    struct span group;               /* it has them as a member of that one; empty: for itself */
};
typedef void rights_origin_fn(void *context, const struct rights_origin *origin);

/* The set of enum right: what the server has no place for (LEGACY_RIGHTS) is not in it. fn (may be null) hears every reason, also of what was had already: the database first, then lines as they stand. */
uint32_t rights_of(const struct config_server *s, const struct rights_subject *who, rights_origin_fn *fn,
                   void *context);
/* Is that enough for 235? Whoever may not submit, nor anything of the organisation, has no business here. */
bool rights_open_door(uint32_t rights);

#endif
