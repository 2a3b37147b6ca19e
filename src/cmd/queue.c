#include "cmd/queue.h"

#include <stdio.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/queue_ask.h"
#include "cmd/queue_change.h"
#include "cmd/queue_filter.h"
#include "cmd/queue_summary.h"
#include "cmd/queue_table.h"
#include "cmd/spool_verify.h"
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

static void on_counts(void *context, struct span line)
{
    uint64_t *messages = context, n;
    if (span_u64(json_member(line, "messages"), &n)) *messages = n;
}

static int ask(struct command_call *v, struct asking *a)
{
    a->json = v->json;
    int code = queue_ask(v, &a->request, on_line, a);
    if (code != EXIT_YES) return code;
    if (a->damaged && a->request.verb == CONTROL_QUEUE_VERIFY) return EXIT_NO;
    if (a->request.verb == CONTROL_QUEUE_SHOW && !a->json) queue_table_show_end(&a->table);
    if (a->request.verb == CONTROL_QUEUE_LIST && !a->json) {
        uint64_t queued = 0;
        struct control_request counts = {.verb = CONTROL_QUEUE_COUNTS};
        if (a->table.messages == 0 && control_filter_says(&a->request.filter))
            code = queue_ask(v, &counts, on_counts, &queued);
        if (code == EXIT_YES) queue_table_list_end(&a->table, queued);
    }
    return fflush(stdout) == 0 ? code : EXIT_NO;
}

static int verify(struct command_call *v, struct asking *a, const char *spool)
{
    if (!spool) return ask(v, a);
    a->json = v->json;
    return spool_verify(spool, on_line, a) && !a->damaged ? EXIT_YES : EXIT_NO;
}

struct asked { /* the words of a call */
    struct control_request request;
    const char *by, *spool, *all, *yes;
    struct queue_filter filter;
};

/* Which of the words fits the verb is said here, the rest by the verb's own file. */
static int check_words(struct command_call *v, struct asked *q, int words)
{
    enum control_verb verb = q->request.verb;
    bool filters = verb == CONTROL_QUEUE_LIST || verb == CONTROL_QUEUE_SUMMARY || control_changes(verb);
    bool ids = verb == CONTROL_QUEUE_SHOW || control_changes(verb);
    if (words == 0 || (!ids && words > 1) || (verb == CONTROL_QUEUE_SHOW && words != 2))
        return command_usage(
            v, "list, summary, show ID, verify, counts, flush, hold, release, remove, bounce or requeue",
            NULL);
    if (!queue_filter_read(v, &q->filter, &q->request.filter)) return EXIT_USAGE;
    if (!filters && control_filter_says(&q->request.filter))
        return command_usage(v, "list, summary and what changes something have filters; this has none", NULL);
    if (q->by && verb != CONTROL_QUEUE_SUMMARY) return command_usage(v, "--by is for summary", NULL);
    if (q->spool && verb != CONTROL_QUEUE_VERIFY) return command_usage(v, "--spool is for verify", NULL);
    if ((q->all || q->yes) && !control_changes(verb))
        return command_usage(v, "--all and --yes are for what changes something", NULL);
    if (verb == CONTROL_QUEUE_SHOW && !message_id_parse(span_str(v->argv[2]), &q->request.filter.id))
        return command_usage(v, "this is no message id", v->argv[2]);
    q->request.all = q->all != NULL;
    return EXIT_YES;
}

int command_queue(struct command_call *v)
{
    struct asked q = {.request = {.verb = CONTROL_VERB_COUNT, .filter = QUESTION_FILTER_ANY}};
    struct command_option options[QUEUE_FILTER_OPTIONS + 4] = {{"--by", &q.by, false, false},
                                                               {"--spool", &q.spool, false, false},
                                                               {"--all", &q.all, true, false},
                                                               {"--yes", &q.yes, true, false}};
    int words;
    queue_filter_options(&q.filter, options + 4);
    if (!command_options(v, options, QUEUE_FILTER_OPTIONS + 4, &words)) return EXIT_USAGE;
    for (unsigned verb = CONTROL_QUEUE_LIST; words > 0 && verb < CONTROL_VERB_COUNT; verb++)
        if (verb != CONTROL_QUEUE_DESTINATIONS &&
            strcmp(v->argv[1], control_verb_name((enum control_verb)verb) + strlen("queue-")) == 0)
            q.request.verb = (enum control_verb)verb;
    if (q.request.verb == CONTROL_VERB_COUNT) words = 0;
    int code = check_words(v, &q, words);
    if (code != EXIT_YES) return code;
    if (control_changes(q.request.verb))
        return queue_change(v, &q.request, v->argv + 2, words - 1, q.yes != NULL);
    if (q.request.verb == CONTROL_QUEUE_SUMMARY) return queue_summary(v, &q.request.filter, q.by);
    struct asking a = {.request = q.request};
    return q.request.verb == CONTROL_QUEUE_VERIFY ? verify(v, &a, q.spool) : ask(v, &a);
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
    int code = ask_plainly(v, CONTROL_STOP);
    if (code == EXIT_YES && !v->json)
        printf("It stops: what is under way has as long as the configuration says (drain). Nobody answers "
               "here meanwhile.\n");
    return code;
}
