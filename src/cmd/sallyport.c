/* sallyport: the operator's tool. Finds the command and the options that every command knows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/complain.h"

/* Takes the common options out of argv. False: wrong usage was reported. */
static bool common_options(struct command_call *v, bool *wants_help)
{
    int kept = 0;
    bool only_words = false;

    for (int i = 0; i < v->argc; i++) {
        char *a = v->argv[i];
        only_words |= strcmp(a, "--") == 0;
        if (!only_words && strcmp(a, "--json") == 0)
            v->json = true;
        else if (!only_words && (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0))
            *wants_help = true;
        else if (!only_words && strncmp(a, "--config=", 9) == 0)
            v->config = a + 9;
        else if (!only_words && strcmp(a, "--config") == 0) {
            if (++i == v->argc) {
                complain(EXIT_USAGE, "--config needs a FILE");
                return false;
            }
            v->config = v->argv[i];
        } else
            v->argv[kept++] = a;
    }
    v->argv[kept] = NULL;
    v->argc = kept;
    v->config_given = v->config != NULL;
    if (!v->config)
        v->config = access(COMMAND_CONFIG_HERE, F_OK) == 0 ? COMMAND_CONFIG_HERE : COMMAND_CONFIG_SYSTEM;
    return true;
}

/* Complaints about options know it before the options are read. */
static bool is_given(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], option) == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR");
    struct command_call v = {
        .color = isatty(STDOUT_FILENO) && !(no_color && no_color[0]), .argc = argc - 1, .argv = argv + 1};
    bool wants_help = false;

    if (argc < 1) return EXIT_USAGE;
    complain_as(NULL, is_given(argc, argv, "--json"));
    if (!common_options(&v, &wants_help)) return EXIT_USAGE;
    if (v.argc == 0) {
        command_help_all(wants_help ? stdout : stderr);
        return wants_help ? EXIT_YES : EXIT_USAGE;
    }
    const char *name = strcmp(v.argv[0], "--version") == 0 ? "version" : v.argv[0];
    v.command = command_find(name);
    if (!v.command) return command_unknown(name);
    if (wants_help) {
        command_help(v.command);
        return EXIT_YES;
    }
    complain_as(v.command->name, v.json);
    return v.command->run(&v);
}
