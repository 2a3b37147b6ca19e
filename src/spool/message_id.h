/* message_id: the queue id. 64 bits, never reused: milliseconds of unix time << 20 | edge << 14 | counter, so ids sort by
 * arrival. As text 13 digits of base 32 (0-9 a-z without i l o u), letters and digits only. */
#ifndef SPOOL_MESSAGE_ID_H
#define SPOOL_MESSAGE_ID_H

#include "base/buf.h"
#include "base/limits.h"

#define MESSAGE_ID_TEXT    13
#define MESSAGE_ID_SPOOLER 63 /* the edge number in ids of our own notifications; no edge has it */

/* The edge number of a process. Generations that live at the same time share one only when a multiple of seven reloads lies
 * between them; an id that is taken is then refused by the spooler for now (451). */
static inline unsigned message_id_edge(unsigned generation, unsigned index)
{
    return generation % 7 * LIMIT_EDGES_MAX + index % LIMIT_EDGES_MAX;
}
static inline unsigned message_id_edge_of(uint64_t id)
{
    return (unsigned)(id >> 14) & 63;
}

/* The next id after `last` for this edge (0..63) at unix_ms; always greater than last, also when the clock jumps back. */
uint64_t message_id_next(uint64_t last, unsigned edge, uint64_t unix_ms);
static inline uint64_t message_id_unix_ms(uint64_t id)
{
    return id >> 20;
}
void message_id_put(struct buf *b, uint64_t id);
bool message_id_parse(struct span s, uint64_t *ret);

#endif
