#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/server_private.h"
#include "cmd/user_store.h"

/* Opens the database of users; writes: it may be a new one. */
static bool with_store(struct server_call *s, bool writes, user_store_fn *run, struct user_call *u)
{
    u->v = s->v;
    u->config = s->load->config;
    user_caller(u);
    return user_with_store(u, writes, writes, run, NULL) == EXIT_YES;
}

static int write_row(struct user_call *u, void *context)
{
    (void)context;
    if (!user_begin(u)) return EXIT_NO;
    if (change_commit(u->identity, &u->who, span_str(u->words[0]))) return EXIT_YES;
    return complain(EXIT_NO, "the audit cannot be written: %s", change_why(u->identity));
}

bool server_trail(struct server_call *s, const char *format, ...)
{
    char text[SERVER_TEXT_OCTETS], *word = text;
    struct user_call u = {.words = &word, .n_words = 1};
    va_list values;
    int n = snprintf(text, sizeof text, "server %.*s: ", SPAN_ARG(s->server->name));
    va_start(values, format);
    if (n > 0 && (size_t)n < sizeof text) vsnprintf(text + n, sizeof text - (size_t)n, format, values);
    va_end(values);
    return with_store(s, true, write_row, &u);
}

static int show_rows(struct user_call *u, void *context)
{
    (void)context;
    return user_audit_of(u);
}

int server_history(struct server_call *s)
{
    char prefix[SERVER_TEXT_OCTETS], *word = prefix;
    struct user_call u = {.words = &word, .n_words = 1};
    if (s->n_words) return command_usage(s->v, "history takes no more words", s->words[0]);
    if (access((const char *)s->load->config->users_folder.p, F_OK) != 0 && errno == ENOENT) return EXIT_YES;
    snprintf(prefix, sizeof prefix, "server %.*s: ", SPAN_ARG(s->server->name));
    return with_store(s, false, show_rows, &u) && fflush(stdout) == 0 ? EXIT_YES : EXIT_NO;
}
