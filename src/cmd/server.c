#include "cmd/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/complain.h"
#include "cmd/problems.h"
#include "cmd/server_private.h"

static const struct sub {
    const char *name;
    server_run_fn *run;
    bool sets;
} subs[] = {{"show", server_show, false}, {"set", server_set, true}, {"history", server_history, false}};

/* --log may be given more than once: takes each out. False: it has no value, or there are too many. */
static bool take_logs(struct server_call *s)
{
    struct command_call *v = s->v;
    int kept = 0;

    for (int i = 0; i < v->argc; i++) {
        bool spaced = strcmp(v->argv[i], "--log") == 0, joined = strncmp(v->argv[i], "--log=", 6) == 0;
        if (!spaced && !joined) {
            v->argv[kept++] = v->argv[i];
            continue;
        }
        if ((spaced && i + 1 == v->argc) || s->n_logs == SERVER_LOGS) return false;
        s->logs[s->n_logs++] = spaced ? v->argv[++i] : v->argv[i] + 6;
    }
    v->argv[kept] = NULL;
    v->argc = kept;
    return true;
}

static const struct config_server *find(const struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        if (span_eq(c->servers[i].name, span_str(name))) return &c->servers[i];
    complain(EXIT_NO, "there is no server %s: sallyport server list names them", name);
    return NULL;
}

static int run(struct server_call *s, const char *name, const struct sub *sub)
{
    struct command_call *v = s->v;
    struct config_load load;
    int code = EXIT_NO;

    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config))
        return complain(EXIT_NO, "reading the configuration: %s", strerrordesc_np(errno));
    s->load = &load;
    if (!load.config) {
        struct config_report list;
        config_report_begin(&list, load.arena);
        config_report_take(&list, load.problems);
        if (v->json)
            problems_print_json(&list, stderr);
        else
            problems_print(&list, stderr, v->color);
        code = complain(EXIT_CONFIG, "the configuration has errors");
    } else if (!sub) {
        code = server_list(s);
    } else {
        s->server = find(load.config, name);
        if (s->server) code = sub->run(s);
    }
    config_load_free(&load);
    return code;
}

int command_server(struct command_call *v)
{
    struct server_call s = {.v = v};
    const struct command_option options[] = {{"--dry-run", &s.dry_run, true, false},
                                             {"--yes", &s.yes, true, false},
                                             {"--since", &s.since, false, false}};
    int words;

    if (!take_logs(&s)) return command_usage(v, "--log FILE, 64 times at most", NULL);
    if (!command_options(v, options, sizeof options / sizeof options[0], &words)) return EXIT_USAGE;
    if ((s.n_logs || s.since) && !s.dry_run)
        return command_usage(v, "--log and --since are for --dry-run", NULL);
    if (words == 1 && strcmp(v->argv[1], "list") == 0 && !s.dry_run && !s.yes) return run(&s, NULL, NULL);
    for (size_t i = 0; words > 1 && i < sizeof subs / sizeof subs[0]; i++) {
        if (strcmp(v->argv[2], subs[i].name) != 0) continue;
        if (!subs[i].sets && (words != 2 || s.dry_run || s.yes)) break;
        s.words = v->argv + 3;
        s.n_words = words - 2;
        return run(&s, v->argv[1], &subs[i]);
    }
    return command_usage(v, "list, or NAME with show, set access ACCESS, or history", NULL);
}
