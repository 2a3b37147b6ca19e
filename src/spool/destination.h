/* destination: one queue in memory for each next hop, and which of them may begin a transaction now. A data structure: no I/O, no
 * clock, the same calls give the same answers. What waits here is in the spool already; a restart fills it again.
 *
 * Each destination has a standing: *fresh* (nothing is known: two sessions at most), *proven* (the last attempt got through: as many
 * sessions as its limit, which begins at `sessions_first`, grows by one with each success and halves with each failure) or *failed* (it
 * waits, then one session probes it until one gets through; the wait doubles). Those that are not proven get few recipients at once.
 *
 * All together have a number of slots, and nobody knows beforehand who will answer soon: a proven one may begin to drip. So the first
 * transaction of each comes before the second of any. First ones of fresh and failed destinations have half of the slots at most (failed
 * ones an eighth), second and further ones of whatever standing a quarter: a quarter is always left for the first ones of proven
 * destinations. Within a standing they take turns, and so do the standings.
 *
 * What has nothing to do is remembered for a while, that is not for long: not more than LIMIT_DESTINATIONS_IDLE of them, the one that
 * rests longest is forgotten first.
 *
 * Every operation is O(1) but for a heap of those that wait for a time. now_ms: of a clock that never goes backwards. */
#ifndef SPOOL_DESTINATION_H
#define SPOOL_DESTINATION_H

#include "base/limits.h"
#include "spool/ready.h"

#define DESTINATION_NONE   UINT32_MAX /* no destination */
#define DESTINATION_NO_MAX UINT32_MAX /* of messages or connections in an interval: this is not limited */
#define DESTINATION_FEW    10U        /* recipients of a transaction, where not many should be in hand */

enum destination_standing {
    DESTINATION_FRESH,
    DESTINATION_PROVEN,
    DESTINATION_FAILED,
    DESTINATION_STANDING_COUNT
};

struct destination_rate { /* so many in one interval, which begins with the first after the last one ended */
    uint32_t max;         /* 1 or more, or DESTINATION_NO_MAX */
    uint32_t interval_ms; /* 1 or more */
};

struct destination_limits {
    uint32_t sessions_first, sessions_max; /* 1 or more; LIMIT_SESSIONS_* */
    uint32_t recipients;                   /* of one message in one transaction, 1..LIMIT_RELAY_RECIPIENTS */
    struct destination_rate messages, connections;   /* that may begin */
    uint32_t retry_first_seconds, retry_max_seconds; /* how long a failed next hop is left alone */
};
extern const struct destination_limits destination_limits_default;

struct destination_failure { /* of the next hop as a whole */
    uint64_t unix_ms;
    char enhanced[12];      /* NUL-terminated */
    struct span text, host; /* at most LIMIT_RESULT_TEXT_OCTETS and LIMIT_DOMAIN_OCTETS + 64 are kept */
};

enum destination_outcome {
    DESTINATION_REACHED, /* the next hop took part, whatever it said of message and recipients */
    DESTINATION_MISSED,  /* it failed as a whole: nothing else would have fared better */
    DESTINATION_UNTRIED  /* nothing was learnt: it was not tried, or the one who tried is gone */
};

struct destination_result { /* of one transaction */
    uint32_t destination;   /* as destinations_take said */
    uint8_t outcome;        /* enum destination_outcome */
    bool
        connected; /* a connection was made for it (an older one was used otherwise): counts for `connections` */
    struct destination_failure failure; /* MISSED */
};

struct destination_transaction { /* what may begin now */
    uint32_t destination;
    uint32_t n;
    uint64_t id;
    struct span key; /* valid until its destinations_done */
    uint32_t recipients[LIMIT_RELAY_RECIPIENTS];
};

struct destination_view { /* spans and pointers: until the next call that changes */
    uint32_t destination;
    struct span key;
    uint32_t queued, active,
        sessions; /* waiting recipients; transactions in hand; how many there may be now */
    uint8_t standing;
    uint64_t until_ms; /* nothing begins before, by back-off or rate; 0: nothing of the kind */
    bool backing_off;  /* until_ms is the end of a back-off */
    bool connecting;   /* until_ms is of the rate of connections, not of messages */
    bool group_full;   /* its group has as many transactions in hand as it may */
    uint32_t failures; /* in a row */
    const struct destination_failure *failure;     /* the last one; null: none */
    uint64_t started, reached, missed, recipients; /* transactions, recipients in them; since it is known */
};

struct destination_counters {
    uint32_t destinations, queued;
    uint32_t active[DESTINATION_STANDING_COUNT], known[DESTINATION_STANDING_COUNT];
    uint64_t memory_octets;
};

struct destinations;

/* seed: of hashes and jitter. slots: transactions in hand at most, 4 or more. Null: no memory. */
struct destinations *destinations_create(uint64_t seed, uint32_t slots);
void destinations_destroy(struct destinations **t);
void destinations_slots(struct destinations *t, uint32_t slots); /* another number of them (simulation) */

/* A recipient that is due. key: the next hop (next_hop_put). sender: the same number for the recipients of a message that have the same
 * reverse-path. Its ticket until it was taken or removed; READY_NONE: no memory. */
uint32_t destinations_add(struct destinations *t, struct span key, const struct destination_limits *limits,
                          uint64_t id, uint32_t recipient, uint32_t sender, uint64_t now_ms);
/* It is held, removed, expired, or goes elsewhere. READY_NONE is accepted. */
void destinations_remove(struct destinations *t, uint32_t ticket, uint64_t now_ms);
/* The next transaction that may begin: recipients of one message and one sender that stand behind one another. Their tickets are void; the
 * transaction ends with destinations_done. False: none may now. crowded: there is little room for recipients in hand: only
 * first transactions of destinations, of DESTINATION_FEW recipients at most. */
bool destinations_take(struct destinations *t, uint64_t now_ms, bool crowded,
                       struct destination_transaction *ret);
void destinations_done(struct destinations *t, const struct destination_result *r, uint64_t now_ms);
/* Its exchangers belong to the group of that name (by the last transaction; empty: to none): members have these limits together,
 * beside their own. What is in hand counts. False: no memory. */
bool destinations_group(struct destinations *t, uint32_t destination, struct span name,
                        const struct destination_limits *limits, uint64_t now_ms);
/* When destinations_take may say yes without another call: 0: now; UINT64_MAX: not by itself. */
uint64_t destinations_next_ms(const struct destinations *t, bool crowded);
/* Back-off is forgotten: the next probe may begin. DESTINATION_NONE: everywhere. */
void destinations_flush(struct destinations *t, uint32_t destination, uint64_t now_ms);

uint32_t destinations_find(const struct destinations *t, struct span key); /* DESTINATION_NONE: unknown */
uint32_t destinations_of(const struct destinations *t, uint32_t ticket);   /* where it waits */
bool destinations_view(const struct destinations *t, uint32_t destination, struct destination_view *ret);
/* All, in bounded steps: *cursor is 0 at first. False: no more. What comes and goes meanwhile may be missed. */
bool destinations_next(const struct destinations *t, uint32_t *cursor, struct destination_view *ret);
struct destination_counters destinations_counters(const struct destinations *t);

#endif
