#include "cmd/queue_ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "service/config_load.h"

static int ask_socket(const char *socket, const struct control_request *r, control_client_line_fn *line,
                      void *context)
{
    char text[LIMIT_CONTROL_TEXT_OCTETS + 1] = "";
    enum control_status status = CONTROL_FAILED;
    switch (control_client_ask(socket, r, line, context, &status, text)) {
    case CONTROL_CLIENT_ABSENT:
        return complain(EX_UNAVAILABLE,
                        "%s: %s: does sallyportd run? (after a stop it does not answer while it drains)",
                        socket, text);
    case CONTROL_CLIENT_BROKEN: return EX_UNAVAILABLE;
    case CONTROL_CLIENT_ANSWERED: break;
    }
    if (status == CONTROL_OK) return EXIT_YES;
    return complain(status == CONTROL_UNKNOWN ? EX_UNAVAILABLE
                    : status == CONTROL_BUSY  ? EX_TEMPFAIL
                                              : EXIT_NO,
                    "%s%s%s", control_status_name(status), *text ? ": " : "", text);
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

int queue_ask(struct command_call *v, const struct control_request *r, control_client_line_fn *line,
              void *context)
{
    struct config_load load;
    char socket[256] = "";
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
    int code = ask_socket(socket, r, line, context);
    return fflush(stdout) == 0 ? code : EXIT_NO;
}

void queue_ask_progress(unsigned long long looked_at, unsigned long long found)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%llu messages looked at, %llu found ", looked_at, found);
}

void queue_ask_progress_end(void)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%60s\r", "");
}
