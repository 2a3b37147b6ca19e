/* sources: how many sessions each source holds, over all edges. A table in memory shared by the edges (a memfd made by
 * the supervisor): open addressing, one column of counters per edge, so that the counts of an edge that died are wiped
 * by clearing its column. An edge that lies spoils counts and nothing else. */
#ifndef POLICY_SOURCES_H
#define POLICY_SOURCES_H

#include "base/limits.h"
#include "base/span.h"

struct sources; /* laid over shared memory */

size_t sources_octets(uint32_t slots);              /* slots: a power of two */
void sources_init(void *memory, uint32_t slots);    /* once, by the supervisor */
/* Checks size and shape; null when the memory is not a table of that size. */
struct sources *sources_open(void *memory, size_t octets);

enum sources_answer { SOURCES_OK, SOURCES_SOURCE_FULL, SOURCES_SERVER_FULL };
/* Counts one more session of key for this edge, unless a limit would be passed. */
enum sources_answer sources_enter(struct sources *t, unsigned edge, const uint8_t key[16], uint32_t per_source, uint32_t total);
void sources_leave(struct sources *t, unsigned edge, const uint8_t key[16]);
void sources_clear_edge(struct sources *t, unsigned edge);
uint32_t sources_total(const struct sources *t);

#endif
