/* barred: who is turned away at the door: the list that the directory process gives to the edges, and what an edge knows of it. It is told
 * whole, in parts; the former list counts until the last part is there. Looking somebody up costs a few comparisons, no message, no lock.
 *
 * On it are bans by hand, which hold everywhere, and single sources (guess_network: an IPv4 address, an IPv6 /64) that failed to log in,
 * which hold where one may log in: mail for us of others behind that address goes on. A network that is banned for what many in it did is
 * none of it: who logged in lately from inside of it may go on to, and that the directory alone knows. */
#ifndef POLICY_BARRED_H
#define POLICY_BARRED_H

#include "base/limits.h"
#include "policy/network.h"

struct barred_entry {
    struct network network;
    uint64_t until; /* unix seconds */
    bool by_hand;
    bool told; /* of an edge's: its log has it */
};

/* --- the directory's side */

/* Order of a list: by hand first, then by address. For qsort. */
int barred_order(const void *a, const void *b);
/* One part: n of LIMIT_BARRED_PART entries at most. */
void barred_part_put(struct buf *b, const struct barred_entry *entries, uint32_t n, bool first, bool last);
#define BARRED_PART_OCTETS (2 + 26 * LIMIT_BARRED_PART)

/* --- the edge's side */

struct barred;
size_t barred_octets(void);
struct barred *barred_on(void *memory); /* zeroed, aligned as malloc does */
/* Takes a part, hostile. False: malformed or out of order, nothing was taken of it. */
MUST_USE bool barred_take(struct barred *b, struct span payload);
/* Null: it may come in. logins: one may log in there. */
struct barred_entry *barred_find(struct barred *b, const struct address *client, bool logins,
                                 uint64_t unix_seconds);
uint32_t barred_count(const struct barred *b); /* of the list that counts, with those that are over since */

#endif
