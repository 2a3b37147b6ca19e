/* admission: which clients a server lets in at all: "only the list below", "all except", and exceptions inside. By their own address; and
 * by their name, where no network holds the address: a name is the weaker of the two. */
#ifndef POLICY_ADMISSION_H
#define POLICY_ADMISSION_H

#include "policy/network.h"

struct admission_rule {
    struct network network;
    bool allow;
};

struct admission_name {
    struct span name; /* A-labels, lower case */
    bool below;       /* all names below it, and not itself */
    bool allow;
};

struct admission {
    struct admission_rule *rules; /* in any order; no network twice with another word */
    uint32_t n;
    struct admission_name *names; /* likewise */
    uint32_t n_names;
    bool others; /* clients that no rule holds are let in: admission_finish */
};

struct admission_clash { /* what is both allowed and denied: one of them */
    const struct admission_rule *network;
    const struct admission_name *name;
};

/* "mail.example.org", "*.example.org" */
void admission_name_put(struct buf *b, const struct admission_name *r);
/* Decides about the others: they stay outside when an allowed network or name stands for itself ("only the list below"), and come in when
 * there are none but exceptions from denied ones, or when a denied name stands for itself ("all except"). False: a clash. */
MUST_USE bool admission_finish(struct admission *a, struct admission_clash *clash);
/* The rule of the most specific network that holds the client decides: it, or null, goes to *rule. */
bool admission_permits(const struct admission *a, const struct address *client,
                       const struct admission_rule **rule);
/* Is the client's name to be asked for, after that? */
bool admission_asks(const struct admission *a, const struct admission_rule *rule);
/* Then the longest of the rules that hold one of its names decides, a denial where two are as long. No name: it is one of the others. */
bool admission_permits_names(const struct admission *a, const struct span *names, unsigned n,
                             const struct admission_name **rule);

#endif
