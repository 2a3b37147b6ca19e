/* listing: answers to questions about the queue, as JSON lines (spool/question.h). The work of one call is bounded. */
#ifndef SPOOL_LISTING_H
#define SPOOL_LISTING_H

#include "spool/question.h"
#include "spool/store.h"

#define LISTING_TEXT_OCTETS (LIMIT_IPC_MESSAGE_OCTETS - 512) /* of one answer's text */

/* What a VERIFY has counted in its earlier pages; the caller keeps it and zeroes it when the cursor is 0. */
struct listing_verified {
    uint64_t segments, records, messages, damaged;
};

/* text: an empty buffer of LISTING_TEXT_OCTETS. */
enum answer_status listing_answer(struct store *s, const struct question *q, struct listing_verified *v,
                                  struct buf *text, uint64_t *cursor, bool *last);

#endif
