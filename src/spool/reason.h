/* reason: why recipients wait, in one octet each: a table of the texts that occur, without what differs from message to message
 * (numbers, addresses, names of hosts). So a queue is grouped by reason without reading the disk. */
#ifndef SPOOL_REASON_H
#define SPOOL_REASON_H

#include "base/buf.h"

#define REASON_NONE  0U
#define REASON_OTHER 255U /* the table was full */

enum { REASON_TEXT_OCTETS = 91 };

struct reason {
    uint32_t count, hash;
    uint8_t n;
    uint8_t text[REASON_TEXT_OCTETS];
};
struct reasons { /* zeroed: empty */
    struct reason all[256];
};

/* "4.4.1 *: connection refused": what two messages that wait for the same have in common; cut where b ends. */
void reason_put(struct buf *b, struct span enhanced, struct span text);
/* One more recipient has it. enhanced and text as of its last attempt; both empty: REASON_NONE. */
uint8_t reasons_take(struct reasons *r, struct span enhanced, struct span text);
/* The same for a text that reasons_text gave. */
uint8_t reasons_known(struct reasons *r, struct span text);
void reasons_drop(struct reasons *r, uint8_t number);
/* "4.4.1 connection refused"; empty for REASON_NONE. */
struct span reasons_text(const struct reasons *r, uint8_t number);

#endif
