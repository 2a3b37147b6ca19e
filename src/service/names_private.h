/* names_private: names.c and names_odd.c share this. */
#ifndef SERVICE_NAMES_PRIVATE_H
#define SERVICE_NAMES_PRIVATE_H

#include "service/names.h"

/* In how many served domains the alias counts and reaches nobody; first: one of them (by index), untouched when there is none. */
uint32_t names_dead_in(const struct names *n, const struct alias_entry *e, uint32_t *first);
/* Adds to n->problems what is well-formed in the aliases file and cannot be meant. */
void names_find_odd(struct names *n, struct span file);

#endif
