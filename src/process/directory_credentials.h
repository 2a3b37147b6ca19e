/* directory_credentials: the part of the directory that knows user names and passwords for next hops, and where tokens are, and says
 * to a relay what an exchange needs (directory/sasl_client.h). A thread computes and reads files. Secrets leave as the mechanism
 * shows them (of SCRAM: a proof for one session), and are wiped at the end. */
#ifndef PROCESS_DIRECTORY_CREDENTIALS_H
#define PROCESS_DIRECTORY_CREDENTIALS_H

#include "process/skeleton.h"

struct credentials;

/* Null: no memory. */
struct credentials *credentials_create(struct child *c);
void credentials_free(struct credentials **k); /* wipes */

/* GRANT_CREDENTIALS, GRANT_TOKEN_FOLDER: takes fd. */
void credentials_grant(struct credentials *k, unsigned index, int fd);
/* Before the cage: reads what was granted. What cannot be used is told to the log; its next hops are then answered CREDENTIAL_UNKNOWN. */
void credentials_load(struct credentials *k);
unsigned credentials_count(const struct credentials *k); /* usable ones */

/* Takes fd: a conversation with a relay, which begins now, or at credentials_start when that was not called yet. */
void credentials_peer(struct credentials *k, unsigned relay, int fd);
bool credentials_start(struct credentials *k); /* in the cage: the thread begins. False: it cannot */
void credentials_flush(struct credentials *k);

#endif
