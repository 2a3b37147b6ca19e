/* store: the queue, durable. The one interface that the spooler process, the tests and the simulation use; what is behind it
 * (records, segments, batches, index, schedule) is nobody else's business. One thread. On a struct disk that lies in memory it
 * is its own double. Nothing is answered before store_flush made it durable; callbacks come from store_flush only (which other
 * calls make when a batch is full) and must not call back into the store, except for the functions that only read. */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include "spool/index.h"
#include "spool/schedule.h"
#include "system/disk.h"

struct store;

enum store_status { /* numbers as in enum submit_status, for the first four kinds of answers */
                    STORE_DURABLE = 0,
                    STORE_PENDING = 1, /* the answer comes by `committed` */
                    STORE_FULL = 2,
                    STORE_FAILED = 3,
                    STORE_REFUSED = 4, /* malformed, or its id is taken */
};

enum store_alarm {
    ALARM_WRITE_FAILED, /* a write or sync of a segment failed; it is final for that segment */
    ALARM_STUCK,        /* no successor could be made: answers wait */
    ALARM_FULL,         /* no space for a new segment */
    ALARM_SPACE,        /* space again */
    ALARM_DAMAGED,      /* a bad record, or content that does not match */
    ALARM_COUNT
};

enum store_place { PLACE_DELIVER /* schedule it */, PLACE_HOLD, PLACE_WAIT /* no route yet */ };

struct store_options {
    struct disk disk;        /* kept by value; what its context points to must live on */
    uint64_t seed;           /* jitter of the schedule */
    uint64_t salt;           /* random; taken when the spool is made, see record.h */
    uint32_t segment_octets; /* multiple of 4096; 0: LIMIT_SEGMENT_OCTETS */
    bool thread;             /* prepare segments in a helper thread */
    bool checkpoint;         /* write checkpoints and start from them; else one that is there is removed */
    uint32_t checkpoint_messages; /* there is none of a smaller queue; 0: LIMIT_CHECKPOINT_MESSAGES */
    uint64_t checkpoint_octets;   /* of log between two; 0: LIMIT_CHECKPOINT_OCTETS */
    uint32_t retry_first_seconds, retry_max_seconds, queue_seconds;
    uint32_t delay_seconds; /* the sender is told that a message is late after that; UINT32_MAX: never */
    void *context;          /* of the functions below */
    void (*committed)(void *context, uint64_t token, const struct message *m, uint64_t id,
                      enum store_status status);
    /* Where a recipient that is not final goes: at arrival, after recovery, at store_place_again. */
    enum store_place (*place)(void *context, const struct message *m, const struct recipient *r);
    /* A recipient given to store_ready is not ready any more: held, removed, expired, tried, or routes are new. May be null. */
    void (*left)(void *context, uint32_t ticket);
    /* error: errno or 0; text: what exactly, with the file and the words for the error; valid during the call */
    void (*alarm)(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                  int error, const char *text);
};

struct store_counters {
    uint64_t messages, recipients, queued, deferred, held; /* now */
    uint64_t segments, large_segments, spare_segments;
    uint64_t damaged; /* places known to be damaged, each once */
    uint64_t committed, refused, finished, batches, octets_written, syncs; /* since the start */
    uint64_t memory_octets;                                                /* of the index */
    uint64_t checkpoints,
        checkpoint_octets; /* written since the start; size of the one that counts, 0: none */
    bool from_checkpoint;  /* this start was */
    bool full, stuck;
};

/* Opens the spool and recovers what is in it. Null: *error is a constant text and errno is set. */
struct store *store_open(const struct store_options *o, uint64_t now_ms, const char **error);
void store_close(struct store **s); /* what was not flushed is lost */
/* The end in order: flushes, closes, and when all is durable leaves the mark of a clean stop, by which the next start tells damage
 * from a torn tail (STATES.md). False: no mark. */
bool store_stop(struct store **s, uint64_t now_ms);

/* Submission. Parts are copied before anything is checked. owner: who may continue, commit or abort an open message. */
enum store_status store_chunk(struct store *s, uint64_t id, uint32_t owner, const struct span *parts,
                              uint32_t n);
/* The rest of the content and the envelope (n_envelope parts, then content). STORE_PENDING, or the answer. */
enum store_status store_commit(struct store *s, uint64_t id, uint32_t owner, uint64_t token,
                               const struct span *parts, uint32_t n_envelope, uint32_t n,
                               uint64_t content_octets, uint64_t now_ms);
void store_abort(struct store *s, uint64_t id, uint32_t owner);
void store_abort_owner(struct store *s, uint32_t owner);

/* One write, one sync; answers. True: everything given so far is durable. False: nothing may be acted on yet. */
bool store_flush(struct store *s, uint64_t now_ms);
bool store_dirty(
    const struct store
        *s); /* somebody waits for store_flush; content of messages that still arrive may wait longer */
uint32_t store_waiting(const struct store *s); /* messages of which the commit waits for store_flush */
/* Some bounded work: prepares and recycles segments, copies forward, tries again what is stuck. Call it often (each turn). */
void store_maintain(struct store *s, uint64_t now_ms);
/* There is room for states: deliveries may go on. */
bool store_writable(const struct store *s);

/* Reading. Pending messages are not seen. */
const struct message *store_find(const struct store *s, uint64_t id);
const struct message *store_after(const struct store *s, uint64_t cursor); /* the next in id order */
struct store_counters store_counters(const struct store *s);
/* The encoded envelope into `to` (m->envelope_length octets); checked. */
bool store_read_envelope(struct store *s, const struct message *m, uint8_t *to);
/* The first n octets of content, or all; the number read. Negative: damaged or unreadable. */
int64_t store_read_content(struct store *s, const struct message *m, uint8_t *to, size_t n);
/* Newest STATE of a recipient into `to` (at least LIMIT_STATE_HISTORY_OCTETS + 64 octets): its history. Empty: none. */
struct span store_read_history(struct store *s, const struct message *m, uint32_t recipient, uint8_t *to,
                               size_t n);
/* When it was held and released, and who asked. False: never, or it cannot be read. */
bool store_read_holds(struct store *s, const struct message *m, struct hold_payload *ret);

/* Changes; durable with the next flush. All of them return false when there is no room or memory: nothing changed. */
struct attempt {
    uint8_t kind;     /* EVENT_ATTEMPT, or EVENT_OPERATOR: no attempt was made, somebody decided */
    uint8_t state;    /* DEFERRED, DELIVERED, BOUNCED, EXPIRED, REMOVED */
    uint64_t next_ms; /* DEFERRED: 0: by back-off */
    struct span enhanced, text;
    struct attempt_trace trace;
};
bool store_attempt(struct store *s, uint64_t id, uint32_t recipient, const struct attempt *a,
                   uint64_t now_ms);
/* targets: encoded with derived_put. The recipient becomes EXPANDED, its derived recipients queued. owner: the reverse-path of
 * what goes to them; empty: that of the message. */
bool store_expand(struct store *s, uint64_t id, uint32_t recipient, struct span owner, struct span targets,
                  uint64_t now_ms);
/* An open recipient that is not in flight becomes so, wherever it waits: somebody decides what becomes of it. */
bool store_claim(struct store *s, uint64_t id, uint32_t recipient);
/* As if it had just arrived: no attempts, due now. text: who asked. Recipients that are in flight stay as they are. */
bool store_requeue(struct store *s, uint64_t id, uint32_t recipient, struct span text, uint64_t now_ms);
/* The sender of a recipient that store_due called DUE_DELAY was told, or cannot be told. */
bool store_delay_told(struct store *s, uint64_t id, uint32_t recipient, uint64_t now_ms);
/* Held by an operator, or released: what the configuration holds is released with it (MESSAGE_RELEASED, for `place`). uid: who
 * asked. */
bool store_hold(struct store *s, uint64_t id, bool held, uint32_t uid, uint64_t now_ms);
enum store_due {
    DUE_ATTEMPT, /* in flight until store_ready, store_attempt, store_expand or store_put_back */
    DUE_EXPIRED, /* its time is over; in flight, too */
    DUE_DELAY /* its sender is to be told that it is late, then store_delay_told; else nothing changes for it */
};
enum store_sides {
    STORE_LOCAL = 1,
    STORE_OUTWARD = 2,
    STORE_ANY = 3
}; /* recipients: delivered here; for elsewhere */
/* Schedule: the next recipient of those sides that is due at now. Those of one message come behind one another where that costs little. */
bool store_due(struct store *s, enum store_sides sides, uint64_t now_ms, uint64_t *id, uint32_t *recipient,
               enum store_due *why);
/* A recipient in flight waits for its next hop in a queue of the caller (spool/destination.h). store_due may call it DUE_EXPIRED or
 * DUE_DELAY meanwhile; `left` tells when it is to be taken out. A ticket is not 0. */
void store_ready(struct store *s, uint64_t id, uint32_t recipient, uint32_t ticket, uint64_t now_ms);
/* A ready one was taken out of that queue for an attempt: in flight again. False: it is not ready (any more). */
bool store_taken(struct store *s, uint64_t id, uint32_t recipient);
uint64_t store_next_due_ms(const struct store *s, enum store_sides sides); /* UINT64_MAX: nothing */
void store_put_back(struct store *s, uint64_t id, uint32_t recipient,
                    uint64_t due_ms); /* no attempt was made */
/* Whoever had it in hand is gone without a word. True: not for the first time since the start. */
bool store_lost(struct store *s, uint64_t id, uint32_t recipient);
/* A reload: other times between attempts, and of life in the queue. */
void store_configure(struct store *s, uint32_t retry_first_seconds, uint32_t retry_max_seconds,
                     uint32_t queue_seconds, uint32_t delay_seconds);
/* The configuration changed: every recipient is placed anew, the first ones at once, others with store_maintain. */
void store_place_again(struct store *s, uint64_t now_ms);
/* Why a recipient waits, without reading the disk: numbers and addresses are left out. Empty: nothing is known. */
struct span store_reason(const struct store *s, const struct recipient *r);
/* When its time is over; what was released has a full cycle of attempts from then on. It says nothing of what is held. */
uint64_t store_expires_ms(const struct store *s, const struct message *m);

/* Leases. A read-only descriptor of a segment, the store's; the holder is counted. Negative errno. */
int store_lease(struct store *s, uint32_t segment);
void store_lease_return(struct store *s, uint32_t segment);
/* A sealed segment with leases that nobody needs otherwise: ask for it back. 0: none. After: the one last returned, or 0. */
uint32_t store_wanted_back(const struct store *s, uint32_t after);

/* Verify: checks everything there is, in bounded steps; what recovery found counts too, each place once. cursor: 0 at first; false
 * when all was looked at. */
struct verify_report {
    void (*problem)(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text);
    void *context;
    uint64_t segments, records, messages, damaged; /* counted by this step */
};
bool store_verify(struct store *s, uint64_t *cursor, struct verify_report *report);

#endif
