/* One change of a server: what it would do is said, the file is replaced, the running server reloads, or everything is as it was. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/control_client.h"
#include "cmd/replace_file.h"
#include "cmd/server_private.h"
#include "policy/decide.h"

enum { PORT_SUBMISSION = 587, PORT_SUBMISSIONS = 465, REASON_OCTETS = 4096 };

enum outcome { OUTCOME_SERVED, OUTCOME_LATER, OUTCOME_REFUSED, OUTCOME_UNSURE }; /* by the running server */

/* --- what it would mean */

/* Domains are served, and strangers are meant to bring their mail: by the role, and by a port that is not for users. */
static bool takes_mail_of_strangers(const struct config_server *s)
{
    bool open = false;
    for (uint32_t i = 0; i < s->n_listeners; i++)
        open |= s->listeners[i].port != PORT_SUBMISSION && s->listeners[i].port != PORT_SUBMISSIONS;
    return open && s->role == ROLE_MX && s->n_domains > 0;
}

static const char *other_domains(const struct config_server *s)
{
    return s->n_domains > 1 ? " and the other domains served here" : "";
}

/* Whoever has not logged in and comes from nowhere special. */
static bool takes_of_anybody(const struct config_server *s, enum served served)
{
    const struct relay_facts stranger = {
        .access = s->access, .served = served, .postmaster = served == SERVED_NOT};
    enum decision d = relay_decide(&stranger, NULL);
    return d == DECISION_LOCAL || d == DECISION_RELAY;
}

/* True: strangers may send what they may not send today, and it was said. */
static bool opens(const struct config_server *before, const struct config_server *after)
{
    const enum served served = after->n_domains ? SERVED_KNOWN : SERVED_NOT;
    if (takes_of_anybody(before, served) || !takes_of_anybody(after, served)) return false;
    complain(EXIT_YES, "everybody who can connect may send then, without a login%s, to %.*s%s",
             after->profile == PROFILE_LEGACY_DEVICE ? "" : " and in anybody's name",
             SPAN_ARG(after->n_domains ? after->domains[0].name : SPAN("postmaster only")),
             other_domains(after));
    return true;
}

/* Says what somebody may not have thought of. Null, or why it must be meant: it does that. Who closes a server needs no word. */
static const char *warn(const struct config_server *before, const struct config_server *after)
{
    const char *must_be_meant = NULL;
    if (after->access == ACCESS_AUTHENTICATED && takes_mail_of_strangers(before) && after->n_domains)
        complain(EXIT_YES,
                 "strangers' mail to %.*s%s will be refused with 530: other mail servers do not log in",
                 SPAN_ARG(after->domains[0].name), other_domains(after));
    if (after->access == ACCESS_AUTHENTICATED && !config_logins(after))
        complain(EXIT_YES,
                 "nobody can log in here: no listener has TLS, and allow-cleartext-auth names nobody");
    if (after->access == ACCESS_ANONYMOUS && before->mechanisms) {
        complain(EXIT_YES, "nobody can log in here any more: who submits or relays by a login is refused");
        must_be_meant = "stops mail that arrives today";
    }
    if (opens(before, after)) must_be_meant = "opens the server";
    if (after->n_relay_networks)
        complain(EXIT_YES,
                 "clients in the relay networks of this server send to any domain without logging in");
    return must_be_meant;
}

static int confirm(const struct server_call *s, const char *does)
{
    char answer[16] = "";
    if (s->yes) return EXIT_YES;
    if (!isatty(STDIN_FILENO)) {
        complain(EXIT_NO, "nothing was changed: it %s; say --yes when it shall", does);
        return EXIT_NO;
    }
    printf("Change it all the same? [y/N] ");
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return EXIT_YES;
    return complain(EXIT_NO, "nothing was changed");
}

/* --- the running server */

struct reasons {
    char text[REASON_OCTETS];
    struct buf b;
};

static void on_line(void *context, struct span line)
{
    struct reasons *r = context;
    if (r->b.n) buf_byte(&r->b, '\n');
    buf_put(&r->b, line);
}

/* Who may not ask the running server shall not change its configuration under it. */
static int may_ask(const struct server_call *s)
{
    const char *socket = (const char *)s->load->config->control_socket.p;
    if (access(socket, F_OK) != 0 || access(socket, W_OK) == 0) return EXIT_YES;
    return complain(EX_NOPERM, "nothing was changed: you may not ask the running server to reload (%s: %s)",
                    socket, strerrordesc_np(errno));
}

static enum outcome reload(const struct server_call *s, struct reasons *r)
{
    const struct control_request reload = {.verb = CONTROL_RELOAD};
    enum control_status status = CONTROL_FAILED;
    char text[LIMIT_CONTROL_TEXT_OCTETS + 1] = "";
    r->b = buf_on(r->text, sizeof r->text);
    switch (control_client_ask((const char *)s->load->config->control_socket.p, &reload, on_line, r, &status,
                               text)) {
    case CONTROL_CLIENT_ABSENT: /* nobody listens there; any other reason is none to be sure of */
        return strcmp(text, strerrordesc_np(ENOENT)) == 0 || strcmp(text, strerrordesc_np(ECONNREFUSED)) == 0
                   ? OUTCOME_LATER
                   : OUTCOME_UNSURE;
    case CONTROL_CLIENT_BROKEN: return OUTCOME_UNSURE;
    case CONTROL_CLIENT_ANSWERED: break;
    }
    if (status == CONTROL_OK) return OUTCOME_SERVED;
    if (!r->b.n) buf_str(&r->b, *text ? text : control_status_name(status));
    return OUTCOME_REFUSED;
}

/* --- the end of it */

static void print_result(const struct server_call *s, const struct server_edit *e, const char *result,
                         const char *sentence)
{
    char memory[SERVER_TEXT_OCTETS * 8];
    struct buf b = buf_on(memory, sizeof memory);
    if (!s->v->json) {
        printf("server %.*s: access %.*s%s%.*s. %s\n", SPAN_ARG(s->server->name), SPAN_ARG(e->from),
               e->same ? "" : " -> ", e->same ? 0 : (int)e->to.n, (const char *)e->to.p, sentence);
        if (e->role_said && !e->same)
            printf("A line says the role now, which followed from the access before.\n");
        return;
    }
    buf_byte(&b, '{');
    server_put_json(&b, "server", s->server->name);
    server_put_json(&b, "from", e->from);
    server_put_json(&b, "to", e->to);
    server_put_json(&b, "file", e->place.file);
    buf_str(&b, ",\"line\":");
    buf_u64(&b, e->place.line);
    server_put_json(&b, "result", span_str(result));
    printf("%.*s}\n", SPAN_ARG(buf_span(&b)));
}

/* The new one was refused: the file is again what it was. */
static int put_back(struct server_call *s, const struct server_edit *e, const struct reasons *r)
{
    const char *file = (const char *)e->source->name.p;
    const char *why = replace_file(file, e->text, e->source->text);
    complain(EXIT_YES, "the running server does not take it:\n%.*s", SPAN_ARG(buf_span(&r->b)));
    if (why) {
        server_trail(s, "the reload was refused, and %s still says access %.*s: %s", file, SPAN_ARG(e->to),
                     why);
        return complain(EXIT_NO, "%s could not be put back (%s): it says access %.*s, which nobody serves",
                        file, why, SPAN_ARG(e->to));
    }
    server_trail(s, "access %.*s as before: the reload was refused", SPAN_ARG(e->from));
    return complain(EXIT_NO, "%s is as it was before", file);
}

static int finish(struct server_call *s, struct server_edit *e)
{
    static struct reasons r;
    switch (reload(s, &r)) {
    case OUTCOME_REFUSED: return put_back(s, e, &r);
    case OUTCOME_SERVED:
        server_trail(s, "access %.*s is served", SPAN_ARG(e->to));
        print_result(s, e, "served", "New sessions find it so; those that are open end as they began.");
        break;
    case OUTCOME_LATER:
        server_trail(s, "access %.*s waits for a start: no server runs", SPAN_ARG(e->to));
        print_result(s, e, "written", "No server runs: it counts from the next start on.");
        break;
    case OUTCOME_UNSURE:
        server_trail(s, "access %.*s is written; the server did not say whether it reloaded",
                     SPAN_ARG(e->to));
        return complain(EX_TEMPFAIL, "%.*s says access %.*s; whether it is served, sallyport reload says",
                        SPAN_ARG(e->source->name), SPAN_ARG(e->to));
    }
    return fflush(stdout) == 0 ? EXIT_YES : EXIT_NO;
}

static int change(struct server_call *s, struct server_edit *e)
{
    uint32_t at = (uint32_t)(s->server - s->load->config->servers);
    int code = may_ask(s);
    const char *does = code == EXIT_YES ? warn(s->server, &e->after.config->servers[at]) : NULL;
    if (does) code = confirm(s, does);
    if (code != EXIT_YES) return code;
    /* no change without a trace: the audit first */
    if (!server_trail(s, "access %.*s -> %.*s in %.*s", SPAN_ARG(e->from), SPAN_ARG(e->to),
                      SPAN_ARG(e->source->name)))
        return complain(EXIT_NO, "nothing was changed: what is not in the audit is not done");
    const char *why = replace_file((const char *)e->source->name.p, e->source->text, e->text);
    if (!why) return finish(s, e);
    server_trail(s, "access %.*s as before: %s", SPAN_ARG(e->from), why);
    return complain(EXIT_NO, "nothing was changed: %.*s: %s", SPAN_ARG(e->source->name), why);
}

static int dry_run(struct server_call *s, struct server_edit *e)
{
    uint32_t at = (uint32_t)(s->server - s->load->config->servers);
    (void)warn(s->server, &e->after.config->servers[at]);
    return server_dry_run(s, e);
}

int server_set(struct server_call *s)
{
    struct server_edit e = {.same = false};
    if (!s->n_words || strcmp(s->words[0], "access") != 0)
        return command_usage(s->v, "set what? access", s->n_words ? s->words[0] : NULL);
    s->words++;
    s->n_words--;
    int code = server_edit_access(s, &e);
    if (code == EXIT_YES && e.same)
        print_result(s, &e, "same", "It is so already.");
    else if (code == EXIT_YES)
        code = s->dry_run ? dry_run(s, &e) : change(s, &e);
    config_load_free(&e.after);
    return code;
}
