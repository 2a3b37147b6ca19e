/* rates: how often a source or a principal did something lately, over all edges: connections, messages, recipients. A table of fixed size
 * in memory shared by the edges (a memfd made by the supervisor). No lock: an edge that dies or lies spoils counts and nothing else. When
 * there is no place left what was quiet longest is forgotten.
 *
 * The window slides in fifths: what happened in one of them counts for the whole time of the limit after the last of it, so up to a fifth
 * longer. So a limit is never passed
 * within any such time, but for what was forgotten. */
#ifndef POLICY_RATES_H
#define POLICY_RATES_H

#include "base/span.h"

struct
    rates { /* a view, private to a process; nothing that decides where memory is touched is read from the memory */
    uint8_t *memory;
    uint32_t slots;
    uint64_t seed;
};

/* slots: a power of two, 64 or more; 64 octets each. */
size_t rates_octets(uint32_t slots);
/* Once, by the supervisor, on zeroed memory. seed: random, so that nobody can choose names that share slots. */
void rates_init(void *memory, uint32_t slots, uint64_t seed);
/* False when the memory is not a table of exactly that size. memory: aligned to 64. */
bool rates_open(struct rates *t, void *memory, size_t octets);

/* Who does what on which server: each has a count of its own. */
enum rate_kind {
    RATE_CONNECTIONS,
    RATE_SOURCE_MESSAGES,
    RATE_SOURCE_RECIPIENTS,
    RATE_PRINCIPAL_MESSAGES,
    RATE_PRINCIPAL_RECIPIENTS,
};
struct rate_key {
    enum rate_kind kind;
    struct span server, who;
};

/* Counts one more, unless there would then be more than count in seconds (1..86400): the answer is 0, or in how many seconds it is worth
 * while to come back (at most seconds), and nothing was counted. now_ms: a clock that the edges share, and that never goes back. */
uint32_t rates_count(const struct rates *t, const struct rate_key *key, uint32_t count, uint32_t seconds,
                     uint64_t now_ms);
/* One that was counted at that time came to nothing. */
void rates_give_back(const struct rates *t, const struct rate_key *key, uint32_t seconds,
                     uint64_t counted_ms);

#endif
