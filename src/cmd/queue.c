#include "cmd/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cmd/complain.h"
#include "cmd/control_client.h"
#include "cmd/json.h"
#include "cmd/queue_table.h"
#include "cmd/spool_verify.h"
#include "service/config_load.h"
#include "spool/message_id.h"

struct asking {
    struct control_request request;
    struct queue_table table;
    bool json, damaged;
};

static void on_line(void *context, struct span line)
{
    struct asking *a = context;
    uint64_t damaged = 0;
    if (span_u64(json_member(line, "damaged"), &damaged) && damaged > 0) a->damaged = true;
    if (a->json || line.n == 0 || line.p[0] != '{') {
        printf("%.*s\n",
               SPAN_ARG(line)); /* the daemon escapes what is hostile, the codec leaves no controls */
        return;
    }
    switch (a->request.verb) {
    case CONTROL_QUEUE_LIST: queue_table_list(&a->table, line); break;
    case CONTROL_QUEUE_SHOW: queue_table_show(&a->table, line); break;
    case CONTROL_QUEUE_VERIFY: queue_table_verify(line); break;
    default: queue_table_status(line); break;
    }
}

static int ask_socket(const char *socket, struct asking *a)
{
    char text[LIMIT_CONTROL_TEXT_OCTETS + 1] = "";
    enum control_status status = CONTROL_FAILED;
    switch (control_client_ask(socket, &a->request, on_line, a, &status, text)) {
    case CONTROL_CLIENT_ABSENT: return complain(EX_UNAVAILABLE, "%s: %s: does sallyportd run?", socket, text);
    case CONTROL_CLIENT_BROKEN: return EX_UNAVAILABLE;
    case CONTROL_CLIENT_ANSWERED: break;
    }
    if (status != CONTROL_OK)
        return complain(status == CONTROL_UNKNOWN ? EX_UNAVAILABLE
                        : status == CONTROL_BUSY  ? EX_TEMPFAIL
                                                  : EXIT_NO,
                        "%s%s%s", control_status_name(status), *text ? ": " : "", text);
    if (a->damaged && a->request.verb == CONTROL_QUEUE_VERIFY) return EXIT_NO;
    if (a->request.verb == CONTROL_QUEUE_SHOW && !a->json) queue_table_show_end(&a->table);
    if (a->request.verb == CONTROL_QUEUE_LIST && !a->json) queue_table_list_end(&a->table);
    return EXIT_YES;
}

/* Where the daemon of a configuration listens when nothing else is said, for a file that is being edited and wrong just now. */
static void usual_socket(const char *config, char *path, size_t room)
{
    const char *slash = strrchr(config, '/');
    if (strncmp(config, "/etc/sallyport/", 15) == 0)
        snprintf(path, room, "/run/sallyport/control.sock");
    else
        snprintf(path, room, "%.*s/control.sock", slash ? (int)(slash - config) : 1, slash ? config : ".");
}

/* Asks the daemon that serves the configuration of this call. */
static int ask(struct command_call *v, struct asking *a)
{
    struct config_load load;
    char socket[256] = "";
    a->json = v->json;
    if (!command_config_there(v, v->config)) return EXIT_CONFIG;
    if (!config_load(&load, v->config))
        return complain(EXIT_NO, "reading the configuration: %s", strerror(errno));
    if (load.config && load.config->control_socket.n < sizeof socket) {
        memcpy(socket, load.config->control_socket.p, load.config->control_socket.n);
    } else {
        usual_socket(v->config, socket, sizeof socket);
        complain(EXIT_YES, "%s has errors (sallyport check names them); asking at %s", v->config, socket);
    }
    config_load_free(&load);
    int code = ask_socket(socket, a);
    return fflush(stdout) == 0 ? code : EXIT_NO;
}

static int verify(struct command_call *v, struct asking *a, const char *spool)
{
    if (!spool) return ask(v, a);
    a->json = v->json;
    return spool_verify(spool, on_line, a) && !a->damaged ? EXIT_YES : EXIT_NO;
}

int command_queue(struct command_call *v)
{
    static const struct {
        const char *name;
        enum control_verb verb;
        int words;
    } known[] = {{"list", CONTROL_QUEUE_LIST, 1},
                 {"show", CONTROL_QUEUE_SHOW, 2},
                 {"verify", CONTROL_QUEUE_VERIFY, 1},
                 {"counts", CONTROL_QUEUE_COUNTS, 1}};
    struct asking a = {.request.verb = CONTROL_VERB_COUNT};
    const char *state = NULL, *from = NULL, *to = NULL, *spool = NULL;
    const struct command_option options[] = {{"--state", &state, false, false},
                                             {"--from", &from, false, false},
                                             {"--to", &to, false, false},
                                             {"--spool", &spool, false, false}};
    int words, wanted = 0;
    if (!command_options(v, options, 4, &words)) return EXIT_USAGE;
    for (size_t i = 0; words > 0 && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(v->argv[1], known[i].name) != 0) continue;
        a.request.verb = known[i].verb;
        wanted = known[i].words;
    }
    if (words != wanted || words == 0) return command_usage(v, "list, show ID, verify or counts", NULL);
    if ((state || from || to) && a.request.verb != CONTROL_QUEUE_LIST)
        return command_usage(v, "--state, --from and --to are for list", NULL);
    if (spool && a.request.verb != CONTROL_QUEUE_VERIFY)
        return command_usage(v, "--spool is for verify", NULL);
    if (state && !control_states_read(span_str(state), &a.request.states))
        return command_usage(v, "--state is a list of queued, deferred, held", state);
    a.request.from = span_str(from);
    a.request.to = span_str(to);
    if (a.request.verb == CONTROL_QUEUE_SHOW && !message_id_parse(span_str(v->argv[2]), &a.request.id))
        return command_usage(v, "this is no message id", v->argv[2]);
    return a.request.verb == CONTROL_QUEUE_VERIFY ? verify(v, &a, spool) : ask(v, &a);
}

static int ask_plainly(struct command_call *v, enum control_verb verb)
{
    struct asking a = {.request.verb = verb};
    int words;
    if (!command_options(v, NULL, 0, &words)) return EXIT_USAGE;
    if (words > 0) return command_usage(v, "takes no argument", v->argv[1]);
    return ask(v, &a);
}

int command_status(struct command_call *v)
{
    return ask_plainly(v, CONTROL_STATUS);
}

int command_reload(struct command_call *v)
{
    return ask_plainly(v, CONTROL_RELOAD);
}

int command_stop(struct command_call *v)
{
    return ask_plainly(v, CONTROL_STOP);
}
