/* check: every error of a configuration, and of the files that it names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/complain.h"
#include "cmd/problems.h"
#include "process/role.h"
#include "service/config_files.h"
#include "service/config_load.h"

static void print_summary(const struct config_report *l, const char *file)
{
    if (!l->errors && !l->warnings)
        printf("%s: good\n", file);
    else
        printf("%s: %u error%s, %u warning%s\n", file, l->errors, l->errors == 1 ? "" : "s", l->warnings,
               l->warnings == 1 ? "" : "s");
}

int command_check(struct command_call *v)
{
    struct config_load load;
    struct config_report list;
    int words;

    if (!command_options(v, NULL, 0, &words)) return EXIT_USAGE;
    if (words > 1 || (words == 1 && v->config_given)) return command_usage(v, "one FILE", NULL);
    const char *file = words ? v->argv[1] : v->config;
    if (!command_config_there(v, file)) return EXIT_CONFIG;
    if (!config_load(&load, file)) return complain(EXIT_NO, "%s: %s", file, strerror(errno));
    config_report_begin(&list, load.arena);
    config_report_take(&list, load.problems);
    if (load.config) {
        struct config_files_who who = {.starts = false};
        role_account(PROC_SPOOLER, &who.spooler);
        role_account(PROC_MAILBOX, &who.mailbox);
        role_account(PROC_DIRECTORY, &who.directory);
        role_account(PROC_CONNECTOR, &who.connector);
        config_files_check(load.config, &who, &list);
    }
    if (v->json)
        problems_print_json(&list, stdout);
    else {
        problems_print(&list, stdout, v->color);
        print_summary(&list, file);
    }
    int code = list.errors ? EXIT_CONFIG : EXIT_YES;
    config_load_free(&load);
    return fflush(stdout) == 0 ? code : EXIT_NO;
}
