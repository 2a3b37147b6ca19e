#include "cmd/queue_summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/complain.h"
#include "cmd/json.h"
#include "cmd/queue_ask.h"

enum { NAME_OCTETS = 1200 };

struct row {
    char *name; /* raw JSON, with its quotes */
    size_t name_n;
    uint64_t recipients, queued, deferred, held, octets, oldest;
    char *state; /* the line of its destination, or null */
};

struct summary {
    struct row *rows;
    size_t n, room;
    uint32_t *places; /* hash table of row + 1 */
    size_t slots;
    uint8_t group;
    bool failed; /* no memory */
    unsigned long long examined;
};

static uint64_t number(struct span line, const char *key)
{
    uint64_t n = 0;
    return span_u64(json_member(line, key), &n) ? n : 0;
}

static size_t slot_of(const struct summary *s, struct span name)
{
    uint64_t h = 1469598103934665603U;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ name.p[i]) * 1099511628211U;
    size_t at = h & (s->slots - 1);
    while (s->places[at]) {
        const struct row *r = &s->rows[s->places[at] - 1];
        if (span_eq(span_of(r->name, r->name_n), name)) break;
        at = (at + 1) & (s->slots - 1);
    }
    return at;
}

static bool grow(struct summary *s)
{
    size_t room = s->room ? 2 * s->room : 256;
    struct row *rows = reallocarray(s->rows, room, sizeof *rows);
    uint32_t *places = calloc(2 * room, sizeof *places);
    if (rows) s->rows = rows;
    if (!rows || !places) {
        free(places);
        return false;
    }
    free(s->places);
    s->places = places;
    s->slots = 2 * room;
    s->room = room;
    for (size_t i = 0; i < s->n; i++)
        s->places[slot_of(s, span_of(rows[i].name, rows[i].name_n))] = (uint32_t)i + 1;
    return true;
}

/* The row of that name; null: no memory. create: one that is not there is made. */
static struct row *row_of(struct summary *s, struct span name, bool create)
{
    if (s->n == s->room && !grow(s)) return NULL;
    size_t at = slot_of(s, name);
    if (s->places[at]) return &s->rows[s->places[at] - 1];
    if (!create) return NULL;
    struct row *r = &s->rows[s->n];
    *r = (struct row){.name = strndup((const char *)name.p, name.n), .name_n = name.n, .oldest = UINT64_MAX};
    if (!r->name) return NULL;
    s->places[at] = (uint32_t)++s->n;
    return r;
}

static void on_group(void *context, struct span line)
{
    struct summary *s = context;
    struct span name = json_member(line, control_group_names[s->group]);
    if (name.n == 0) {
        s->examined += number(line, "examined");
        queue_ask_progress(s->examined, s->n);
        return;
    }
    struct row *r = row_of(s, name, true);
    if (!r) {
        s->failed = true;
        return;
    }
    r->recipients += number(line, "recipients");
    r->queued += number(line, "queued");
    r->deferred += number(line, "deferred");
    r->held += number(line, "held");
    r->octets += number(line, "octets");
    uint64_t oldest = number(line, "oldest");
    if (oldest < r->oldest) r->oldest = oldest;
}

static void on_destination(void *context, struct span line)
{
    struct row *r = row_of(context, json_member(line, "destination"), false);
    if (r && !r->state) r->state = strndup((const char *)line.p, line.n);
}

static int by_recipients(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->recipients < y->recipients ? 1 : x->recipients > y->recipients ? -1 : strcmp(x->name, y->name);
}

static const char *shown(struct span raw, char *to, size_t room)
{
    char plain[NAME_OCTETS];
    struct buf p = buf_on(plain, sizeof plain), out = buf_on(to, room - 1);
    if (!json_string(raw, &p)) p.n = 0;
    buf_escaped(&out, buf_span(&p), room / 4);
    to[out.n] = '\0';
    return to;
}

static void print_json(const struct summary *s, const struct row *r)
{
    printf("{\"%s\":%.*s,\"recipients\":%llu,\"queued\":%llu,\"deferred\":%llu,\"held\":%llu,\"octets\":%llu,"
           "\"oldest_ms\":%llu",
           control_group_names[s->group], (int)r->name_n, r->name, (unsigned long long)r->recipients,
           (unsigned long long)r->queued, (unsigned long long)r->deferred, (unsigned long long)r->held,
           (unsigned long long)r->octets, (unsigned long long)r->oldest);
    if (r->state) printf(",\"state\":%s", r->state);
    printf("}\n");
}

static void print_age(uint64_t oldest_ms)
{
    uint64_t now = (uint64_t)time(NULL), then = oldest_ms / 1000, age = now > then ? now - then : 0;
    const char *unit = age < 120 ? "s" : age < 7200 ? "m" : age < 172800 ? "h" : "d";
    uint64_t n = age < 120 ? age : age < 7200 ? age / 60 : age < 172800 ? age / 3600 : age / 86400;
    printf(" %6llu%s", (unsigned long long)n, unit);
}

static void print_text(const struct row *r)
{
    char name[4 * NAME_OCTETS], when[4 * 64], why[4 * NAME_OCTETS];
    printf("%10llu %10llu %10llu", (unsigned long long)r->recipients, (unsigned long long)r->deferred,
           (unsigned long long)r->held);
    print_age(r->oldest);
    printf("  %s", shown(span_of(r->name, r->name_n), name, sizeof name));
    struct span state = span_str(r->state ? r->state : "");
    if (r->state && span_eq(json_member(state, "standing"), SPAN("\"failed\""))) {
        printf(": %s", shown(json_member(state, "reason"), why, sizeof why));
        if (json_member(state, "next").n > 2)
            printf("; next try %s", shown(json_member(state, "next"), when, sizeof when));
    } else if (json_member(state, "waits_for").n > 2) {
        printf(": %s", shown(json_member(state, "waits_for"), why, sizeof why));
        if (json_member(state, "next").n > 2)
            printf("; until %s", shown(json_member(state, "next"), when, sizeof when));
    }
    putchar('\n');
}

static int summarize(struct command_call *v, const struct question_filter *filter, uint8_t group)
{
    struct summary s = {.group = group};
    struct control_request r = {.verb = CONTROL_QUEUE_SUMMARY, .group = group, .filter = *filter};
    int code = queue_ask(v, &r, on_group, &s);
    if (code == EXIT_YES && group == GROUP_DESTINATION && s.n) {
        r = (struct control_request){.verb = CONTROL_QUEUE_DESTINATIONS, .filter = QUESTION_FILTER_ANY};
        code = queue_ask(v, &r, on_destination, &s);
    }
    queue_ask_progress_end();
    if (s.n) qsort(s.rows, s.n, sizeof *s.rows, by_recipients);
    if (s.failed) code = complain(EXIT_NO, "no memory for all groups");
    if (!v->json && code == EXIT_YES && s.n == 0) printf("Nothing waits.\n");
    if (!v->json && code == EXIT_YES && s.n)
        printf("%10s %10s %10s %7s  %s\n", "RECIPIENTS", "DEFERRED", "HELD", "OLDEST",
               group == GROUP_REASON ? "REASON" : "DESTINATION");
    for (size_t i = 0; i < s.n; i++) {
        if (code == EXIT_YES) v->json ? print_json(&s, &s.rows[i]) : print_text(&s.rows[i]);
        free(s.rows[i].name);
        free(s.rows[i].state);
    }
    free(s.rows);
    free(s.places);
    return code;
}

int queue_summary(struct command_call *v, const struct question_filter *filter, const char *by)
{
    uint8_t group;
    if (by && !control_group_read(span_str(by), &group))
        return command_usage(v, "--by is destination or reason", by);
    if (by) return summarize(v, filter, group);
    int code = summarize(v, filter, GROUP_DESTINATION);
    if (code != EXIT_YES) return code;
    if (!v->json) putchar('\n');
    return summarize(v, filter, GROUP_REASON);
}
