/* listing_private: what the files that answer questions share. */
#ifndef SPOOL_LISTING_PRIVATE_H
#define SPOOL_LISTING_PRIVATE_H

#include "spool/listing.h"

#define LISTING_HISTORY_OCTETS (LIMIT_STATE_HISTORY_OCTETS + 64)

/* listing_json.c */
void listing_put_key(struct buf *b, const char *key);
void listing_put_text(struct buf *b, const char *key, struct span value);
void listing_put_number(struct buf *b, const char *key, uint64_t value);
void listing_put_time(struct buf *b, const char *key, uint64_t unix_ms);
void listing_put_id(struct buf *b, uint64_t id);
const char *listing_state_name(uint8_t shown); /* of index_shown */

/* filter.c: how much one page may look at, and what is meant. */
uint32_t listing_examined(const struct question_filter *f);
/* What of that looking at a message takes: those of many recipients take more. */
uint32_t listing_cost(const struct question_filter *f, const struct message *m);
/* The message after the cursor that may be meant; null at the end. With an id: that message, or null. */
const struct message *listing_next(const struct listing *l, const struct question_filter *f, uint64_t cursor);
bool listing_wants_message(const struct listing *l, const struct question_filter *f, const struct message *m);
/* An open recipient of a message that listing_wants_message. */
bool listing_wants_recipient(const struct listing *l, const struct question_filter *f,
                             const struct message *m, uint32_t i);
/* Does a recipient say so? */
bool listing_wants(const struct listing *l, const struct question_filter *f, const struct message *m);

/* waiting.c: what a recipient waits for */
enum listing_wait {
    WAIT_ATTEMPT,     /* for its time */
    WAIT_DESTINATION, /* for its turn at its next hop */
    WAIT_DELIVERY,    /* a delivery is under way */
    WAIT_RELEASE,     /* held */
    WAIT_ROUTE,
    LISTING_WAIT_COUNT
};
struct listing_waiting {
    enum listing_wait what;
    uint64_t until_ms;        /* unix; 0: nobody knows */
    struct span destination;  /* for people; in `memory` */
    struct span waits_for;    /* DESTINATION, DELIVERY: one constant sentence; else empty */
    struct span reason;       /* in `memory`, or constant */
    struct span status, host; /* of a failure of its next hop */
    uint32_t number;          /* of its destination, DESTINATION_NONE */
};
/* memory: LISTING_WAITING_OCTETS. with_reason: the disk may be read for it. */
#define LISTING_WAITING_OCTETS (LISTING_HISTORY_OCTETS + 8192)
struct listing_waiting listing_waiting(const struct listing *l, const struct message *m, uint32_t i,
                                       bool with_reason, uint8_t *memory);
/* What its recipients wait for, a constant sentence. */
struct span listing_destination_waits(const struct destination_view *v, uint64_t monotonic_ms);
/* The text of an encoded next hop. */
struct span listing_hop_text(struct span key, struct buf *b);

/* timeline.c, summary.c, operate.c */
enum answer_status listing_show(const struct listing *l, const struct question *q, struct buf *b,
                                uint64_t *cursor, bool *last);
bool listing_summary(const struct listing *l, const struct question *q, struct buf *b, uint64_t *cursor);
bool listing_destinations(const struct listing *l, const struct question *q, struct buf *b, uint64_t *cursor);
enum answer_status listing_change(const struct listing *l, const struct question *q, struct buf *b,
                                  uint64_t *cursor, bool *last);

/* listing.c: the head of a message, without its closing brace; at most so many recipients */
void listing_put_head(struct buf *b, const struct listing *l, const struct message *m, uint32_t most);

#endif
