/* server_private: `sallyport server`, inside. server.c: its sub-commands; server_show: list, show; server_edit: the configuration as it would
 * be; server_set: one change, from the question to the reload; server_trail: who made it; server_dry_run: what the log says of it. */
#ifndef CMD_SERVER_PRIVATE_H
#define CMD_SERVER_PRIVATE_H

#include "cmd/command.h"
#include "service/config_load.h"

enum { SERVER_TEXT_OCTETS = 1024, SERVER_LOGS = 64 };

struct server_call {
    struct command_call *v;
    struct config_load *load; /* its config is not null */
    const struct config_server *server;
    char **words; /* behind NAME and the sub-command */
    int n_words;
    /* options; null: not given */
    const char *dry_run, *yes, *since;
    char *logs[SERVER_LOGS];
    size_t n_logs;
};

typedef int server_run_fn(struct server_call *s); /* the exit code */

server_run_fn server_show, server_set, server_history;
int server_list(struct server_call *s); /* without a server */

extern const char *const server_access_names[3]; /* by enum access */
/* "key":"value" of a JSON object, with what goes before it: a comma, or nothing behind "{". server_show.c */
void server_put_json(struct buf *b, const char *key, struct span value);

/* --- server_edit.c */

struct server_edit {
    const struct config_source *source; /* the file that is edited */
    struct config_place place;          /* of the directive, or of the server where it says none */
    struct span from, to;               /* arguments of the directive: before, afterwards */
    struct span text;                   /* of the whole file afterwards */
    bool none_before;                   /* the server has no such directive: a line is added */
    bool same;                          /* it is so already; nothing below counts */
    bool role_said; /* another line says the role that followed from the old access, which stays */
    struct config_load after;
};

/* access of a server becomes what the words say, "both" or "both mechanisms PLAIN LOGIN"; mechanisms that are listed stay where the words name
 * none. The candidate is loaded and checked as `sallyport check` does; nothing is written. EXIT_YES, or it complained. The caller
 * frees e->after in any case. */
MUST_USE int server_edit_access(struct server_call *s, struct server_edit *e);

/* --- server_trail.c */

/* "server NAME: TEXT" into the audit (sallyport user audit), with who calls. False: complained. */
bool server_trail(struct server_call *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- server_dry_run.c */

/* How recorded sessions would have fared with the access of e. The exit code. */
int server_dry_run(struct server_call *s, const struct server_edit *e);

#endif
