/* What a recorded log says of a change of access: sessions that it would have refused. A log says who sent and who logged in, not
 * who only connected; sessions are told apart by their ids, clients and users by their names. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/calendar.h"
#include "base/hex.h"
#include "base/map.h"
#include "cmd/complain.h"
#include "cmd/log_lines.h"
#include "cmd/server_private.h"

enum { SHOWN = 10, SHOWN_JSON = 100, MAP_SLOTS_FIRST = 4096 };

enum { /* what is known of a session */
       SEEN = 1,
       LOST_MAIL = 2, /* it had a message taken that would be refused */
       LOST_TRY = 4,  /* it would hear the refusal, and nothing of it was taken anyway */
       ADMITTED = 8,  /* it was refused and would not be */
};

struct tally {
    enum access to;
    const struct config_server *after;
    struct map sessions;
    json_t *who; /* client or user -> [sessions, messages] */
    uint64_t n_sessions, refused, tried, messages, admitted, lines_dropped, others;
    uint64_t first_ms, last_ms;
    bool no_memory;
};

/* --- sessions and whose they are */

static bool grow(struct tally *t)
{
    size_t slots = t->sessions.slots ? t->sessions.slots * 2 : MAP_SLOTS_FIRST;
    if (slots > LIMIT_DRY_RUN_SESSIONS * 2) return false;
    struct map_slot *memory = calloc(slots, sizeof *memory);
    if (!memory) return false;
    struct map larger = map_on(memory, slots, t->sessions.seed);
    if (t->sessions.slot) map_move(&t->sessions, &larger);
    free(t->sessions.slot);
    t->sessions = larger;
    return true;
}

static uint32_t *session_of(struct tally *t, uint64_t id)
{
    uint32_t *known = t->sessions.slot ? map_get(&t->sessions, id) : NULL;
    if (known) return known;
    if ((!t->sessions.slot && !grow(t)) ||
        (!map_set(&t->sessions, id, SEEN) && (!grow(t) || !map_set(&t->sessions, id, SEEN)))) {
        t->no_memory = true;
        return NULL;
    }
    t->n_sessions++;
    return map_get(&t->sessions, id);
}

/* A log may name any number of them: beyond the limit they count together. */
static void count(struct tally *t, struct span name, bool session, bool message)
{
    json_t *both = json_object_getn(t->who, (const char *)name.p, name.n);
    if (!both && json_object_size(t->who) < LIMIT_DRY_RUN_NAMES) {
        both = json_pack("[i,i]", 0, 0);
        if (!both || json_object_setn_new(t->who, (const char *)name.p, name.n, both) != 0) {
            t->no_memory = true;
            return;
        }
    }
    if (!both) {
        t->others += session;
        return;
    }
    json_t *sessions = json_array_get(both, 0), *messages = json_array_get(both, 1);
    json_integer_set(sessions, json_integer_value(sessions) + session);
    json_integer_set(messages, json_integer_value(messages) + message);
}

/* A session that would hear a refusal; message: for one that was taken. */
static void lose(struct tally *t, uint32_t *session, struct span name, bool message)
{
    bool fresh = !(*session & (LOST_MAIL | LOST_TRY)), first = message && !(*session & LOST_MAIL);
    t->tried += fresh;
    t->refused += first;
    t->messages += message;
    *session |= message ? LOST_MAIL : LOST_TRY;
    if (message) count(t, name, first, true);
}

/* --- lines */

static bool in_relay_networks(const struct config_server *s, struct span client)
{
    struct address a;
    return address_parse(client, &a) && network_any_holds(s->relay_networks, s->n_relay_networks, &a);
}

/* The server asks for a login now: whoever sent without one, from no relay network. */
static void to_authenticated(struct tally *t, const struct log_line *line, uint32_t *session)
{
    struct span client = log_line_text(line, "client"), user = log_line_text(line, "user");
    bool taken = span_eq(line->event, SPAN("accepted"));
    bool tried =
        span_eq(line->event, SPAN("deferred")) ||
        (span_eq(line->event, SPAN("refused")) && span_eq(log_line_text(line, "verb"), SPAN("RCPT")));
    if ((taken || tried) && !user.n && !in_relay_networks(t->after, client)) lose(t, session, client, taken);
}

/* It knows no logins any more: whoever did log in. */
static void to_anonymous(struct tally *t, const struct log_line *line, uint32_t *session)
{
    struct span user = log_line_text(line, "user");
    if (user.n) lose(t, session, user, span_eq(line->event, SPAN("accepted")));
}

static void take(struct tally *t, const struct log_line *line)
{
    uint8_t octets[8];
    struct buf b = buf_on(octets, sizeof octets);
    uint64_t id = 0;
    if (span_eq(line->event, SPAN("log-lines-dropped"))) t->lines_dropped += log_line_number(line, "count");
    if (!span_eq(log_line_text(line, "server"), t->after->name)) return;
    if (!hex_decode(log_line_text(line, "session"), &b) || b.n != sizeof octets) return;
    for (size_t i = 0; i < sizeof octets; i++)
        id = id << 8 | octets[i];
    if (!t->first_ms || line->ms < t->first_ms) t->first_ms = line->ms;
    if (line->ms > t->last_ms) t->last_ms = line->ms;
    uint32_t *session = session_of(t, id);
    if (!session) return;
    if (t->to == ACCESS_AUTHENTICATED) to_authenticated(t, line, session);
    if (t->to == ACCESS_ANONYMOUS) to_anonymous(t, line, session);
    bool asked = span_eq(log_line_text(line, "rule"), SPAN("access.authenticated"));
    if (t->to != ACCESS_AUTHENTICATED && asked && !(*session & ADMITTED)) {
        *session |= ADMITTED;
        t->admitted++;
    }
}

/* --- what is said */

static json_int_t number(const json_t *both, size_t which)
{
    return json_integer_value(json_array_get(both, which));
}

/* Those with most sessions, each taken out as it is printed. */
static void print_who(struct tally *t, bool json)
{
    const char *kind = t->to == ACCESS_ANONYMOUS ? "user" : "client", *key;
    for (unsigned i = 0; i < (json ? SHOWN_JSON : SHOWN) && json_object_size(t->who); i++) {
        const char *most = NULL;
        json_t *both, *its = NULL;
        json_object_foreach(t->who, key, both) if (!its || number(both, 0) > number(its, 0))
        {
            its = both;
            most = key;
        }
        char memory[SERVER_TEXT_OCTETS * 6];
        struct buf b = buf_on(memory, sizeof memory);
        (json ? buf_json : buf_escaped)(&b, span_str(most), SERVER_TEXT_OCTETS);
        printf(json ? "%s{\"%s\":\"%.*s\",\"sessions\":%" JSON_INTEGER_FORMAT
                      ",\"messages\":%" JSON_INTEGER_FORMAT "}"
                    : "%s  %s %.*s: %" JSON_INTEGER_FORMAT " with %" JSON_INTEGER_FORMAT "\n",
               json && i ? "," : "", kind, SPAN_ARG(buf_span(&b)), number(its, 0), number(its, 1));
        json_object_del(t->who, most);
    }
    t->others += json_object_size(t->who);
}

static void put_number(struct buf *b, const char *key, uint64_t n)
{
    buf_str(b, ",\"");
    buf_str(b, key);
    buf_str(b, "\":");
    buf_u64(b, n);
}

static void print_json(const struct server_edit *e, struct tally *t, const struct log_lines_count *n)
{
    char memory[SERVER_TEXT_OCTETS * 16], first[32], last[32];
    struct buf b = buf_on(memory, sizeof memory), begin = buf_on(first, sizeof first),
               end = buf_on(last, sizeof last);
    calendar_put_utc(&begin, t->first_ms / 1000);
    calendar_put_utc(&end, t->last_ms / 1000);
    buf_byte(&b, '{');
    server_put_json(&b, "server", t->after->name);
    server_put_json(&b, "from", e->from);
    server_put_json(&b, "to", e->to);
    server_put_json(&b, "first", buf_span(&begin));
    server_put_json(&b, "last", buf_span(&end));
    put_number(&b, "lines", n->lines);
    put_number(&b, "foreign", n->foreign);
    put_number(&b, "dropped", t->lines_dropped);
    put_number(&b, "sessions", t->n_sessions);
    put_number(&b, "refused", t->tried);
    put_number(&b, "refused_with_mail", t->refused);
    put_number(&b, "messages", t->messages);
    put_number(&b, "admitted", t->admitted);
    printf("%.*s,\"who\":[", SPAN_ARG(buf_span(&b)));
    print_who(t, true);
    printf("]}\n");
}

static void print_text(const struct server_edit *e, struct tally *t, const struct log_lines_count *n)
{
    char memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    calendar_put_utc(&b, t->first_ms / 1000);
    buf_str(&b, " to ");
    calendar_put_utc(&b, t->last_ms / 1000);
    printf("server %.*s: access %.*s -> %.*s, by a log from %.*s:\n", SPAN_ARG(t->after->name),
           SPAN_ARG(e->from), SPAN_ARG(e->to), SPAN_ARG(buf_span(&b)));
    printf("of %" PRIu64 " sessions %" PRIu64 " would be refused, %" PRIu64
           " of them with mail that was taken (%" PRIu64 " message%s).\n",
           t->n_sessions, t->tried, t->refused, t->messages, t->messages == 1 ? "" : "s");
    if (t->admitted) printf("%" PRIu64 " that were refused would be let in.\n", t->admitted);
    if (t->refused) printf("Sessions with messages that would be refused:\n");
    print_who(t, false);
    if (t->others) printf("  and %" PRIu64 " others\n", t->others);
    if (n->foreign)
        printf("%" PRIu64 " of %" PRIu64 " lines are no lines of this log.\n", n->foreign, n->lines);
    if (t->lines_dropped) printf("%" PRIu64 " lines were lost when it was written.\n", t->lines_dropped);
    printf("The log does not say who only connected, nor who would log in when asked to. Nothing was "
           "changed.\n");
}

static int read_log(struct server_call *s, struct tally *t, struct log_lines_count *n)
{
    uint64_t since = 0;
    struct log_line line;
    if (s->since && !log_lines_since(span_str(s->since), (uint64_t)time(NULL) * 1000, &since))
        return command_usage(s->v, "write since when: 4h, 7d, 2026-11-25", s->since);
    if (!s->n_logs && isatty(STDIN_FILENO))
        return command_usage(s->v, "which log? --log FILE, or on standard input", NULL);
    struct log_lines *lines = log_lines_open(s->logs, s->n_logs, since);
    if (!lines) return complain(EXIT_NO, "no memory");
    while (!t->no_memory && log_lines_next(lines, &line))
        take(t, &line);
    *n = log_lines_count(lines);
    bool failed = log_lines_failed(lines);
    log_lines_close(&lines);
    if (t->no_memory)
        return complain(EXIT_NO, "the log has more sessions than there is memory for: --since TIME");
    if (failed) return EXIT_NO;
    if (!t->n_sessions)
        return complain(EXIT_NO, "the log has no session of server %.*s", SPAN_ARG(t->after->name));
    return EXIT_YES;
}

int server_dry_run(struct server_call *s, const struct server_edit *e)
{
    const struct config *after = e->after.config;
    struct tally t = {.after = &after->servers[s->server - s->load->config->servers], .who = json_object()};
    struct log_lines_count n;
    t.to = t.after->access;
    t.sessions.seed = (uint64_t)time(NULL);
    int code = t.who ? read_log(s, &t, &n) : complain(EXIT_NO, "no memory");
    if (code == EXIT_YES) {
        (s->v->json ? print_json : print_text)(e, &t, &n);
        if (t.tried || fflush(stdout) != 0) code = EXIT_NO;
    }
    free(t.sessions.slot);
    json_decref(t.who);
    return code;
}
