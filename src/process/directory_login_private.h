/* directory_login: inside. directory_login.c: life, threads, status; _edge: what edges ask, and the answers; _step: steps of logins stand in
 * line for the threads, are worked there, and what comes of them is told; _conversation: each one's memory, and the table of them. */
#ifndef PROCESS_DIRECTORY_LOGIN_PRIVATE_H
#define PROCESS_DIRECTORY_LOGIN_PRIVATE_H

#include "process/directory_guard.h"
#include "process/directory_login.h"
#include "process/directory_turns.h"
#include "service/login.h"
#include "system/workers.h"

enum {
    LOGINS_THREADS = LIMIT_LOGIN_QUICK_THREADS + LIMIT_LOGIN_SLOW_THREADS + LIMIT_LOGIN_OUTSIDE_THREADS,
    LOGINS_BUCKETS = 1024,
};

struct conversation {        /* a login, or a question for a sender */
    struct worker_task task; /* first */
    struct turn turn;        /* a login: its step stands in line for a thread, or not */
    struct timer timer;      /* of a refusal that is told later, or of a client that is slow */
    struct logins *all;
    struct conversation *next; /* of its bucket */
    unsigned edge;
    uint64_t session;
    uint32_t slot;
    bool sender;    /* else a login */
    uint8_t queue;  /* enum login_queue, of the step in hand */
    bool waiting;   /* it has not begun: its source must wait */
    bool working;   /* a thread has it */
    bool cancelled; /* nobody waits for it */
    bool counted;   /* what became of it: once */
    struct login *login;
    struct span response; /* of the step in hand; malloc, wiped */
    uint64_t unix_seconds, began_ms;
    struct login_answer answer;
    struct sender_question question; /* its spans point into response */
    struct sender_answer verdict;
};

struct login_edge {
    struct logins *all;
    struct ipc *channel;
    int fd; /* a conversation that waits for the start; else -1 */
    unsigned index;
    struct bans_reader bans; /* what it was told */
};

struct logins {
    struct child *child;
    struct login_world world;
    struct token_keys *token_keys;       /* that the world knows */
    struct tls_authorities *authorities; /* the same */
    struct login_thread *threads[LOGINS_THREADS];
    struct guard *guard;
    struct workers *workers[LOGIN_QUEUES];
    struct turns *turns;
    unsigned at_work[LOGIN_QUEUES]; /* steps that the threads have */
    bool open;                      /* else the store cannot be opened: no guard, no workers, no turns */
    struct login_edge edges[LIMIT_EDGES_MAX];
    struct conversation *buckets[LOGINS_BUCKETS];
    unsigned n_logins, n_senders;
    bool started;
    uint64_t succeeded, refused, failed;
};

/* directory_login_conversation.c */
/* A login that somebody waits for. */
struct conversation *conversation_find(const struct logins *l, unsigned edge, uint64_t session,
                                       uint32_t slot);
/* Null: there are LIMIT_LOGINS of its kind already, or there is no memory. */
struct conversation *conversation_add(struct login_edge *e, uint64_t session, uint32_t slot, bool sender);
/* Copies s as its response. False: no memory, and it has none. */
bool conversation_keep(struct conversation *c, struct span s);
void conversation_wipe(struct conversation *c); /* its response, if it has one */
/* Out of the table, its line and its timer; wiped and freed. No thread may have it. */
void conversation_forget(struct conversation *c);
/* The edge is gone: those that threads have are cancelled, the others forgotten. */
void conversation_forget_edge(struct logins *l, unsigned edge);
void conversation_forget_all(struct logins *l); /* the threads are joined */

/* directory_login_edge.c */
/* Its conversation begins, over e->fd. */
void logins_edge_open(struct login_edge *e);
/* Its conversation ends, and so do the logins of its clients. */
void logins_edge_lost(struct login_edge *e, const char *constant_reason);
/* Both: nothing when there is no edge any more; the edge is lost when it does not read. */
void logins_edge_answer(struct login_edge *e, const struct login_answer *a);
void logins_edge_verdict(struct login_edge *e, const struct sender_answer *a);

/* directory_login_step.c */
/* Its next step waits for its turn. */
void logins_step_line_up(struct conversation *c);
/* Of the workers: work in a thread, which has c for itself; done in the loop. */
void logins_step_work(struct worker_task *task, void *login_thread);
void logins_step_done(void *logins, struct worker_task *task);
/* The last answer of a login. c is forgotten. */
void logins_step_tell(struct conversation *c);
/* Its client went away. A refusal counts all the same, told in a challenge or not yet told: else whoever hangs up in time could
 * guess, and have accounts locked elsewhere, unseen. c is forgotten. */
void logins_step_abandon(struct conversation *c);

#endif
