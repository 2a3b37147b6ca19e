#include "cmd/queue_table.h"

#include <stdio.h>

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
    struct shown to, state, attempts, next, reason;
    while (json_next(&list, NULL, &r)) {
        uint64_t tried = 0;
        printf("%15s%-9s <%s>", "", shown(&state, r, "state"), shown(&to, r, "to"));
        if (span_u64(json_member(r, "attempts"), &tried) && tried > 0)
            printf("  tried %s times", shown(&attempts, r, "attempts"));
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

void queue_table_list_end(const struct queue_table *t)
{
    if (t->messages == 0)
        printf("The queue is empty.\n");
    else
        printf("%lu message%s\n", t->messages, t->messages == 1 ? "" : "s");
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
        if (strcmp(name, skip) == 0) continue;
        if (value.p[0] == '"') {
            printf("%s%-14s %s\n", indent, name, shown(&s, object, name));
        } else {
            buf_escaped(&v, value, SHOWN_OCTETS);
            printf("%s%-14s %.*s\n", indent, name, SPAN_ARG(buf_span(&v)));
        }
    }
}

void queue_table_show(struct queue_table *t, struct span line)
{
    struct shown time, event, to, state, text;
    if (!t->headed) {
        t->headed = true;
        members(line, "", "recipients");
        recipients(line);
        return;
    }
    printf("%-24s  %-10s", shown(&time, line, "time"), shown(&event, line, "event"));
    if (json_member(line, "to").n > 2) printf(" <%s>", shown(&to, line, "to"));
    if (json_member(line, "state").n > 2) printf(" %s", shown(&state, line, "state"));
    if (json_member(line, "text").n > 2) printf(": %s", shown(&text, line, "text"));
    putchar('\n');
}

void queue_table_verify(struct span line)
{
    struct shown a, b, c, d;
    if (json_member(line, "problem").n > 0)
        printf("segment %s offset %s: %s (message %s)\n", shown(&a, line, "segment"),
               shown(&b, line, "offset"), shown(&c, line, "problem"), shown(&d, line, "id"));
    else
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
