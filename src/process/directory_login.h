/* directory_login: the part of the directory that lets clients prove who they are (service/login.h): conversations with the edges, worked in
 * threads. A quick mechanism and a question for a sender never wait behind slow ones. */
#ifndef PROCESS_DIRECTORY_LOGIN_H
#define PROCESS_DIRECTORY_LOGIN_H

#include "process/skeleton.h"
#include "service/login_ask.h"

struct logins;

struct logins *logins_create(struct child *c,
                             const struct login_ask *ask); /* ask: borrowed. Null: no memory */
/* GRANT_TOKEN_KEYS, before the cage: takes fd and reads it. What cannot be read is told to the log; then every login by token is
 * answered LOGIN_LATER. */
void logins_token_keys(struct logins *l, int fd);
/* GRANT_CLIENT_AUTHORITIES: the same, of certificates whose key is not pinned. */
void logins_authorities(struct logins *l, int fd);
/* GRANT_CLIENT_REVOCATIONS, behind GRANT_CLIENT_AUTHORITIES: the same, of the same. Where the configuration has them, nobody vouches
 * before. */
void logins_revocations(struct logins *l, int fd);
/* GRANT_KEYTAB: the same, of tickets. */
void logins_keytab(struct logins *l, int fd);
/* Before the cage. identity: descriptor of the store's folder, borrowed; home: borrowed. A store that cannot be opened is told to
 * the log; then every login is answered LOGIN_LATER. */
void logins_open(struct logins *l, int identity, struct span home);
void logins_free(struct logins **l); /* waits for the steps in hand; accepts null */

/* Takes fd: a conversation with an edge, which begins now, or at logins_start when that was not called yet. */
void logins_peer(struct logins *l, unsigned edge, int fd);
bool logins_start(struct logins *l); /* in the cage: the threads begin. False: they cannot */
void logins_flush(struct logins *l);
void logins_status(const struct logins *l, struct buf *json); /* members, a comma in front */

#endif
