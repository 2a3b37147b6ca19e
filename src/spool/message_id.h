/* message_id: the queue id. 64 bits, never reused: milliseconds of unix time << 20 | edge << 14 | counter, so ids sort by
 * arrival. As text 13 digits of base 32 (0-9 a-z without i l o u), letters and digits only. */
#ifndef SPOOL_MESSAGE_ID_H
#define SPOOL_MESSAGE_ID_H

#include "base/buf.h"

#define MESSAGE_ID_TEXT 13

/* The next id after `last` for this edge (0..63) at unix_ms; always greater than last, also when the clock jumps back. */
uint64_t message_id_next(uint64_t last, unsigned edge, uint64_t unix_ms);
static inline uint64_t message_id_unix_ms(uint64_t id)
{
    return id >> 20;
}
void message_id_put(struct buf *b, uint64_t id);
bool message_id_parse(struct span s, uint64_t *ret);

#endif
