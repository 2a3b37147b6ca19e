/* admission: which clients a server lets in at all, by their own address: "only the list below", "all except", and exceptions inside. */
#ifndef POLICY_ADMISSION_H
#define POLICY_ADMISSION_H

#include "policy/network.h"

struct admission_rule {
    struct network network;
    bool allow;
};

struct admission {
    struct admission_rule *rules; /* in any order; no network twice with another word */
    uint32_t n;
    bool others; /* clients that no rule holds are let in: admission_finish */
};

/* Decides about the others: they stay outside when an allowed network stands for itself ("only the list below"), and come in when
 * there are none but exceptions from denied ones ("all except"). False: a network is both allowed and denied, *both. */
MUST_USE bool admission_finish(struct admission *a, struct network *both);
/* The rule of the most specific network that holds the client decides: it, or null, goes to *rule. */
bool admission_permits(const struct admission *a, const struct address *client,
                       const struct admission_rule **rule);

#endif
