/* role: the processes of sallyportd. It re-executes itself once per role; what a role may do and whom it may talk to stands in
 * two tables (roles here, conversations in process/peers.c) and nowhere else. */
#ifndef PROCESS_ROLE_H
#define PROCESS_ROLE_H

#include "config/config.h"
#include "service/config_files.h"
#include "system/ipc.h"
#include "system/loop.h"
#include "system/pool.h"

enum role {
    PROC_SUPERVISOR,
    PROC_EDGE,
    PROC_DIRECTORY,
    PROC_KEYRING,
    PROC_SPOOLER,
    PROC_MAILBOX,
    PROC_ADMIN,
    PROC_RELAY,
    PROC_CONNECTOR,
    PROC_RESOLVER,
    PROC_WINBIND,
    PROC_ROLE_COUNT
};

/* What a child finds when its run function is called: the skeleton (process/skeleton.c) has read the config bundle, opened its
 * log and its channels. */
struct child {
    enum role role;
    unsigned index;      /* edge 0..n-1; else 0 */
    unsigned generation; /* counted by the supervisor; grows with each reload */
    const char *name;    /* "edge-0" */
    const struct config *config;
    struct loop *loop;
    bool insecure_no_sandbox;
    unsigned n_edges; /* of this generation */
    struct pool_geometry pool;
    unsigned column;       /* edge: its column in the table of sources; no other living edge has it */
    bool listeners_shared; /* edge: other edges watch the same sockets (systemd made them): LOOP_EXCLUSIVE */
    void *state;           /* the role's own */
};

struct child_hooks;

struct role_row {
    enum role role;
    const char *name;   /* "edge" */
    unsigned abilities; /* SANDBOX_* of system/sandbox.h */
    bool
        per_generation; /* a reload starts a new one (edge, keyring, directory); the others stay and are told */
    uint64_t max_fds;
    const struct child_hooks *hooks; /* process/skeleton.h; null for the supervisor */
    const char *group; /* that it is in, too, where there is one and the supervisor may say so; null: none */
};
extern const struct role_row role_table[PROC_ROLE_COUNT];

/* "edge-1", "spooler", "relay", "relay-1": edges carry their number, others when there are several. */
struct buf;
void role_put_name(struct buf *b, enum role role, unsigned index);

/* The user that a process of this role will be when the caller, or somebody with the caller's rights, starts the service. */
void role_account(enum role role, struct config_files_owner *ret);

#endif
