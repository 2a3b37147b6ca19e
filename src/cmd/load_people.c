#include "cmd/load_people.h"

#include "cmd/command.h"
#include "cmd/complain.h"

bool load_people(struct people *p, const struct config *c)
{
    if (!people_load(p, c, true)) {
        complain(EXIT_NO, "no memory for users and aliases");
        return false;
    }
    if (p->mailboxes == MAILBOXES_UNREADABLE)
        complain(EXIT_YES, "the users in %.*s cannot be read, so that nobody seems to have a mailbox: %s",
                 SPAN_ARG(c->users_folder), p->users_unreadable);
    return true;
}
