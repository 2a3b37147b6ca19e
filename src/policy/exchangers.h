/* exchangers: the mail exchangers of a domain, in the order in which they are tried (RFC 5321 5.1). */
#ifndef POLICY_EXCHANGERS_H
#define POLICY_EXCHANGERS_H

#include "base/span.h"

struct exchanger {
    struct span name; /* lower case */
    uint16_t preference;
};

/* By preference; equal ones at random, as the seed wants (RFC 5321 5.1: the load is spread). */
void exchangers_order(struct exchanger *e, uint32_t n, uint64_t seed);
/* Ordered ones; ours: our own names. What is left when we ourselves, and all that are not better than we are, are left out. */
uint32_t exchangers_better(const struct exchanger *e, uint32_t n, const struct span *ours, uint32_t n_ours);

#endif
