/* config_report: the list of what is wrong with a configuration and with the files that it names, in the order it was found. */
#ifndef SERVICE_CONFIG_REPORT_H
#define SERVICE_CONFIG_REPORT_H

#include "config/config.h"

struct config_report { /* counts; the problems themselves hang on config_problem.next */
    struct config_problem *first, **last;
    unsigned errors, warnings;
    struct arena *arena;
};

void config_report_begin(struct config_report *r, struct arena *arena);
void config_report_take(struct config_report *r, const struct config_problem *p); /* all of a chain, copied */
/* Texts are printable already (what was read is escaped, invariant I11) and copied. place.line 0: the file as a whole. suggestion: null, or what to do. */
void config_report_add(struct config_report *r, enum config_severity severity, struct config_place place,
                       const char *text, const char *suggestion);

#endif
