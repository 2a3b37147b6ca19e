/* directory_guard: who may try to log in at all: policy/guess for all edges together, kept in the identity store (identity/ban). The store
 * is written and read in a thread of its own, in batches; what `sallyport ban` changes there counts within LIMIT_GUESS_SYNC_SECONDS. */
#ifndef PROCESS_DIRECTORY_GUARD_H
#define PROCESS_DIRECTORY_GUARD_H

#include "process/directory_bans.h"
#include "service/login.h"

struct guard;

bool guard_has_store(int identity); /* the folder, or -1 */
/* Before the cage. A database of an older version gets the tables that are new. */
void guard_upgrade(int identity);
/* Before the cage. identity: the store's folder, borrowed. A store that cannot be written is told to the log: then nothing is kept. Null: no
 * memory (told to the log). */
struct guard *guard_create(struct child *c, int identity);
void guard_free(struct guard **g); /* accepts null */
bool guard_start(struct guard *g); /* in the cage; false: no thread */

/* client: of login_begin. */
enum guess_answer guard_begin(struct guard *g, const uint8_t client[16], uint64_t *wait_ms);
bool guard_bans(struct guard *g, const uint8_t client[16]);
/* What became of a login (login_report, login_answer); what that means is told to the log. Milliseconds before the client is told. */
uint64_t guard_ended(struct guard *g, const struct login *l, const struct login_answer *a);
/* Once a loop turn, and then for each edge: who is banned. False: the channel cannot be used any more. */
void guard_look(struct guard *g);
MUST_USE bool guard_tell(const struct guard *g, struct bans_reader *r, struct ipc *edge);
void guard_status(const struct guard *g, struct buf *json); /* members, a comma in front */

#endif
