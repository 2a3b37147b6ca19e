/* problems: what is wrong with a configuration and its files, as `check` prints it. */
#ifndef CMD_PROBLEMS_H
#define CMD_PROBLEMS_H

#include <stdio.h>

#include "service/config_report.h"

void problems_print(const struct config_report *r, FILE *to, bool color);
void problems_print_json(const struct config_report *r, FILE *to); /* one object */

#endif
