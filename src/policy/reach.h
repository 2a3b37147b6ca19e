/* reach: which addresses mail may be sent to. Names come from strangers' DNS, and what stands behind a name may be a service of this host
 * or of the network behind it that trusts whoever reaches it. */
#ifndef POLICY_REACH_H
#define POLICY_REACH_H

#include "policy/network.h"

enum reach_scope {
    REACH_WORLD, /* whoever chose the name: addresses of the Internet only (and documentation networks: they lead nowhere) */
    REACH_SITE, /* the administrator named this host in a route: private networks too */
};

/* Null: it may be connected to. Else what it is: "loopback", "private network" ... (constant). Forms that carry an IPv4 address inside
 * (mapped, 6to4, NAT64, Teredo) are judged by that. */
const char *reach_refused(const struct address *a, enum reach_scope scope);

#endif
