/* problems: the list of what is wrong with a configuration and its files, as `check` prints it. */
#ifndef CMD_PROBLEMS_H
#define CMD_PROBLEMS_H

#include <stdio.h>

#include "service/config_load.h"

struct problems_list { /* counts; the problems themselves hang on config_problem.next */
    struct config_problem *first, **last;
    unsigned errors, warnings;
    struct arena *arena;
};

void problems_begin(struct problems_list *l, struct arena *arena);
void problems_take(struct problems_list *l, const struct config_problem *p); /* all of a chain, copied */
/* Text is copied. place.line 0: the file as a whole. */
void problems_add(struct problems_list *l, enum config_severity s, struct config_place place,
                  const char *text, const char *suggestion);
void problems_print(const struct problems_list *l, FILE *to, bool color);
void problems_print_json(const struct problems_list *l, FILE *to); /* one object */

#endif
