/* index: every queued message, in memory: what is needed to list, filter, count and schedule without reading a body. One block
 * of memory a message: the struct, its recipients, its extents, its strings. A pointer to a message is valid until it is
 * removed or grown; who keeps one longer keeps the id. */
#ifndef SPOOL_INDEX_H
#define SPOOL_INDEX_H

#include "spool/envelope.h"
#include "spool/id_map.h"
#include "spool/payload.h"
#include "spool/reason.h"
#include "spool/slab.h"

#define NOT_SCHEDULED UINT32_MAX

enum { /* flags of a recipient */
       RECIPIENT_LOCAL = 1,
       RECIPIENT_DERIVED = 2,
       RECIPIENT_IN_FLIGHT = 4 /* taken by store_due, no result yet */,
       RECIPIENT_HELD = 8 /* by configuration */,
       RECIPIENT_NO_ROUTE = 16 /* waits for a route, only its expiry is scheduled */,
       RECIPIENT_NOBODY = 32 /* derived, with RECIPIENT_LOCAL: there is no such mailbox */,
       RECIPIENT_READY = 64, /* waits for its next hop: `ticket` says where; its deadlines are scheduled */
       RECIPIENT_DELAY_TELLING = 128, /* store_due said that its sender is to be told */
       RECIPIENT_DELAY_TOLD = 256,    /* and the sender was: STATE_DELAY_TOLD is recorded */
       RECIPIENT_LOST = 512 /* whoever had it ended before it said what became of it; since the start */
};

struct recipient {
    union {
        uint64_t next_ms; /* of the next attempt; 0: never tried, at once */
        struct {          /* once expanded: reverse-path for its derived recipients, in the strings */
            uint32_t owner_offset, owner_length;
        };
    };
    uint32_t heap;          /* place in the schedule, or NOT_SCHEDULED */
    uint32_t state_segment; /* where its newest STATE record lies; 0: none */
    uint32_t state_offset;
    uint32_t parent;      /* of a derived one: whose place it takes */
    uint32_t path_offset; /* in the strings of the message */
    uint32_t ticket;      /* with RECIPIENT_READY: the caller's of store_ready */
    uint16_t attempts, flags;
    uint8_t path_length;
    uint8_t state;  /* enum recipient_state */
    uint8_t notify; /* DSN_NOTIFY_* of smtp/params.h */
    uint8_t reason; /* of its last attempt, in struct index */
};

enum {                      /* flags of a message */
       MESSAGE_PENDING = 1, /* its batch is not durable yet: nobody sees it */
       MESSAGE_HELD = 2,    /* by an operator, durable */
       MESSAGE_DAMAGED = 4, /* its content is damaged: never delivered, shown as held */
       MESSAGE_DSN = 8,     /* ENVELOPE_DSN, or the reverse-path is null: never answered by a DSN */
       MESSAGE_DSN_PARAMETERS =
           16, /* ENVID or an ORCPT stands in its envelope; otherwise nobody needs to read that */
       MESSAGE_LOADED = 64,   /* during recovery: it was in the checkpoint */
       MESSAGE_RELEASED = 32, /* by an operator, durable: what the configuration holds is not held */
};

struct message {
    uint64_t id, arrival_ms, content_octets;
    uint32_t home;                             /* segment of its COMMIT and ENVELOPE */
    uint32_t envelope_offset, envelope_length; /* of the payload in home */
    uint32_t hold_segment, hold_offset;        /* newest HOLD record; segment 0: none */
    uint32_t n_recipients, n_open, n_extents;  /* open: not in a final state */
    uint32_t octets;                           /* of this block of memory */
    uint32_t strings_length;
    uint32_t released_seconds; /* unix; with MESSAGE_RELEASED: when */
    uint16_t envelope_flags;   /* ENVELOPE_* of spool/envelope.h */
    uint8_t reverse_length, flags;
};

struct index {
    struct id_map map;
    struct reasons reasons;
    struct slab slab;
    uint64_t queued, deferred, held; /* recipients */
    uint64_t messages, recipients;   /* not pending; open recipients */
};

static inline struct recipient *message_recipients(const struct message *m)
{
    union {
        const struct message *in;
        struct message *out;
    } u = {.in = m};
    return (struct recipient *)(void *)(u.out + 1);
}
static inline struct extent *message_extents(const struct message *m)
{
    return (struct extent *)(void *)(message_recipients(m) + m->n_recipients);
}
static inline uint8_t *message_strings(const struct message *m)
{
    return (uint8_t *)(message_extents(m) + m->n_extents);
}
static inline struct span message_reverse_path(const struct message *m)
{
    return span_of(message_strings(m), m->reverse_length);
}
static inline struct span message_path(const struct message *m, const struct recipient *r)
{
    return span_of(message_strings(m) + r->path_offset, r->path_length);
}

/* The reverse-path that goes with a recipient: its list's owner, if it came out of a list that has one. */
static inline struct span message_reverse_path_for(const struct message *m, const struct recipient *r)
{
    if (!(r->flags & RECIPIENT_DERIVED) || m->reverse_length == 0) return message_reverse_path(m);
    const struct recipient *parent = &message_recipients(m)[r->parent];
    if (parent->state != RECIPIENT_EXPANDED || parent->owner_length == 0) return message_reverse_path(m);
    return span_of(message_strings(m) + parent->owner_offset, parent->owner_length);
}

/* Which reverse-path of its message that is: the same number, the same path. 0: the message's own. */
static inline uint32_t message_sender_for(const struct message *m, const struct recipient *r)
{
    return message_reverse_path_for(m, r).p == message_strings(m) ? 0 : r->parent + 1;
}

/* A message out of its envelope (valid) and extents; all recipients queued, but those that were written before are RECIPIENT_VOID; not in
 * the map, not counted. Null: no memory. */
struct message *index_build(struct index *x, uint64_t id, const struct commit_payload *c,
                            struct span envelope, const struct extent *extents);
/* A block for a message with these numbers of recipients, extents and octets of strings, all undefined but the head. Null: no memory. */
struct message *index_blank(struct index *x, const struct message *head);
/* The same message with room for recipients up to (not including) `recipients` and `strings` more octets of strings; the old
 * pointer is dead. New recipients are RECIPIENT_VOID. Null: no memory, the old one stays. */
struct message *index_grow(struct index *x, struct message *m, uint32_t recipients, size_t strings);
/* As index_grow, and with room for another number of extents; those that are kept stay, new ones are undefined. */
struct message *index_resize(struct index *x, struct message *m, uint32_t recipients, uint32_t extents,
                             size_t strings);
/* The two halves of index_resize, where the memory must be at hand before it is needed. */
struct message *index_copy(struct index *x, const struct message *m, uint32_t recipients, uint32_t extents,
                           size_t strings);
void index_swap(struct index *x, struct message *old, struct message *fresh);
void index_free(struct index *x, struct message *m); /* out of the map already */
void index_destroy(struct index *x);

/* As the newest event of a HOLD record says. */
void index_hold(struct message *m, const struct hold_payload *h);
/* Counters: called around every change of a recipient, and of a message's flags. */
void index_count(struct index *x, const struct message *m, const struct recipient *r, int sign);
void index_count_all(struct index *x, const struct message *m, int sign);
/* Why it waits: the text of its last attempt. Both empty: nothing is known. */
void index_reason(struct index *x, struct recipient *r, struct span enhanced, struct span text);
void index_forget_reasons(struct index *x, struct message *m); /* it is finished */
/* What a recipient is shown as: QUESTION_QUEUED, _DEFERRED, _HELD, or 0 when it is final. */
uint8_t index_shown(const struct message *m, const struct recipient *r);

#endif
