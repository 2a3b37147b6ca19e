#include "cmd/queue_change.h"

#include <stdio.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/json.h"
#include "cmd/queue_ask.h"
#include "spool/message_id.h"

enum { NAMED = 20 /* messages */ };

struct changing {
    bool json;
    unsigned long long examined, messages, recipients, busy, held, named;
    uint64_t last; /* message that was told of; one of many recipients is told of again on the next page */
    bool again;
};

static uint64_t number(struct span line, const char *key)
{
    uint64_t n = 0;
    return span_u64(json_member(line, key), &n) ? n : 0;
}

static void on_line(void *context, struct span line)
{
    struct changing *c = context;
    struct span id = json_member(line, "id"); /* in quotation marks */
    if (id.n && json_member(line, "busy").n) {
        if (c->json)
            printf("%.*s\n", SPAN_ARG(line));
        else if (c->named++ < NAMED)
            printf("%.*s: an attempt is under way\n", SPAN_ARG(span_head(span_skip(id, 1), id.n - 2)));
        return;
    }
    if (id.n) {
        uint64_t before = c->last;
        if (id.n < 2 || !message_id_parse(span_head(span_skip(id, 1), id.n - 2), &c->last)) c->last = 0;
        c->again |= c->last && c->last == before;
        if (c->json) printf("%.*s\n", SPAN_ARG(line));
        return;
    }
    c->examined += number(line, "examined");
    c->messages += number(line, "messages") - c->again;
    c->again = false;
    c->recipients += number(line, "recipients");
    c->busy += number(line, "busy");
    c->held += number(line, "held");
    queue_ask_progress(c->examined, c->messages);
}

static void on_counted(void *context, struct span line)
{
    struct changing *c = context;
    c->examined += number(line, "examined");
    c->recipients += number(line, "recipients");
    queue_ask_progress(c->examined, c->recipients);
}

/* How many recipients are meant; then the question. */
static int confirm(struct command_call *v, const struct control_request *r)
{
    struct changing c = {0};
    struct control_request count = {
        .verb = CONTROL_QUEUE_SUMMARY, .group = GROUP_REASON, .filter = r->filter};
    char answer[16] = "";
    if (!isatty(STDIN_FILENO)) return command_usage(v, "nobody can be asked here: say --yes", NULL);
    int code = queue_ask(v, &count, on_counted, &c);
    queue_ask_progress_end();
    if (code != EXIT_YES) return code;
    printf("%s %llu recipient%s%s? [y/N] ",
           r->verb == CONTROL_QUEUE_REMOVE ? "Remove for" : "Return to their senders what is for",
           c.recipients, c.recipients == 1 ? "" : "s",
           r->verb == CONTROL_QUEUE_REMOVE ? ", telling nobody" : "");
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return EXIT_YES;
    return complain(EXIT_NO, "nothing was changed");
}

static const char *word_of(enum control_verb verb)
{
    static const char *const words[] = {"tried at once", "held",     "released",
                                        "removed",       "returned", "queued anew"};
    return words[verb - CONTROL_QUEUE_FLUSH];
}

static void print_result(const struct control_request *r, const struct changing *c)
{
    if (c->json) {
        printf("{\"change\":\"%s\",\"examined\":%llu,\"messages\":%llu,\"recipients\":%llu,\"busy\":%llu,"
               "\"held\":%llu}\n",
               control_verb_name(r->verb) + 6, c->examined, c->messages, c->recipients, c->busy, c->held);
        return;
    }
    printf("%llu message%s, %llu recipient%s: %s\n", c->messages, c->messages == 1 ? "" : "s", c->recipients,
           c->recipients == 1 ? "" : "s", word_of(r->verb));
    if (c->busy)
        printf("%llu recipient%s being delivered and left alone: ask again when the attempt is over\n",
               c->busy, c->busy == 1 ? " is" : "s are");
    if (c->held)
        printf("%llu recipient%s held and stay%s so: queue release lets them go\n", c->held,
               c->held == 1 ? " is" : "s are", c->held == 1 ? "s" : "");
}

static int change_ids(struct command_call *v, struct control_request *r, char *const *ids, int n,
                      struct changing *c)
{
    int code = EXIT_YES;
    for (int i = 0; i < n; i++)
        if (!message_id_parse(span_str(ids[i]), &r->filter.id))
            return command_usage(v, "this is no message id", ids[i]);
    for (int i = 0; i < n; i++) {
        (void)message_id_parse(span_str(ids[i]), &r->filter.id);
        int one = queue_ask(v, r, on_line, c);
        if (one != EXIT_YES) code = one;
    }
    return code;
}

int queue_change(struct command_call *v, struct control_request *r, char *const *ids, int n_ids, bool yes)
{
    struct changing c = {.json = v->json};
    bool destructive = r->verb == CONTROL_QUEUE_REMOVE || r->verb == CONTROL_QUEUE_BOUNCE;
    if (n_ids == 0 && !r->all && !control_filter_says(&r->filter))
        return command_usage(v, "which messages? Name them, or say --from, --to, --domain ... or --all",
                             NULL);
    if (n_ids > 0 && r->all) return command_usage(v, "--all, or messages by their ids, not both", NULL);
    if (destructive && !yes && n_ids == 0) {
        int code = confirm(v, r);
        if (code != EXIT_YES) return code;
    } else if (destructive && !yes && !isatty(STDIN_FILENO)) {
        return command_usage(v, "nobody can be asked here: say --yes", NULL);
    } else if (destructive && !yes) {
        for (int i = 0; i < n_ids; i++) {
            struct control_request one = {.verb = r->verb, .filter = r->filter};
            if (!message_id_parse(span_str(ids[i]), &one.filter.id))
                return command_usage(v, "this is no message id", ids[i]);
            int code = confirm(v, &one);
            if (code != EXIT_YES) return code;
        }
    }
    int code = n_ids ? change_ids(v, r, ids, n_ids, &c) : queue_ask(v, r, on_line, &c);
    queue_ask_progress_end();
    if (code == EXIT_YES || c.messages) print_result(r, &c);
    return code;
}
