#include "cmd/queue_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/complain.h"
#include "cmd/json.h"

enum { SHOWN_OCTETS = 512 };

struct shown {
    char text[4 * SHOWN_OCTETS + 8];
};

/* A member as people read it: a string without its quotes, anything else as it stands; "-" when there is none. */
static const char *shown(struct shown *s, struct span object, const char *key)
{
    char plain[2 * SHOWN_OCTETS];
    struct buf b = buf_on(plain, sizeof plain), out = buf_on(s->text, sizeof s->text - 1);
    struct span raw = json_member(object, key);
    if (raw.n == 0) return "-";
    if (raw.p[0] == '"' ? !json_string(span_head(raw, sizeof plain), &b) : true) {
        b = buf_on(plain, sizeof plain);
        buf_put(&b, span_head(raw, sizeof plain));
    }
    buf_escaped(&out, buf_span(&b), SHOWN_OCTETS);
    s->text[out.n] = '\0';
    return s->text;
}

static void recipients(struct span line)
{
    struct json list = json_enter(json_member(line, "recipients"));
    struct span r;
    struct shown to, state, attempts, next, reason, destination, waits;
    while (json_next(&list, NULL, &r)) {
        uint64_t tried = 0;
        printf("%15s%-9s <%s>", "", shown(&state, r, "state"), shown(&to, r, "to"));
        if (span_u64(json_member(r, "attempts"), &tried) && tried > 0)
            printf("  tried %s", tried == 1 ? "once" : shown(&attempts, r, "attempts"));
        if (tried > 1) printf(" times");
        if (json_member(r, "destination").n > 2) printf("  by %s", shown(&destination, r, "destination"));
        if (json_member(r, "waits_for").n > 2) printf(", waits: %s", shown(&waits, r, "waits_for"));
        if (json_member(r, "next").n > 2) printf(", next %s", shown(&next, r, "next"));
        if (json_member(r, "reason").n > 2) printf(": %s", shown(&reason, r, "reason"));
        putchar('\n');
    }
    uint64_t more = 0;
    if (span_u64(json_member(line, "more"), &more) && more > 0)
        printf("%15sand %llu more\n", "", (unsigned long long)more);
}

void queue_table_list(struct queue_table *t, struct span line)
{
    struct shown id, size, arrival, from;
    if (!t->headed) printf("%-13s %10s  %-24s  %s\n", "ID", "SIZE", "ARRIVED", "FROM, TO");
    t->headed = true;
    t->messages++;
    printf("%-13s %10s  %-24s  <%s>\n", shown(&id, line, "id"), shown(&size, line, "size"),
           shown(&arrival, line, "arrival"), shown(&from, line, "from"));
    recipients(line);
}

void queue_table_list_end(const struct queue_table *t, unsigned long long queued)
{
    if (t->messages == 0 && queued > 0)
        printf("No message matches (%llu %s queued).\n", queued, queued == 1 ? "is" : "are");
    else if (t->messages == 0)
        printf("The queue is empty.\n");
    else
        printf("%lu message%s\n", t->messages, t->messages == 1 ? "" : "s");
}

/* A member that says nothing: an empty string, "more": 0. */
static bool is_idle(const char *name, struct span value)
{
    return span_eq(value, SPAN("\"\"")) || (strcmp(name, "more") == 0 && span_eq(value, SPAN("0")));
}

/* Every member of an object but those that are printed elsewhere, "key: value" each. */
static void members(struct span object, const char *indent, const char *skip)
{
    struct json j = json_enter(object);
    struct span key, value;
    while (json_next(&j, &key, &value)) {
        char name[64], text[4 * SHOWN_OCTETS + 8];
        struct buf n = buf_on(name, sizeof name - 1), v = buf_on(text, sizeof text - 1);
        struct shown s;
        if (!json_string(key, &n)) continue;
        name[n.n] = '\0';
        if (strcmp(name, skip) == 0 || is_idle(name, value)) continue;
        if (value.p[0] == '"') {
            printf("%s%-14s %s\n", indent, name, shown(&s, object, name));
        } else {
            buf_escaped(&v, value, SHOWN_OCTETS);
            printf("%s%-14s %.*s\n", indent, name, SPAN_ARG(buf_span(&v)));
        }
    }
}

/* --- one message's life */

struct queue_event {
    char time[32]; /* RFC 3339 in UTC: sorts as it stands */
    size_t place;  /* among those of one time: as they came */
    char *text;
};

/* What an event has to say beside its time, name, recipient, state and text: " key value" each. */
static void print_rest(FILE *to, struct span line)
{
    static const char *const said[] = {"id", "time", "event", "to", "state", "text"};
    struct json j = json_enter(line);
    struct span key, value;
    while (json_next(&j, &key, &value)) {
        char name[64];
        struct buf n = buf_on(name, sizeof name - 1);
        struct shown s;
        bool known = false;
        if (!json_string(key, &n)) continue;
        name[n.n] = '\0';
        for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
            known |= strcmp(name, said[i]) == 0;
        if (!known && !is_idle(name, value)) fprintf(to, " %s %s", name, shown(&s, line, name));
    }
}

static char *event_text(struct span line)
{
    struct shown time, event, to, state, text;
    char *ret = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&ret, &n);
    if (!f) return NULL;
    fprintf(f, "%-24s  %-10s", shown(&time, line, "time"), shown(&event, line, "event"));
    if (json_member(line, "to").n > 2) fprintf(f, " <%s>", shown(&to, line, "to"));
    if (json_member(line, "state").n > 2) fprintf(f, " %s", shown(&state, line, "state"));
    print_rest(f, line);
    if (json_member(line, "text").n > 2) fprintf(f, ": %s", shown(&text, line, "text"));
    if (fclose(f) == 0) return ret;
    free(ret);
    return NULL;
}

static bool keep_event(struct queue_table *t, struct span line)
{
    struct shown time;
    if (t->n_events == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct queue_event *more = reallocarray(t->events, room, sizeof *more);
        if (!more) return false;
        t->events = more;
        t->room = room;
    }
    struct queue_event *e = &t->events[t->n_events];
    *e = (struct queue_event){.place = t->n_events, .text = event_text(line)};
    snprintf(e->time, sizeof e->time, "%.31s", shown(&time, line, "time"));
    t->n_events += e->text != NULL;
    return e->text != NULL;
}

void queue_table_show(struct queue_table *t, struct span line)
{
    if (!t->headed) {
        t->headed = true;
        members(line, "", "recipients");
        recipients(line);
    } else if (!keep_event(t, line))
        complain(0, "no memory to sort the events: one is left out");
}

static int by_time(const void *a, const void *b)
{
    const struct queue_event *x = a, *y = b;
    int order = strcmp(x->time, y->time);
    return order ? order : x->place < y->place ? -1 : x->place > y->place;
}

void queue_table_show_end(struct queue_table *t)
{
    if (t->n_events) qsort(t->events, t->n_events, sizeof *t->events, by_time);
    for (size_t i = 0; i < t->n_events; i++) {
        puts(t->events[i].text);
        free(t->events[i].text);
    }
    free(t->events);
    t->events = NULL;
    t->n_events = t->room = 0;
}

void queue_table_verify(struct span line)
{
    struct shown a, b, c, d;
    if (json_member(line, "problem").n > 0) {
        printf("segment %s offset %s: %s", shown(&a, line, "segment"), shown(&b, line, "offset"),
               shown(&c, line, "problem"));
        if (json_member(line, "id").n > 2) printf(" (message %s)", shown(&d, line, "id"));
        putchar('\n');
    } else
        printf("%s segments, %s records, %s messages: %s damaged\n", shown(&a, line, "segments"),
               shown(&b, line, "records"), shown(&c, line, "messages"), shown(&d, line, "damaged"));
}

void queue_table_status(struct span line)
{
    struct json j = json_enter(line);
    struct span key, value;
    while (json_next(&j, &key, &value)) {
        char name[64];
        struct buf n = buf_on(name, sizeof name - 1);
        struct shown s;
        if (!json_string(key, &n)) continue;
        name[n.n] = '\0';
        if (value.p[0] != '[' && value.p[0] != '{') {
            printf("%-14s %s\n", name, shown(&s, line, name));
            continue;
        }
        struct json inner = json_enter(value);
        struct span member, item;
        printf("%s\n", name);
        if (value.p[0] == '{')
            members(value, "  ", "");
        else
            while (json_next(&inner, &member, &item)) {
                if (item.p[0] == '{') members(item, "  ", "");
                putchar('\n');
            }
    }
}
