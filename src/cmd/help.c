/* help: the commands, one of them, or the reference of the configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/complain.h"
#include "config/schema.h"

void command_help_all(FILE *to)
{
    fprintf(to, "usage: sallyport [--config FILE] [--json] COMMAND ...\n\n");
    for (const struct command *row = command_table; row->name; row++)
        fprintf(to, "  %-10s %s\n", row->name, row->summary);
    fprintf(to,
            "\n'sallyport COMMAND --help' tells more. The configuration is %s or %s\nunless --config names "
            "one.\n",
            COMMAND_CONFIG_HERE, COMMAND_CONFIG_SYSTEM);
}

const struct command *command_find(const char *name)
{
    for (const struct command *row = command_table; row->name; row++)
        if (strcmp(row->name, name) == 0) return row;
    return NULL;
}

int command_unknown(const char *name)
{
    unsigned best = 3;
    const char *near = NULL;

    for (const struct command *row = command_table; row->name; row++) {
        unsigned distance = suggest_distance(span_str(name), span_str(row->name), 2);
        if (distance < best) {
            best = distance;
            near = row->name;
        }
    }
    return near ? complain(EXIT_USAGE, "no command \"%s\"; did you mean \"%s\"?", name, near)
                : complain(EXIT_USAGE, "no command \"%s\"", name);
}

static int print_config(struct command_call *v, bool man, bool dictionary)
{
    static uint8_t memory[131072];
    struct buf b = buf_on(memory, sizeof memory);

    if (man && dictionary) return command_usage(v, "--man or --dictionary, not both", NULL);
    if (man)
        schema_man(&b);
    else if (dictionary)
        schema_dictionary(&b);
    else
        schema_text(&b);
    if (b.over || fwrite(b.p, 1, b.n, stdout) != b.n || fflush(stdout) != 0)
        return complain(EXIT_NO, "standard output: %s", strerror(errno));
    return EXIT_YES;
}

int command_help_run(struct command_call *v)
{
    const char *man = NULL, *dictionary = NULL;
    const struct command_option options[] = {{"--man", &man, true, false},
                                             {"--dictionary", &dictionary, true, false}};
    int words;

    if (!command_options(v, options, 2, &words)) return EXIT_USAGE;
    if (words > 1 || ((man || dictionary) && (words == 0 || strcmp(v->argv[1], "config") != 0)))
        return command_usage(v, "one command, or config", NULL);
    if (words == 0) {
        command_help_all(stdout);
        return EXIT_YES;
    }
    if (strcmp(v->argv[1], "config") == 0) return print_config(v, man != NULL, dictionary != NULL);
    const struct command *row = command_find(v->argv[1]);
    if (!row) return command_unknown(v->argv[1]);
    command_help(row);
    return EXIT_YES;
}
