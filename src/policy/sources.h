/* sources: how many sessions each server holds, and each source on it, over all edges. A table in memory shared by the edges (a memfd made by
 * the supervisor): open addressing, one column of counters per edge, so that the counts of an edge that died are wiped
 * by clearing its column. No lock: an edge that dies or lies spoils counts and nothing else, and nobody waits for it. */
#ifndef POLICY_SOURCES_H
#define POLICY_SOURCES_H

#include "base/limits.h"
#include "base/span.h"

/* Columns: during a reload the edges of two generations count side by side, each in a column of its own. */
#define SOURCES_EDGES (2 * LIMIT_EDGES_MAX)

struct
    sources { /* a view, private to a process; nothing that decides where memory is touched is read from the memory */
    uint8_t *memory;
    uint32_t slots;
    uint64_t seed;
};

/* slots: a power of two, 64 or more; at least four for each session allowed (a source is never without a slot then). */
size_t sources_octets(uint32_t slots);
/* Once, by the supervisor, on zeroed memory. seed: random, so that nobody can choose addresses that share slots. */
void sources_init(void *memory, uint32_t slots, uint64_t seed);
/* False when the memory is not a table of exactly that size. memory: aligned to 64. */
bool sources_open(struct sources *t, void *memory, size_t octets);

enum sources_answer { SOURCES_OK, SOURCES_SOURCE_FULL, SOURCES_SERVER_FULL };
/* Counts one more session on a server of key (address_source_key) for this edge, unless a limit would be passed: never more than
 * per_source of that source and total of all; what is open on other servers does not count. Close to a limit a session may be refused for another that is just being refused or leaving. */
enum sources_answer sources_enter(struct sources *t, unsigned edge, struct span server, const uint8_t key[16],
                                  uint32_t per_source, uint32_t total);
void sources_leave(struct sources *t, unsigned edge, struct span server, const uint8_t key[16]);
/* The same of anybody else by name, a principal: one more, unless there would be more than most; he is in no total. SOURCES_SERVER_FULL: the
 * table is. A name is never as a key of address_source_key, which has a NUL in it. */
enum sources_answer sources_hold(const struct sources *t, unsigned edge, struct span server, struct span who,
                                 uint32_t most);
void sources_release(const struct sources *t, unsigned edge, struct span server, struct span who);
/* The edge of that column is dead (or will be started anew): its counts are gone. */
void sources_clear_edge(struct sources *t, unsigned edge);
uint32_t sources_total(const struct sources *t); /* of all servers */

#endif
