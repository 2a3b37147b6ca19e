/* directory_ask: threads of the directory ask other processes (service/login_ask.h). The loop sends what they ask and wakes them
 * with the answer; whoever they wait for may die or be silent, and they go on: each wait has an end. */
#ifndef PROCESS_DIRECTORY_ASK_H
#define PROCESS_DIRECTORY_ASK_H

#include "process/skeleton.h"
#include "service/login_ask.h"

struct asks;

struct asks *asks_create(struct child *c); /* null: no memory or no descriptor */
/* No thread may ask any more: asks_stop, and the threads are joined. Accepts null. */
void asks_free(struct asks **a);
const struct login_ask *asks_of(const struct asks *a); /* for threads; lives as long as a */

bool asks_whom(enum role role); /* is it somebody who is asked? */
/* Takes fd: a conversation with such a role, which begins now, or at asks_start when that was not called yet. Who waits for the one
 * before fails. */
void asks_peer(struct asks *a, enum role role, int fd);
void asks_start(struct asks *a); /* in the cage */
/* All that wait fail, and nobody can wait any more: before threads are joined. */
void asks_stop(struct asks *a);
void asks_flush(struct asks *a);

#endif
