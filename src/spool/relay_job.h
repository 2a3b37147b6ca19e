/* relay_job: what spooler and relay say to each other. One job is one transaction: a message, some of its recipients, one next hop.
 * It comes in pieces (each an IPC message of its own): a head, recipients, extents; the piece with `last` ends it. Segments are lent as
 * to the mailbox (spool/job.h: MSG_JOB_SEGMENT, RECALL, RETURN). */
#ifndef SPOOL_RELAY_JOB_H
#define SPOOL_RELAY_JOB_H

#include "policy/next_hop.h"
#include "spool/job.h"

struct relay_head { /* spooler -> relay */
    uint64_t job;   /* opaque, comes back */
    uint64_t id;    /* message, for the log */
    uint64_t content_octets;
    uint32_t flags;      /* ENVELOPE_* of spool/envelope.h */
    uint32_t recipients; /* that will come, 1..LIMIT_RELAY_RECIPIENTS */
    struct next_hop hop;
    struct span reverse_path; /* without brackets; empty for <> */
    struct span envid;        /* xtext */
};

struct relay_recipient {
    uint64_t job;
    uint32_t recipient; /* index within the message, comes back */
    uint8_t notify;     /* DSN_NOTIFY_* */
    struct span path;   /* without brackets */
    struct span orcpt;  /* "type;xtext", may be empty */
};

#define RELAY_EXTENTS 256
struct relay_extents {
    uint64_t job;
    uint8_t last; /* the job is complete */
    uint32_t count;
    struct extent extents[RELAY_EXTENTS];
};

enum relay_scope {                  /* what a result speaks of */
                   RELAY_RECIPIENT, /* this recipient only */
                   RELAY_MESSAGE, /* all recipients of the job that had no result yet: the message was refused or deferred */
                   RELAY_NEXT_HOP, /* the same, and nothing else will fare better there now: no connection, 421, no TLS */
                   RELAY_SCOPE_COUNT
};

struct relay_result { /* relay -> spooler; every job ends with exactly one result that has `last` */
    uint64_t job;
    uint32_t recipient;    /* with RELAY_RECIPIENT */
    uint8_t scope, status; /* enum relay_scope, enum job_status */
    uint8_t last;          /* the job is over; with RELAY_RECIPIENT all others had theirs */
    uint8_t relayed_dsn;   /* the next hop offered DSN: it will tell the sender of success (RFC 3461 5.2.2) */
    uint16_t code;         /* of the reply; 0: no reply */
    char enhanced[12];     /* "5.1.1", NUL-terminated */
    struct span text;      /* the remote's words, or ours; printable */
    struct span host;      /* "mx.example.org[192.0.2.1]:25"; empty: none was reached */
    struct span tls;       /* "TLSv1.3 dane-ee", "none: not offered" ...: what protected it and why */
    /* connect_ms: 0 when an older session was used, else at least 1; session: greeting to MAIL; transfer: MAIL to the last reply */
    uint32_t dns_ms, connect_ms, session_ms, transfer_ms;
};

void relay_head_put(struct buf *b, const struct relay_head *m);
bool relay_head_read(struct span payload, struct relay_head *ret);
void relay_recipient_put(struct buf *b, const struct relay_recipient *m);
bool relay_recipient_read(struct span payload, struct relay_recipient *ret);
void relay_extents_put(struct buf *b, const struct relay_extents *m);
bool relay_extents_read(struct span payload, struct relay_extents *ret);
/* What is not printable in text, host and tls becomes "?", what is too long is cut: the receiver takes nothing else. */
void relay_result_put(struct buf *b, const struct relay_result *m);
/* False: it cannot be read, but job and last are as far as they can be trusted (0 where they are missing). */
bool relay_result_read(struct span payload, struct relay_result *ret);

#endif
