/* skeleton: what every child process has in common: it reads its start messages, drops its user, closes its cage, serves its
 * supervisor channel, its log and its loop. A role adds one file (process/edge.c, process/spooler.c ...) with hooks.
 *
 * Life of a child: sallyportd is re-executed with the role's name and one socket (fd 3); the supervisor sends the config bundle
 * (a sealed memfd), every descriptor the role may hold (grants), one socketpair end for each peer it may talk to, then START.
 * `prepare` runs with all of that at hand, before the cage; `start` runs inside it. READY is sent when start returned true. */
#ifndef PROCESS_SKELETON_H
#define PROCESS_SKELETON_H

#include "base/buf.h"
#include "process/role.h"

enum grant { /* descriptors that the supervisor opened; a and b say which one */
             GRANT_LISTENER, /* edge: a = index of the server, b = index of its listener; more than one socket of a pair may come */
             GRANT_POOL, /* edge: its own pool, writable. spooler: a = index of an edge, b = its generation, read-only use; a
                        * new one comes before each new conversation with that edge and belongs to it alone */
             GRANT_SOURCES,     /* edge: the shared table of policy/sources.h */
             GRANT_RATES,       /* edge: the shared table of policy/rates.h */
             GRANT_CHAIN,       /* edge: a = server, b = certificate: PEM chain (public) */
             GRANT_KEY,         /* keyring: a = server, b = certificate: PEM private key */
             GRANT_TICKET_KEYS, /* edge: sealed memfd with the ticket keys of this hour */
             GRANT_SPOOL, /* spooler: the spool folder (O_PATH is not enough: O_DIRECTORY), which holds its lock */
             GRANT_LOCK, /* mailbox: the same description, to be held and not used: the next sallyportd waits until the last
                          * process that works for this spool is gone. The skeleton keeps it */
             GRANT_MAIL, /* mailbox: a = index in config->deliver: the Maildir root folder. After a reload the folders of the
                        * fresh config come right before it, all of them; folders that are new end the mailbox (Landlock
                        * cannot be widened): it is drained and started again */
             GRANT_USERS,   /* directory: the folder of the identity database, O_PATH; there may be none */
             GRANT_ALIASES, /* directory: aliases file */
             GRANT_AUTHORITIES, /* relay: PEM of the certificate authorities; there may be none */
             GRANT_CREDENTIALS, /* directory: a = number of a user-file (config/user_file.h) */
             GRANT_TOKEN_FOLDER, /* directory: a = number of a token-file (config/user_file.h): its folder, O_PATH; to be read only */
             GRANT_TOKEN_KEYS,         /* directory: the JWK set of tokens { } */
             GRANT_CLIENT_AUTHORITIES, /* directory: PEM of the authorities that vouch for clients */
             GRANT_AUTHORITY_NAMES,    /* edge, behind all GRANT_CHAIN: the same file, for its names alone */
             GRANT_CLIENT_REVOCATIONS, /* directory, behind those: PEM of their lists of revoked certificates */
             GRANT_KEYTAB,             /* directory: the keytab of kerberos { } */
             GRANT_CONTROL,            /* admin: the listening control socket */
             GRANT_MAP, /* edge: the recipient map, sealed memfd, made by the directory and passed on by the supervisor */
             GRANT_RESOLV_CONF, /* resolver: /etc/resolv.conf, when the configuration names no resolver; again with each reload */
             GRANT_TRUST_ANCHOR, /* resolver: the keys of the root of DNS; again with each reload */
             GRANT_COUNT
};

/* Files come with a description of their own (offset 0), opened for reading. A listener that is not accepted from any more must
 * be closed (drain): the kernel would go on queueing connections for it. */

struct child_hooks {
    /* A conversation begins, or begins anew because the peer was restarted: fd is ours now. generation: of the peer. */
    void (*peer)(struct child *c, enum role role, unsigned index, unsigned generation, int fd);
    /* A descriptor; ours now. May come after START (new pools, new config) for roles that live through a reload. */
    void (*grant)(struct child *c, enum grant kind, unsigned a, unsigned b, int fd);
    /* Before the cage. What fails here is told to the operator and ends a start or a reload, as does a folder that was granted
     * and that this process may not use. */
    bool (*prepare)(struct child *c, const char **error);
    bool (*start)(struct child *c, const char **error); /* in the cage */
    /* Take no new work; call child_exit when the rest is done. stopping: the service ends (idle sessions get 421 now, the rest is
     * bounded by drain_seconds); otherwise a newer generation took over and sessions go on until their own end or deadline. */
    void (*drain)(struct child *c, bool stopping);
    void (*config)(struct child *c,
                   const struct config *fresh);        /* after a reload, for roles that live through it */
    void (*status)(struct child *c, struct buf *json); /* members of an object: "sessions":12,"queued":3 */
    void (*after_turn)(struct child *c);               /* flush batches */
};

/* Directory only: hands the finished recipient map to the supervisor, which grants it to the edges of this generation. */
bool child_publish_map(struct child *c, int memfd);
/* The whole life of a child, from main: the supervisor is at the other end of fd. Returns the exit status. */
int skeleton_main(int fd);
/* Ends the loop; the process leaves with this status once hooks returned. */
void child_exit(struct child *c, int status);
/* A peer broke the protocol or died: log it; the supervisor restarts what is dead and offers a new conversation. */
void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason);
enum child_question { CHILD_ASK_STATUS, CHILD_ASK_RELOAD, CHILD_ASK_STOP, CHILD_ASK_COUNT };
/* Asks the supervisor (admin only; one question at a time). The answer arrives by `answer`: of STATUS one JSON object, of the others
 * nothing when it was done (RELOAD: the new generation serves, and the one before accepts no more; STOP: draining began), else why it was not, as lines of text. */
bool child_ask(struct child *c, uint32_t question, struct span argument,
               void (*answer)(struct child *c, uint32_t question, struct span text));

extern const struct child_hooks edge_hooks, directory_hooks, keyring_hooks, spooler_hooks, mailbox_hooks,
    admin_hooks, relay_hooks, connector_hooks, resolver_hooks, winbind_hooks;

#endif
