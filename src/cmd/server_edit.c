#include <errno.h>
#include <string.h>

#include "cmd/complain.h"
#include "cmd/problems.h"
#include "cmd/server_private.h"
#include "config/edit.h"
#include "process/role.h"
#include "sasl/mechanism.h"
#include "service/config_files.h"

const char *const server_access_names[3] = {"anonymous", "authenticated", "both"};
static const char *const role_names[] = {"mx", "submission", "organisation", "gate"};

/* --- what is wanted */

static bool is_access(const char *word)
{
    for (size_t i = 0; i < sizeof server_access_names / sizeof server_access_names[0]; i++)
        if (strcmp(word, server_access_names[i]) == 0) return true;
    return false;
}

/* Words of a command line that become part of a file are known ones. */
static int check_words(const struct server_call *s)
{
    if (!s->n_words || !is_access(s->words[0]))
        return command_usage(s->v, "access is anonymous, authenticated or both",
                             s->n_words ? s->words[0] : NULL);
    if (s->n_words > 1 && (s->n_words < 3 || strcmp(s->words[1], "mechanisms") != 0))
        return command_usage(s->v, "behind the access: mechanisms NAME ...", s->words[1]);
    if (s->n_words > 1 && strcmp(s->words[0], "anonymous") == 0)
        return command_usage(s->v, "anonymous clients prove nothing: no mechanisms", NULL);
    for (int i = 2; i < s->n_words; i++)
        if (!mechanism_find(span_str(s->words[i])))
            return command_usage(s->v, "this is no mechanism", s->words[i]);
    return EXIT_YES;
}

/* The words, or the first of them and the mechanisms that were listed. p null: no memory. */
static struct span wanted(const struct server_call *s, struct span listed)
{
    char memory[SERVER_TEXT_OCTETS * 4];
    struct buf b = buf_on(memory, sizeof memory);

    for (int i = 0; i < s->n_words; i++) {
        if (i) buf_byte(&b, ' ');
        buf_str(&b, s->words[i]);
    }
    if (s->n_words == 1 && strcmp(s->words[0], "anonymous") != 0) buf_put(&b, listed);
    return b.over ? span_of(NULL, 0) : arena_copy(s->load->arena, buf_span(&b));
}

/* --- the text */

static const struct config_source *source_of(const struct config_load *l, struct span file)
{
    for (size_t i = 0; i < l->n_sources; i++)
        if (span_eq(l->sources[i].name, file)) return &l->sources[i];
    return NULL;
}

static int find_place(struct server_call *s, struct server_edit *e)
{
    bool own;
    struct span all, first;
    e->place = config_server_said(s->load->config, s->server, "access", false, &own);
    e->none_before = !own;
    if (!own) e->place = s->server->place;
    e->source = source_of(s->load, e->place.file);
    if (own && (!e->source || !config_edit_arguments(e->source->text, &e->place, &all, &first)))
        return complain(EXIT_NO, "its access line is not found in the text");
    if (!own) all = first = span_str(server_access_names[s->server->access]);
    e->from = all;
    e->to = wanted(s, span_skip(all, first.n));
    e->same = span_eq(e->to, e->from) ||
              (s->n_words == 1 && strcmp(s->words[0], server_access_names[s->server->access]) == 0);
    return e->to.p ? EXIT_YES : complain(EXIT_NO, "no memory");
}

/* One more statement, beside the access or where the block begins. */
static bool add(const struct server_edit *e, struct buf *out, struct span text, const char *name,
                struct span value)
{
    char memory[SERVER_TEXT_OCTETS * 5];
    struct buf statement = buf_on(memory, sizeof memory);
    buf_str(&statement, name);
    buf_byte(&statement, ' ');
    buf_put(&statement, value);
    return !statement.over && (e->none_before ? config_edit_inside : config_edit_before)(
                                  out, text, &e->place, buf_span(&statement));
}

static bool make_text(struct server_call *s, struct server_edit *e)
{
    struct span old = e->source->text, all, first;
    size_t room = CONFIG_EDIT_ROOM(old) + e->to.n + 32;
    void *memory = arena_take(s->load->arena, room);
    struct buf out = buf_on(memory, memory ? room : 0);
    if (e->none_before) {
        if (!add(e, &out, old, "access", e->to)) return false;
    } else if (config_edit_arguments(old, &e->place, &all, &first)) {
        config_edit_replace(&out, old, all, e->to);
    }
    e->text = buf_span(&out);
    return !out.over && out.n > 0;
}

static bool add_role(struct server_call *s, struct server_edit *e)
{
    size_t room = CONFIG_EDIT_ROOM(e->text) + 32;
    void *memory = arena_take(s->load->arena, room);
    struct buf out = buf_on(memory, memory ? room : 0);
    if (!add(e, &out, e->text, "role", span_str(role_names[s->server->role]))) return false;
    e->text = buf_span(&out);
    return e->role_said = !out.over;
}

/* --- the candidate */

static int load(struct server_call *s, struct server_edit *e)
{
    const struct config_source instead = {.name = e->source->name, .text = e->text};
    config_load_free(&e->after);
    if (!config_load_edited(&e->after, s->v->config, &instead))
        return complain(EXIT_NO, "reading the configuration: %s", strerrordesc_np(errno));
    return EXIT_YES;
}

static int check(struct server_call *s, struct server_edit *e)
{
    struct config_files_who who = {.starts = false};
    struct config_report list;
    config_report_begin(&list, e->after.arena);
    config_report_take(&list, e->after.problems);
    role_account(PROC_SPOOLER, &who.spooler);
    role_account(PROC_MAILBOX, &who.mailbox);
    role_account(PROC_DIRECTORY, &who.directory);
    role_account(PROC_CONNECTOR, &who.connector);
    if (e->after.config) config_files_check(e->after.config, &who, &list);
    if (!list.errors) return EXIT_YES;
    if (s->v->json)
        problems_print_json(&list, stderr);
    else
        problems_print(&list, stderr, s->v->color);
    return complain(EXIT_CONFIG, "nothing was changed: the configuration would have errors");
}

/* A file may be included in several servers. */
static int check_others(const struct server_call *s, const struct server_edit *e)
{
    const struct config *before = s->load->config, *after = e->after.config;
    for (uint32_t i = 0; i < before->n_servers && i < after->n_servers; i++) {
        const struct config_server *a = &before->servers[i], *b = &after->servers[i];
        if (a == s->server ||
            (a->access == b->access && a->role == b->role && a->mechanisms == b->mechanisms))
            continue;
        return complain(EXIT_NO, "nothing was changed: %.*s is included by server %.*s, too",
                        SPAN_ARG(e->source->name), SPAN_ARG(a->name));
    }
    return EXIT_YES;
}

int server_edit_access(struct server_call *s, struct server_edit *e)
{
    int code = check_words(s);
    if (code == EXIT_YES) code = find_place(s, e);
    if (code != EXIT_YES || e->same) return code;
    if (!e->source || !make_text(s, e))
        return complain(EXIT_NO, "server %.*s stands in no file: write a block for it, server %.*s { ... }",
                        SPAN_ARG(s->server->name), SPAN_ARG(s->server->name));
    code = load(s, e);
    const struct config *after = e->after.config;
    uint32_t at = (uint32_t)(s->server - s->load->config->servers);
    if (code == EXIT_YES && after && after->servers[at].role != s->server->role)
        code = add_role(s, e) ? load(s, e) : complain(EXIT_NO, "no memory");
    if (code == EXIT_YES) code = check(s, e);
    return code == EXIT_YES ? check_others(s, e) : code;
}
