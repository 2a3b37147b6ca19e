/* relay: inside. relay.c: life, grants, conversations; _spooler: jobs and leases come in; _job: one job's memory; _link: a way to one
 * next hop, from the question to the connector over its sessions to its end; _send: a job on a session; _result: answers and log. */
#ifndef PROCESS_RELAY_PRIVATE_H
#define PROCESS_RELAY_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "service/connect_message.h"
#include "service/outbound.h"
#include "spool/message_id.h"
#include "spool/relay_job.h"

enum {
    RELAY_JOBS = LIMIT_RELAY_JOBS,
    RELAY_LINKS =
        LIMIT_RELAY_JOBS + 1024, /* a job has one; the others are idle, or say QUIT this very moment */
    RELAY_JOB_MAP = 2 * RELAY_JOBS,
    RELAY_LEASES = 2048,
    RELAY_BUCKETS = 1024,    /* of idle links, by next hop */
    RELAY_REUSE_MS = 300000, /* no session is used for longer than that: other exchangers have their share */
    RELAY_REUSE_MESSAGES = 1000,
    RELAY_PLAIN_TRIES = 8,
    RELAY_ANSWER_MS = 2000 * LIMIT_CONNECT_TOTAL_SECONDS, /* of the connector, which has its own deadline */
    RELAY_LOOK_MS = 30000,
    RELAY_QUEUED = 256, /* packets to a peer */
};

struct relay_link;

struct relay_job {
    bool used, complete;
    uint64_t job, id, content_octets;
    uint32_t flags;
    struct next_hop hop;
    struct span key; /* of the next hop */
    struct span reverse_path, envid;
    struct client_recipient *to; /* index: within the message */
    uint8_t *told;               /* of each: it had its result */
    uint32_t n, arrived;
    uint32_t first, batch; /* those that are in hand now */
    uint64_t begun_ms;     /* its way was looked for */
    uint8_t *memory;       /* of all strings and of the arrays; kept for the next job when it is small */
    size_t memory_n, memory_max;
    struct extent *extents;
    uint32_t n_extents, extents_max;
    struct outbound_message message;
    struct relay_link *link;
    struct relay_job *next; /* free ones */
};

enum relay_link_state { RELAY_LINK_FREE, RELAY_LINK_ASKING, RELAY_LINK_OPEN, RELAY_LINK_IDLE };

struct relay_failure { /* why the last candidate was not used */
    bool known;
    uint16_t code, text_n;
    struct enhanced enhanced;
    char text[LIMIT_RESULT_TEXT_OCTETS];
};

struct relay_link {
    struct list place; /* ASKING and not asked yet, or waiting for a directory; or IDLE, in its bucket */
    struct list age;   /* IDLE: the longest first */
    struct relay *relay;
    struct relay_link *next; /* free ones */
    uint8_t state;
    uint64_t tag; /* of its questions */
    uint64_t id;  /* of its session, for the log */
    struct relay_job *job;
    struct outbound_session *session;
    uint8_t *key; /* of the next hop */
    uint32_t key_n, key_max, bucket;
    struct address address; /* of the candidate */
    uint16_t port;
    bool has_address;
    bool plain_known; /* opportunistic TLS failed with this one: it is talked to in clear */
    struct address plain;
    uint8_t
        plain_tries; /* how often, for this job: exchangers that take turns must not have us go round and round */
    uint32_t n_tried;
    struct connect_tried tried[CONNECT_TRIED];
    struct relay_failure failure;
    unsigned messages; /* done in this session */
    uint8_t auth_step;
    uint32_t dns_ms, connect_ms, session_ms;
    uint64_t asked_ms, opened_ms, sent_ms;
    uint16_t host_n, tls_n;
    char host[LIMIT_RELAY_HOST_OCTETS], tls[LIMIT_RELAY_TLS_OCTETS];
};

struct relay_lease {
    uint32_t segment, jobs; /* in hand whose content lies there (one that comes back to it counts again) */
    int fd;
    bool recalled; /* returned when no job needs it any more */
};

struct relay_counters {
    uint64_t relayed, deferred, failed, sessions, reused;
};

struct relay {
    struct child *child;
    struct tls_client_context *tls;
    struct outbound *outbound;
    struct ipc *spooler, *connector, *directory;
    int spooler_fd, connector_fd, directory_fd, authorities_fd; /* before the start */
    bool started, draining, stopping;
    const char *lost; /* why the conversation with the spooler ends */
    struct timer drain_timer, look_timer;
    struct relay_job *jobs, *free_jobs;
    struct map job_map;
    struct map_slot *job_slots;
    unsigned n_jobs, n_working; /* working: on their way */
    struct relay_link *links, *free_links;
    struct list unasked, idle, buckets[RELAY_BUCKETS];
    struct list logins;  /* ASKING: the directory is not there, and they are to log in */
    bool directory_gone; /* or another one: who has not logged in yet does so anew, after this turn */
    unsigned n_idle;
    uint64_t tags, last_id;
    struct relay_lease leases[RELAY_LEASES];
    unsigned n_leases;
    struct relay_counters counters;
};

/* relay.c */
/* The conversation ends after this turn: whoever holds a job or a session now may go on with it. */
void relay_spooler_lost(struct relay *r, const char *constant_reason);

/* relay_spooler.c */
extern const struct ipc_allowed relay_from_spooler[];
extern const unsigned relay_from_spooler_n;
void relay_spooler_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds);
int relay_segment(void *context, uint32_t segment); /* hook of outbound */
void relay_leases_drop(struct relay *r);
/* A job is complete, and needs the segments of its content; it is over, and does not. */
void relay_leases_need(struct relay *r, const struct relay_job *j);
void relay_leases_spare(struct relay *r, const struct relay_job *j);

/* relay_job.c */
bool relay_jobs_create(struct relay *r);
struct relay_job *relay_job_find(struct relay *r, uint64_t job);
/* False: the spooler breaks the rules. */
bool relay_job_begin(struct relay *r, const struct relay_head *h);
bool relay_job_recipient(struct relay *r, const struct relay_recipient *m);
/* *ret: the job is complete now; null: more will come. */
bool relay_job_extents(struct relay *r, const struct relay_extents *m, struct relay_job **ret);
void relay_job_end(struct relay *r, struct relay_job *j);
void relay_jobs_drop(struct relay *r); /* all of them */
/* It took so long that nothing more is begun for it: others wait for its place. */
bool relay_job_late(const struct relay *r, const struct relay_job *j);

/* relay_link.c */
bool relay_links_create(struct relay *r);
/* A complete job finds its way: a session that is idle, or a new one. */
void relay_link_job(struct relay *r, struct relay_job *j);
/* Its session is gone and took nothing of the job: the next candidate, if there is one; or, same, this one once more. */
void relay_link_next(struct relay_link *l, const struct client_reply *why, bool same);
/* The same, and no candidate would be better. */
void relay_link_last(struct relay_link *l, const struct client_reply *why);
/* Nobody holds it any more; its session is gone. */
void relay_link_free(struct relay_link *l);
void relay_link_idle(struct relay_link *l);
/* The session of that tag, for an answer of the directory. */
struct relay_link *relay_link_find(struct relay *r, uint64_t tag);
void relay_links_ask(struct relay *r);          /* those that could not be asked for yet */
void relay_links_ask_again(struct relay *r);    /* the connector is a new one */
void relay_links_overdue(struct relay *r);      /* the connector does not answer */
void relay_links_log_in(struct relay *r);       /* there is a directory now */
void relay_links_log_in_again(struct relay *r); /* there was one that did not answer all it was asked */
void relay_links_quit(struct relay *r);         /* those that are idle */
void relay_links_abandon(struct relay *r);      /* those whose job has sent nothing yet; it stays, untried */
void relay_links_drop(struct relay *r);         /* all of them */
void relay_connector_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds);

/* relay_send.c */
extern const struct outbound_hooks relay_outbound_hooks;
void relay_send(struct relay_link *l);
void relay_directory_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds);

/* relay_result.c */
void relay_tell_recipient(struct relay_link *l, uint32_t i, const struct client_reply *reply);
/* The last result of the job: of all that had none. The job is over. next_hop: nothing else fares better there now. */
void relay_tell_rest(struct relay_link *l, const struct client_reply *reply, bool next_hop);
void relay_alarm(const struct relay_link *l, const char *text);

#endif
