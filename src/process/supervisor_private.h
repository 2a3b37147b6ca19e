/* supervisor: inside. supervisor.c: signals, beginning and end; _load: config and files of a generation; _listen: sockets;
 * _lock: one service for one spool; _shared: memory that edges share; _process: one child; _spawn: fork and what a child is given; _generation: start, switch,
 * drain; _watch: pings, status, the watchdog. */
#ifndef PROCESS_SUPERVISOR_PRIVATE_H
#define PROCESS_SUPERVISOR_PRIVATE_H

#include <sys/types.h>

#include "policy/sources.h"
#include "process/skeleton.h"
#include "process/supervise.h"
#include "process/supervisor.h"
#include "service/config_load.h"
#include "system/log.h"
#include "system/tls_ticket.h"

enum {
    GENERATIONS_MAX = 8, /* one serves, one may start, the rest drains */
    PROCESSES_MAX = SOURCES_EDGES + (3 + LIMIT_RELAYS_MAX) * GENERATIONS_MAX +
                    PROC_ROLE_COUNT, /* edges; keyrings, directories, winbinds and relays; the others */
    LISTEN_BACKLOG = 4096,
    START_SECONDS = 80,  /* a first generation that is not ready by then is given up: systemd waits for 90 */
    RELOAD_SECONDS = 50, /* a later one: before LIMIT_CONTROL_STALL_SECONDS of who asked for it end */
    RETIRE_SECONDS = 5,  /* a reload waits for the old edges to stop accepting, then it is answered anyway */
    STOP_GRACE_SECONDS = 5, /* beyond a process' own deadline, then it is killed */
    STOP_SPOOLER_SECONDS = 30,
    PING_MS = 2000,
    UNRESPONSIVE_MS = 15000, /* said in the log, and the watchdog hears no more of us */
    HUNG_MS = 60000,         /* killed, unless it may be waiting for a disk */
    STATUS_WAIT_MS = 1000,
    STEADY_MS = 10000, /* a process that lived as long may be started again at once */
    RESTART_MS_FIRST = 100,
    RESTART_MS_MAX = 800,         /* of a process that served: back within a second, always */
    RESTART_MS_MAX_START = 10000, /* of one that did not even start */
};

struct supervisor;
struct generation;

enum process_state {
    PROCESS_FREE,
    PROCESS_STARTING,
    PROCESS_READY,
    PROCESS_DRAINING,
    PROCESS_WAITING, /* dead; timer starts it again */
};

struct process {
    enum process_state state;
    enum role role;
    unsigned index;
    struct generation *generation; /* null for roles that live through reloads */
    struct supervisor *supervisor;
    char name[24];
    pid_t pid;
    struct ipc *channel;
    struct timer timer;               /* WAITING: start again. DRAINING: kill */
    uint64_t started_ms, answered_ms; /* its last sign of life */
    unsigned quick_deaths, restarts;
    unsigned column;                 /* edge */
    int pool;                        /* edge */
    uint8_t caged;                   /* enum sandbox_result, when READY */
    bool slow;                       /* said that it does not answer */
    bool quiet;                      /* DRAINING: said that it takes no new work */
    bool replace;                    /* DRAINING in order to be started again */
    uint32_t serials[PROCESSES_MAX]; /* of the newest conversation with each; 0: none */
    bool lost[PROCESSES_MAX];        /* the newest conversation with that process broke off */
    bool status_awaited;
    size_t status_n;
    uint8_t status[SUPERVISE_STATUS_OCTETS];
};

enum generation_state { GENERATION_FREE, GENERATION_STARTING, GENERATION_SERVING, GENERATION_DRAINING };

struct opened { /* a file or folder that the configuration names */
    enum grant kind;
    unsigned a, b;
    int fd;
};

struct generation {
    enum generation_state state;
    unsigned number, n_edges;
    struct supervisor *supervisor;
    struct config_load load;
    int bundle, map;
    struct opened *opened; /* in the arena of load */
    size_t n_opened;
    struct timer timer; /* STARTING: give up. DRAINING: the end */
    uint8_t
        failure[SUPERVISE_REASON_OCTETS + 64]; /* STARTING: what the first process that cannot start said */
    size_t failure_n;
};

struct listening { /* one address and port: a socket for each edge, or one that all share */
    struct address address;
    uint16_t port;
    bool shared;        /* from systemd */
    bool wanted;        /* by the newest configuration */
    unsigned n, served; /* served: of them, those that the serving generation accepts from */
    int fds[LIMIT_EDGES_MAX];
};

struct supervisor {
    struct supervisor_options options;
    struct loop *loop;
    struct watch signals;
    unsigned generations_made;
    uint32_t conversations;
    struct generation generations[GENERATIONS_MAX];
    struct generation *serving; /* null until the first is ready */
    struct process processes[PROCESSES_MAX];
    struct listening listenings[2 * LIMIT_LISTENERS];
    unsigned n_listenings;
    int control; /* the listening control socket */
    char control_path[LIMIT_SOCKET_PATH_OCTETS + 1];
    int sources, rates; /* tables that the edges share; -1 until they are made */
    struct sources sources_view;
    struct tls_ticket_keys tickets;
    int tickets_fd;
    int detached; /* pipe to the waiting shell; -1 */
    int status;
    bool stopping;
    unsigned stop_stage;
    int lock;              /* the spool's folder, locked; -1 until then */
    uint64_t patience_ms;  /* until then a first start waits for what is in use; 0: it did not have to */
    struct process *asker; /* whose reload is running; null: a signal's */
    struct generation
        *retiring;      /* a reload is all but done: its edges have not all stopped accepting; null: none */
    bool reload_wanted; /* when the start or reload that is running is over */
    struct process *waits; /* who wants it; null: a signal */
    bool status_asked;     /* asked by the admin process, answer open */
    uint32_t status_tag;
    unsigned status_open; /* processes that have not said theirs yet */
    struct timer relink_timer, retire_timer, ticket_timer, ping_timer, watchdog_timer, status_timer,
        stop_timer;
};

/* supervisor.c */
void supervisor_exit(struct supervisor *s, int status);
/* Lets the shell that waits since the start go on with that status. */
void supervisor_release_shell(struct supervisor *s, uint8_t status);
/* SIGTERM or the operator: drains and ends; a second time kills. */
void supervisor_stop(struct supervisor *s);
/* Called whenever a process was reaped while stopping. */
void supervisor_stop_next(struct supervisor *s);

/* supervisor_tell.c */
/* One thing that hinders a start or a reload, or (a warning) is odd about it: a line in the log (config-error, config-warning; without a
 * file cannot-serve), and in text for whoever asked, FILE:LINE:COLUMN: error: ... . Its texts are printable already. */
void supervisor_tell(struct buf *text, const struct config_problem *p);
void supervisor_tell_reason(struct buf *text, struct span reason); /* an error of no file */
/* A reload is done: which servers have another access than before, each a line in the log. */
void supervisor_tell_access(const struct config *before, const struct config *now);

/* supervisor_load.c */
/* Reads, checks and opens what the configuration names. False: it cannot be used. The problems were told (supervisor_tell), warnings
 * in any case. */
bool supervisor_load(struct supervisor *s, struct generation *g, struct buf *text);
void supervisor_unload(struct generation *g);
/* A description of its own, so that no two processes share an offset. -1: errno. */
int supervisor_open_again(int fd);
/* The role that gets a kind of opened file; PROC_SUPERVISOR: none. */
enum role supervisor_role_of_grant(enum grant kind);
/* The spool and the control socket stay as they are until a restart: null, or why this config cannot be reloaded into. */
const char *supervisor_unchangeable(const struct supervisor *s, const struct generation *g);
/* Some mail folder of g is none of those that `before` had. */
bool supervisor_new_folders(const struct generation *before, const struct generation *g);

/* supervisor_lock.c */
/* Locks the spool's folder, once. False: who has it was told. */
bool supervisor_lock_spool(struct supervisor *s, const struct generation *g, struct buf *text);
/* Before anything serves: what is in use may be a killed predecessor's, whose processes need a moment. Sleeps for a moment; true:
 * try again. */
bool supervisor_may_wait(struct supervisor *s);

/* supervisor_listen.c */
void supervisor_adopt_sockets(struct supervisor *s); /* systemd's */
/* Binds what g wants and is not there yet. False: it was told why, and what to do. */
bool supervisor_listen(struct supervisor *s, const struct generation *g, struct buf *text);
/* g serves: sockets that it does not want are closed. */
void supervisor_listeners_serve(struct supervisor *s);
/* A reload failed: sockets that were bound for it are closed; nobody would accept from them. */
void supervisor_listeners_revert(struct supervisor *s);
void supervisor_close_listeners(struct supervisor *s);
const struct listening *supervisor_listening(const struct supervisor *s, const struct config_listener *l);
bool supervisor_listen_control(struct supervisor *s, const struct config *c, struct buf *text);

/* supervisor_shared.c */
bool supervisor_make_sources(struct supervisor *s, const struct config *c);
bool supervisor_make_rates(struct supervisor *s);
bool supervisor_rotate_tickets(struct supervisor *s);

/* supervisor_spawn.c */
/* Starts it and hands out everything up to START. False: errno; the process is FREE or WAITING. */
bool supervisor_spawn(struct process *p);
/* peers_may_talk of their roles, and they are of generations that meet: roles of a generation meet their own only, and the spooler asks the
 * directory of the generation that serves (until one does: that starts), never one that stays for the sessions of an older one. */
bool supervisor_may_meet(const struct process *a, const struct process *b);
/* A conversation between two living processes. */
void supervisor_introduce(struct process *a, struct process *b);
bool supervisor_grant(struct process *p, enum grant kind, unsigned a, unsigned b, int fd);
bool supervisor_send_config(struct process *p, const struct generation *g);

/* supervisor_process.c */
struct process *supervisor_process(struct supervisor *s, enum role role, unsigned index,
                                   struct generation *g);
struct process *supervisor_process_new(struct supervisor *s, enum role role, unsigned index,
                                       struct generation *g);
bool supervisor_process_alive(const struct process *p); /* it has a pid */
void supervisor_process_drain(struct process *p, bool stopping, uint64_t kill_ms);
void supervisor_process_kill(struct process *p);
void supervisor_reap(struct supervisor *s);
/* The messages of a child. */
void supervisor_on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds);
void supervisor_on_closed(void *context, const char *reason);

/* supervisor_generation.c */
/* Loads, binds and begins to start. False: nothing changed, and it was told why (supervisor_tell). */
bool supervisor_generation_begin(struct supervisor *s, struct buf *text);
/* Something became ready: the next step, up to serving. */
void supervisor_generation_step(struct generation *g);
/* A process of a starting generation failed. why: when no process said it better. */
void supervisor_generation_fail(struct generation *g, const char *why);
/* What a process says that cannot start, to be said to the operator. */
void supervisor_generation_blame(struct generation *g, const struct process *p, struct span why);
/* A process was reaped: the generation may be over. */
void supervisor_generation_tidy(struct generation *g);
struct generation *supervisor_starting(struct supervisor *s);
/* An edge said that it stopped accepting, or died: the reload that waited for the last of them is done. */
void supervisor_retire_step(struct supervisor *s);
/* The same without waiting any longer. */
void supervisor_retire_end(struct supervisor *s);
/* While a start or a reload is running it waits for the end of that. */
void supervisor_reload(struct supervisor *s, struct process *asker);
/* Whoever asked for a reload that will not come hears why. */
void supervisor_reload_refuse(struct supervisor *s, const char *why);

/* supervisor_watch.c */
void supervisor_watch_begin(struct supervisor *s);
void supervisor_status_ask(struct supervisor *s);
void supervisor_status_arrived(struct process *p, struct span text);
void supervisor_notify_reloading(void);
void supervisor_answer(struct supervisor *s, struct process *p, uint32_t question, struct span text);

#endif
