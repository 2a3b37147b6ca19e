/* directory_turns: whose step is next when more logins stand in line than threads can work: one of each source network in turn, so
 * that whoever comes from elsewhere waits for one of a flood, not for all of it. It counts what each network has at once, too. */
#ifndef PROCESS_DIRECTORY_TURNS_H
#define PROCESS_DIRECTORY_TURNS_H

#include "base/list.h"
#include "policy/network.h"
#include "service/login.h"

struct turn_source;
struct turn { /* embed it */
    struct list in_line;
    struct turn_source *source; /* null: it has not entered */
};
struct turns;

struct turns *turns_create(void);  /* null: no memory */
void turns_free(struct turns **t); /* every turn has left; accepts null */

/* One more of that client's network (policy/guess.h: the wide one). False: it has LIMIT_LOGINS_PER_SOURCE already, or there is no memory. */
MUST_USE bool turns_enter(struct turns *t, struct turn *turn, const struct address *client);
void turns_leave(struct turns *t,
                 struct turn *turn); /* out of its line, too; a turn that has not entered is let be */

/* turn stands in line, behind those of its network. It must stand in none. */
void turns_stand(struct turns *t, struct turn *turn, enum login_queue line);
bool turn_stands(const struct turn *turn);
/* Out of its line: it is its turn. Null: nobody stands there. */
struct turn *turns_next(struct turns *t, enum login_queue line);

#endif
