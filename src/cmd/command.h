/* command: what `sallyport` can do, one row a command. The dispatcher takes the options that every command knows (--config,
 * --json, --help) from wherever they stand before "--"; the rest is the command's. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/span.h"

#define COMMAND_CONFIG_HERE   "./sallyport.conf"
#define COMMAND_CONFIG_SYSTEM "/etc/sallyport/sallyport.conf"

enum { /* exit codes: 0 done or yes; 1 no; what is above is of sysexits(3), each command says which it has */
       EXIT_YES = 0,
       EXIT_NO = 1,
       EXIT_USAGE = 64,
       EXIT_CONFIG = 78,
};

struct command_call {
    const char *
        config; /* --config, else the first that exists of ./sallyport.conf and /etc/sallyport/sallyport.conf, else the latter */
    bool config_given;
    bool json;  /* --json: machine-readable on standard output */
    bool color; /* standard output is a terminal and NO_COLOR is not set */
    int argc;   /* argv[0] is its name; the options above are taken out */
    char **argv;
    const struct command *command;
};

typedef int command_fn(struct command_call *v);

struct command {
    const char *name;
    const char *arguments; /* "[--to ADDRESS]": behind the name in the usage line */
    const char *summary;   /* half a line */
    const char *help;      /* paragraphs and options, lines end with \n; may be "" */
    command_fn *run;
};

extern const struct command command_table[]; /* command.c; the last row has no name */

/* The usage line and the help text of a command. */
void command_help(const struct command *row);
void command_help_all(FILE *to);
const struct command *command_find(const char *name); /* null: there is none */
int command_unknown(const char *name);                /* says so, with the nearest name; returns EXIT_USAGE */
/* Complains of "text" or "text: what" with the usage line; returns EXIT_USAGE. what may be null. */
int command_usage(const struct command_call *v, const char *text, const char *what);

/* Is the file there? If not, complains and says how to name one or to make one. Any other trouble with it is found on reading. */
bool command_config_there(const struct command_call *v, const char *file);

/* A command's own options, in any order: "--name value" or "--name=value". flag: takes no value; another one may be given once. */
struct command_option {
    const char *name;   /* "--client" */
    const char **value; /* null before; set to the value; for a flag to "" */
    bool flag, required;
};
/* Reads argv[1..]; what is no option is moved to argv[1..*words]. False: command_usage was called. */
bool command_options(struct command_call *v, const struct command_option *options, size_t n, int *words);

command_fn command_init, command_check, command_explain, command_explain_route, command_version,
    command_help_run;

#endif
