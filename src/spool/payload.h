/* payload: what stands in the records that describe messages: COMMIT, STATE, HOLD, TOMBSTONE, SEGMENT. */
#ifndef SPOOL_PAYLOAD_H
#define SPOOL_PAYLOAD_H

#include "base/wire.h"
#include "spool/job.h"

enum recipient_state {
    RECIPIENT_VOID, /* not a recipient: its sender wrote it twice, or it is derived by an expansion that was not seen (yet) */
    RECIPIENT_QUEUED,
    RECIPIENT_DEFERRED,
    RECIPIENT_DELIVERED, /* this and what follows is final */
    RECIPIENT_BOUNCED,
    RECIPIENT_EXPIRED,
    RECIPIENT_EXPANDED,  /* its derived recipients have taken its place */
    RECIPIENT_REMOVED,   /* by an operator; nobody is told */
    RECIPIENT_DISCARDED, /* by the configuration; nobody is told */
    RECIPIENT_STATE_COUNT
};
static inline bool recipient_final(uint8_t state)
{
    return state >= RECIPIENT_DELIVERED || state == RECIPIENT_VOID;
}
const char *recipient_state_name(uint8_t state);

struct commit_payload {
    uint64_t content_octets, arrival_ms;
    uint32_t envelope_offset, envelope_length; /* of the payload of the ENVELOPE record, same segment */
    uint32_t count;
    struct span extents; /* encoded, read with extent_read */
};
#define COMMIT_PAYLOAD_OCTETS(extents) (28U + EXTENT_OCTETS * (extents))
void commit_payload_put(struct buf *b, const struct commit_payload *c, const struct extent *extents);
bool commit_payload_read(struct span payload, struct commit_payload *ret);

struct attempt_trace {     /* how an attempt at a next hop went; all zero: there was none */
    struct span host, tls; /* printable; as in struct relay_result */
    uint16_t code;
    uint32_t dns_ms, connect_ms, session_ms, transfer_ms;
};

enum event_kind {                /* on disk */
                  EVENT_ATTEMPT, /* of delivery, here or at a next hop */
                  EVENT_EXPANDED,
                  EVENT_DELAY,    /* its sender was told that it is late */
                  EVENT_OPERATOR, /* somebody asked for it; text says who and what */
                  EVENT_KIND_COUNT
};

struct state_event { /* what happened to a recipient */
    uint64_t time_ms;
    uint8_t kind, state;        /* state: afterwards */
    struct span enhanced, text; /* printable */
    struct attempt_trace trace;
};
bool state_event_read(struct wire *w, struct state_event *ret); /* false and !w->bad at the end */

enum {                       /* marks of a recipient */
       STATE_DELAY_TOLD = 1, /* its sender knows that it is late */
       STATE_MARKS = 1
};

struct state_payload {
    uint32_t home; /* segment of the message's COMMIT */
    uint32_t recipient;
    uint8_t state;
    uint8_t marks; /* STATE_* */
    uint16_t attempts;
    uint64_t next_ms;
    struct span history;   /* encoded events, oldest first */
    uint32_t first, count; /* EXPANDED: indexes of the derived recipients */
    struct span
        owner; /* reverse-path of what goes to them (a list has an owner); empty: that of the message */
    struct span derived; /* encoded */
};
size_t state_payload_octets(const struct state_payload *s);
void state_payload_put(struct buf *b, const struct state_payload *s);
bool state_payload_read(struct span payload, struct state_payload *ret);
/* The history with one more event behind; when it would pass LIMIT_STATE_HISTORY_OCTETS, old events leave, the first one last. */
void state_payload_history(struct buf *b, struct span history, const struct state_event *event);

enum derived_kind { /* on disk */
                    DERIVED_REMOTE = 0,
                    DERIVED_MAILBOX = 1,
                    DERIVED_NOBODY = 2, /* an alias names it, but there is no such mailbox here: it bounces */
                    DERIVED_KIND_COUNT
};
struct derived {
    uint8_t kind; /* enum derived_kind */
    struct span path;
};
void derived_put(struct buf *b, const struct derived *d);
bool derived_read(struct wire *w, struct derived *ret); /* false and !w->bad at the end */

struct hold_event { /* an operator asked for it */
    uint64_t time_ms;
    uint32_t uid; /* of the operator, as the kernel says */
    uint8_t held; /* 0: released */
};
struct hold_payload {
    uint32_t home, count;                        /* count: 1..LIMIT_HOLD_EVENTS */
    struct hold_event events[LIMIT_HOLD_EVENTS]; /* oldest first: the last one counts */
};
#define HOLD_PAYLOAD_OCTETS(events) (4U + 13U * (events))
/* One more behind; when there are too many, the oldest leaves. */
void hold_payload_add(struct hold_payload *h, const struct hold_event *event);
static inline bool hold_payload_held(const struct hold_payload *h)
{
    return h->events[h->count - 1].held;
}
void hold_payload_put(struct buf *b, const struct hold_payload *h);
bool hold_payload_read(struct span payload, struct hold_payload *ret);

struct tombstone {
    uint64_t id;
    uint32_t home;
};
#define TOMBSTONE_OCTETS 12
void tombstone_put(struct buf *b, const struct tombstone *t);
bool tombstone_read(struct wire *w, struct tombstone *ret); /* false and !w->bad at the end */

enum segment_kind { SEGMENT_LOG, SEGMENT_LARGE, SEGMENT_KIND_COUNT };
struct segment_end { /* one row of the manifest in a SEGMENT record */
    uint32_t number, end;
};
#define SEGMENT_PAYLOAD_OCTETS(rows) (13U + 8U * (rows))
void segment_payload_begin(struct buf *b, enum segment_kind kind, uint64_t salt, uint32_t rows);
void segment_payload_row(struct buf *b, struct segment_end row);
bool segment_payload_read(struct wire *w, enum segment_kind *kind, uint64_t *salt,
                          uint32_t *rows); /* then the rows: */
struct segment_end segment_row_read(struct wire *w);

#endif
