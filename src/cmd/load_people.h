/* load_people: who exists, for commands that look a recipient up. */
#ifndef CMD_LOAD_PEOPLE_H
#define CMD_LOAD_PEOPLE_H

#include "service/people.h"

/* False: complained, there is no memory. Users that cannot be read are complained of, and count as none. */
MUST_USE bool load_people(struct people *p, const struct config *c);

#endif
