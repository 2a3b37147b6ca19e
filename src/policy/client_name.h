/* client_name: the name of a client by reverse DNS: each name that its address points to (PTR) counts only when that name has the address
 * ("forward-confirmed", RFC 8499 6): else anybody could give his address any name. The state of one search; the caller asks the resolver.
 * Weaker than an address all the same: it says what the owner of the network and of the domain agree upon, and only when DNS answers. */
#ifndef POLICY_CLIENT_NAME_H
#define POLICY_CLIENT_NAME_H

#include "base/limits.h"
#include "policy/network.h"

struct client_name {
    struct address client;
    uint8_t n, open,
        confirmed; /* names; of them, sets by number: still asked for, and those that point back */
    bool pointed;  /* the names are known */
    uint8_t octets[LIMIT_CLIENT_NAMES];
    char names[LIMIT_CLIENT_NAMES]
              [LIMIT_DOMAIN_OCTETS]; /* in the order of the alphabet: that of DNS changes */
};

/* Whose name is looked for. */
void client_name_begin(struct client_name *c, const struct address *client);
/* The name to ask PTR of: "1.2.0.192.in-addr.arpa", or nibbles below ip6.arpa (RFC 1035 3.5, RFC 3596 2.5). */
void client_name_reverse(const struct address *client, struct buf *b);
/* One of the names that it points to: letters, digits, hyphens, underscores and dots. Of many the first of the alphabet are kept. */
void client_name_found(struct client_name *c, struct span name);
/* That was all: A or AAAA (by the family of the client) is to be asked of each. Returns how many. */
unsigned client_name_pointed(struct client_name *c);
struct span client_name_at(const struct client_name *c, unsigned i);
/* What came back for name i: does it have that address? Answers that nobody waits for are ignored. */
void client_name_answered(struct client_name *c, unsigned i, bool has_address);
bool client_name_done(const struct client_name *c);
/* Those that were confirmed so far, into ret. Returns how many. */
unsigned client_name_confirmed(const struct client_name *c, struct span ret[LIMIT_CLIENT_NAMES]);

#endif
