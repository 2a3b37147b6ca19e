/* listing: answers to questions about the queue, as JSON lines (spool/question.h). The work of one call is bounded. */
#ifndef SPOOL_LISTING_H
#define SPOOL_LISTING_H

#include "spool/destination.h"
#include "spool/question.h"
#include "spool/store.h"

#define LISTING_TEXT_OCTETS (LIMIT_IPC_MESSAGE_OCTETS - 512) /* of one answer's text */

/* What a VERIFY has counted in its earlier pages; the caller keeps it and zeroes it when the cursor is 0. */
struct listing_verified {
    uint64_t segments, records, messages, damaged;
};

/* What answers are made of. Functions may be null: then nothing has a next hop, and nothing can be bounced. */
struct listing {
    struct store *store;
    struct destinations *destinations; /* null: there are none */
    uint64_t unix_ms, monotonic_ms;    /* the latter is the clock of destinations */
    struct listing_verified *verified;
    void *context;
    /* The next hop of a recipient by the routes of now, encoded (next_hop_put). False: it has none. */
    bool (*next_hop)(void *context, const struct message *m, const struct recipient *r, struct buf *key);
    /* The recipient was taken in flight: it becomes BOUNCED and its sender is told. False: no room now, it was not taken. */
    bool (*bounce)(void *context, uint64_t id, uint32_t recipient, struct span text);
    /* Something was changed because q asked for it. id 0: so many recipients of one page of a flush. */
    void (*changed)(void *context, const struct question *q, uint64_t id, uint32_t recipients);
};

/* text: an empty buffer of LISTING_TEXT_OCTETS. */
enum answer_status listing_answer(const struct listing *l, const struct question *q, struct buf *text,
                                  uint64_t *cursor, bool *last);

#endif
