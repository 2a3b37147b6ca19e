/* spooler_private: the insides of the spooler process, shared by spooler*.c. It alone touches the spool's files; it has no
 * network. Edges give it messages, it makes them durable and answers; then it has local recipients expanded by the directory
 * and delivered by the mailbox, tries again later or tells the sender. */
#ifndef PROCESS_SPOOLER_PRIVATE_H
#define PROCESS_SPOOLER_PRIVATE_H

#include "mail/dsn.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "spool/destination.h"
#include "spool/listing.h"
#include "spool/relay_job.h"
#include "spool/store.h"
#include "spool/submit.h"

enum {
    SPOOLER_EDGES = 64,                         /* conversations, of all generations */
    SPOOLER_DELIVERIES = 65024,                 /* recipients in hand */
    SPOOLER_LOCAL = SPOOLER_DELIVERIES / 4,     /* in the hands of directory and mailbox at most */
    SPOOLER_SHARE = SPOOLER_DELIVERIES / 3 * 2, /* in the hands of relays at most */
    SPOOLER_CROWDED = SPOOLER_SHARE / 4, /* ... of them, by transactions that could as well have waited */
    SPOOLER_BUCKETS = 65536,             /* of the table that finds them */
    SPOOLER_NO_DELIVERY = 65535,
    SPOOLER_EARLY = 128,                   /* conversations that begin before start */
    SPOOLER_RELAYS = 8 * LIMIT_RELAYS_MAX, /* conversations, of all generations */
    SPOOLER_RELAY_JOBS = LIMIT_RELAY_JOBS, /* transactions in the hands of relays */
    SPOOLER_LEASES = 1024,                 /* segments lent to one holder */
    SPOOLER_RESULTS_QUEUED = 64,           /* packets */
    SPOOLER_JOBS_QUEUED = 256,
    SPOOLER_LEASE_IDLE_MS = 5000,
    SPOOLER_RETRY_MS = 1000, /* a peer is not there, or does not read */
    SPOOLER_MAINTAIN_MS = 5,
    SPOOLER_STARTED = 1024,  /* deliveries begun in one turn */
    SPOOLER_DRAIN_MS = 5000, /* results of the mailbox are waited for */
};

struct spooler;

struct spooler_pool { /* granted, its conversation has not begun */
    unsigned index, generation;
    int fd; /* -1: free */
};

struct spooler_early { /* a conversation that began before start */
    enum role role;
    unsigned index, generation;
    int fd;
};

struct spooler_edge {
    struct spooler *spooler;
    struct ipc *ipc; /* null: free */
    unsigned index, generation;
    uint32_t serial;     /* owner of its open messages; never used again */
    int pool_fd;         /* -1: mapped, or never granted */
    const uint8_t *pool; /* mapped when the edge has said how it is cut */
    bool deaf;           /* it does not read its answers: closed after this turn */
    struct pool_geometry geometry;
};

enum delivery_stage {
    DELIVERY_FREE,
    DELIVERY_TAKEN,
    DELIVERY_ASKED,     /* the directory */
    DELIVERY_SENT,      /* the mailbox */
    DELIVERY_RELAYED,   /* part of a job of a relay */
    DELIVERY_RESULT,    /* known, to be recorded at the end of this turn or later */
    DELIVERY_NOTIFYING, /* a notification is on its way to disk; then DELIVERY_RESULT */
};

struct delivery {
    uint8_t stage, state; /* state: outcome, enum recipient_state */
    bool notified;
    bool late;           /* no attempt: its sender is to be told that it waits */
    bool local;          /* in the hands of directory or mailbox, among n_local */
    bool relayed;        /* DELIVERED: to a next hop that passes it on */
    bool next_hop_tells; /* ... which will tell the sender itself (RFC 3461 5.2.2) */
    uint16_t text_length, owner_length, serial;
    uint16_t next_in_bucket, next_notified; /* next_notified: of those that one notification speaks of */
    uint32_t recipient, count;
    uint64_t id, retry_ms;
    uint64_t asked_ms; /* ASKED, SENT: since when, of the loop's clock */
    char enhanced[12];
    uint8_t text[LIMIT_RESULT_TEXT_OCTETS];
    uint8_t owner[LIMIT_PATH_OCTETS];
    uint8_t host[LIMIT_RELAY_HOST_OCTETS], tls[LIMIT_RELAY_TLS_OCTETS];
    struct attempt_trace trace; /* its spans point to host and tls */
    uint8_t *targets;           /* of an expansion, encoded with derived_put; malloc */
    size_t targets_length, targets_max;
};

struct lease {
    uint32_t segment;
    bool recalled;
    uint64_t used_ms;
};

struct holder { /* a process that reads segments: the mailbox, a relay */
    struct ipc *ipc;
    struct lease leases[SPOOLER_LEASES];
    unsigned n_leases;
    uint64_t check_ms;
};

struct relay_peer {
    struct spooler *spooler;
    struct holder holder; /* without a channel: free */
    unsigned index, generation;
    unsigned jobs; /* in its hands */
};

struct relay_job {            /* one transaction */
    struct relay_peer *relay; /* null: free, or not handed over yet */
    uint32_t destination, n, open;
    uint16_t serial;
    bool connected;
    bool delivers; /* its next hop is an LMTP server: that is the last delivery (RFC 2033 1) */
    uint16_t deliveries[LIMIT_RELAY_RECIPIENTS]; /* SPOOLER_NO_DELIVERY: it has its result */
};

struct spooler {
    struct child *child;
    struct store *store;
    int folder; /* the spool */
    bool started, draining, stopping;
    uint64_t seed, salt, last_id, now_ms;
    uint32_t next_serial;
    struct spooler_pool pools[SPOOLER_EDGES];
    struct spooler_edge edges[SPOOLER_EDGES];
    struct ipc *directory, *admin;
    struct holder mailbox;
    struct spooler_early early[SPOOLER_EARLY];
    unsigned n_early;
    struct delivery *deliveries;
    uint16_t buckets[SPOOLER_BUCKETS];
    uint16_t free[SPOOLER_DELIVERIES];
    unsigned n_deliveries; /* used */
    unsigned n_relayed;    /* of them, those in the hands of relays */
    unsigned n_local;      /* ... of directory and mailbox */
    uint16_t results[SPOOLER_DELIVERIES];
    unsigned n_results; /* in stage RESULT */
    struct destinations *destinations;
    struct relay_peer relays[SPOOLER_RELAYS];
    struct relay_job *jobs;
    uint16_t free_jobs[SPOOLER_RELAY_JOBS];
    unsigned n_jobs;
    struct timer timer;
    uint64_t stuck_ms; /* since when the store is stuck, of the loop's clock; 0: it is not */
    bool let_go;       /* ... and nobody waits for it any more */
    uint64_t maintain_ms, overdue_ms, used_ms, drain_ms;
    struct listing_verified verified;
    uint64_t delivered, deferred, bounced, expired, notifications;
};

/* spooler_edge.c */
void spooler_edge_open(struct spooler *s, unsigned index, unsigned generation, int fd);
void spooler_edge_pool(struct spooler *s, unsigned index, unsigned generation, int fd);
void spooler_edge_answer(struct spooler *s, uint64_t token, uint64_t id, enum store_status status);
bool spooler_edges_open(const struct spooler *s);
void spooler_edges_flush(struct spooler *s);
/* Called often: while the store is stuck nothing that was committed can be answered; its clients are not kept waiting for long. */
void spooler_edges_let_go(struct spooler *s);

/* spooler_delivery.c */
void spooler_deliveries_init(struct spooler *s);
void spooler_dispatch(struct spooler *s); /* starts what is due, as far as there is room */
enum store_sides spooler_sides_open(const struct spooler *s); /* 0: nothing can be started */
/* Called often: whoever lives and did not answer in time is asked anew, in another conversation. */
void spooler_overdue(struct spooler *s);
bool spooler_busy(const struct spooler *s); /* a result is waited for, or not recorded */
/* A slot for a recipient that store_due said; null: there is none. */
struct delivery *spooler_delivery_take(struct spooler *s, uint64_t id, uint32_t recipient);
struct delivery *spooler_delivery_find(struct spooler *s, uint64_t id, uint32_t recipient,
                                       enum delivery_stage stage);
void spooler_delivery_release(struct spooler *s, struct delivery *d);
void spooler_delivery_local_ends(struct spooler *s,
                                 struct delivery *d); /* directory and mailbox do not have it any more */
/* No attempt was made: due again after wait_ms. The second: all of that stage, whose peer is gone. */
void spooler_put_back(struct spooler *s, struct delivery *d, uint64_t wait_ms);
void spooler_put_back_all(struct spooler *s, enum delivery_stage stage);
/* Where its mail goes, by its own path; or as if its path were that one. */
enum config_way_kind spooler_way_to(const struct spooler *s, const struct message *m,
                                    const struct recipient *r, struct span path, struct config_way *way);
enum config_way_kind spooler_way(const struct spooler *s, const struct message *m, const struct recipient *r,
                                 struct config_way *way);
enum store_place spooler_place(void *context, const struct message *m, const struct recipient *r);

/* spooler_result.c */
void spooler_outcome(struct spooler *s, struct delivery *d, uint8_t state, struct span enhanced,
                     struct span text);
void spooler_results(struct spooler *s); /* records what is known: once a turn */
void spooler_notified(struct spooler *s, uint64_t token, enum store_status status);

/* spooler_directory.c */
void spooler_directory_open(struct spooler *s, int fd);
void spooler_expand(struct spooler *s, struct delivery *d, struct span path);
void spooler_directory_lost(struct spooler *s, const char *reason); /* null: it is replaced */

/* spooler_mailbox.c */
void spooler_mailbox_open(struct spooler *s, int fd);
void spooler_mailbox_lost(struct spooler *s, const char *reason);
void spooler_deliver(struct spooler *s, struct delivery *d,
                     struct span mailbox); /* local@domain, canonical */

/* spooler_relay.c */
bool spooler_relays_init(struct spooler *s); /* with the seed known; false: no memory */
void spooler_relay_open(struct spooler *s, unsigned index, unsigned generation, int fd);
/* Puts a recipient that store_due said in the line of its next hop. False: it has none now, or memory is short: it is still the caller's. */
bool spooler_line_up(struct spooler *s, uint64_t id, uint32_t recipient);
void spooler_left(void *context, uint32_t ticket); /* of the store: a recipient leaves its line */
void spooler_relay_dispatch(struct spooler *s);    /* begins what may begin */
/* The encoded next hop of a recipient by the routes of now (next_hop_put); a hold line does not change where it would go. False: none. */
bool spooler_next_hop(const struct spooler *s, const struct message *m, const struct recipient *r,
                      struct buf *key);
/* How that next hop failed last, whosever attempt it was. Null: nobody knows. Valid until destinations change. */
const struct destination_failure *spooler_next_hop_failure(const struct spooler *s, const struct message *m,
                                                           const struct recipient *r);
uint64_t spooler_relay_next_ms(
    const struct spooler *s); /* of the loop's clock: when something may begin; UINT64_MAX: nothing */
void spooler_relays_turn(struct spooler *s); /* leases, and what is to be sent */

/* spooler_lease.c: segments that are lent to a holder */
bool spooler_lend(struct spooler *s, struct holder *h,
                  uint32_t segment); /* it holds it now; false: not now */
/* Content of that message is still to be read: what it lies in is not idle. */
void spooler_lease_used(struct spooler *s, struct holder *h, const struct message *m);
void spooler_lease_returned(struct spooler *s, struct holder *h, uint32_t segment);
void spooler_leases(struct spooler *s, struct holder *h);     /* asks for idle and wanted ones back */
void spooler_leases_end(struct spooler *s, struct holder *h); /* the holder is gone */

/* spooler_dsn.c. The sender of a message is told what became of a recipient (RFC 3464). */
#define SPOOLER_TOKEN_DSN (UINT64_C(1) << 63)
/* ORCPT of the recipient that the sender wrote, as it stands in the envelope; points into it. */
struct span spooler_orcpt(const struct message *m, const struct recipient *r, struct span envelope);
enum dsn_action spooler_action(const struct delivery *d); /* what the sender would be told */
bool spooler_wants_dsn(const struct config *c, const struct message *m, const struct recipient *r,
                       uint8_t outcome);
/* One notification for n recipients of one message, with one reverse-path and one kind of outcome; token: of its commit. */
enum store_status spooler_notify(struct spooler *s, struct delivery *const *about, unsigned n,
                                 uint64_t token);

/* spooler_queue.c */
void spooler_admin_open(struct spooler *s, int fd);

/* However many next hops keep relays waiting, there is room for local mail; and the other way round. */
static inline bool spooler_relays_have_room(const struct spooler *s)
{
    return s->n_deliveries + LIMIT_RELAY_RECIPIENTS <= SPOOLER_DELIVERIES &&
           s->n_relayed + LIMIT_RELAY_RECIPIENTS <= SPOOLER_SHARE;
}
/* From here on first transactions of destinations only, of few recipients: there is room for all of those (destination.h). */
static inline bool spooler_relays_crowded(const struct spooler *s)
{
    return s->n_relayed + LIMIT_RELAY_RECIPIENTS > SPOOLER_CROWDED;
}
_Static_assert(SPOOLER_CROWDED + SPOOLER_RELAY_JOBS / 4 * 3 * DESTINATION_FEW <= SPOOLER_SHARE, "see above");

static inline struct span domain_of(struct span path)
{
    size_t at = span_rfind(path, '@');
    return at == SPAN_NPOS ? (struct span){0} : span_skip(path, at + 1);
}
void spooler_log_id(uint64_t id);

#endif
