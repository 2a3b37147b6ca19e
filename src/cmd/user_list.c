/* What is shown of users: rows of identity/list, as text or JSON. */
#include "base/calendar.h"
#include "cmd/complain.h"
#include "cmd/json.h"
#include "cmd/user_private.h"
#include "identity/list.h"
#include "policy/right.h"

enum { ROW_OCTETS = 16384 /* of what the tables permit, escaped */ };

struct shown {
    const struct user_call *u;
    const char *indent; /* show: a part of something */
    unsigned rows;
    bool inside; /* JSON: rows of an array */
};

static void put_time(struct buf *b, int64_t seconds)
{
    calendar_put_utc(b, seconds > 0 ? (uint64_t)seconds : 0);
}

static void put_json(struct buf *b, const struct list_value *v)
{
    char memory[USER_SHOWN_OCTETS];
    struct buf rights = buf_on(memory, sizeof memory);

    buf_byte(b, '"');
    buf_put(b, v->name);
    buf_str(b, "\":");
    switch (v->type) {
    case LIST_NOTHING: buf_str(b, "null"); break;
    case LIST_YES_NO: buf_str(b, v->number ? "true" : "false"); break;
    case LIST_NUMBER: buf_u64(b, (uint64_t)v->number); break;
    case LIST_NAMES: json_put_names(b, v->text, ',', USER_SHOWN_OCTETS); break;
    case LIST_RIGHTS:
        right_put_names(&rights, (uint32_t)v->number, ',');
        json_put_names(b, buf_span(&rights), ',', USER_SHOWN_OCTETS);
        break;
    case LIST_TIME:
    case LIST_TEXT:
        buf_byte(b, '"');
        if (v->type == LIST_TIME)
            put_time(b, v->number);
        else
            buf_json(b, v->text, USER_TEXT_OCTETS);
        buf_byte(b, '"');
        break;
    }
}

/* The first value says what the row is about; of the others what there is: "mailbox", "rights=submit,relay". */
static void put_text(struct buf *b, const struct list_value *v, bool first)
{
    bool empty = v->type == LIST_NOTHING || (v->type == LIST_TEXT && !v->text.n) ||
                 (v->type == LIST_NAMES && !v->text.n) ||
                 ((v->type == LIST_YES_NO || v->type == LIST_NUMBER || v->type == LIST_RIGHTS) && !v->number);
    if (empty && !first) return;
    if (!first) {
        buf_str(b, "  ");
        buf_put(b, v->name);
        if (v->type == LIST_YES_NO) return;
        buf_byte(b, '=');
    }
    if (v->type == LIST_TIME)
        put_time(b, v->number);
    else if (v->type == LIST_RIGHTS)
        right_put_names(b, (uint32_t)v->number, ',');
    else if (v->type == LIST_NUMBER)
        buf_u64(b, (uint64_t)v->number);
    else
        buf_escaped(b, v->text, USER_TEXT_OCTETS * 4);
}

static void print_row(void *context, const struct list_value *values, unsigned n)
{
    struct shown *s = context;
    char memory[ROW_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);

    for (unsigned k = 0; k < n; k++) {
        if (s->u->v->json) {
            buf_byte(&b, k ? ',' : '{');
            put_json(&b, &values[k]);
        } else {
            put_text(&b, &values[k], k == 0);
        }
    }
    if (s->u->v->json)
        printf("%s%.*s}%s", s->inside && s->rows ? "," : "", SPAN_ARG(buf_span(&b)), s->inside ? "" : "\n");
    else
        printf("%s%.*s\n", s->indent, SPAN_ARG(buf_span(&b)));
    s->rows++;
}

static int print(struct user_call *u, enum list what, struct span of)
{
    struct shown s = {.u = u, .indent = ""};
    const char *why;
    if (!list_each(u->identity, what, of, print_row, &s, &why))
        return complain(EXIT_NO, "the users cannot be read: %s", why);
    return EXIT_YES;
}

/* Of the user that was named, or of all. */
static int print_of(struct user_call *u, enum list what)
{
    struct span name = SPAN("");
    uint32_t number;
    if (u->n_words && !user_name(u, &name)) return EXIT_USAGE;
    if (u->n_words && !user_number(u, name, &number)) return EXIT_NO;
    return print(u, what, name);
}

int user_list(struct user_call *u)
{
    return print(u, LIST_USERS, SPAN(""));
}

int user_audit(struct user_call *u)
{
    return print(u, LIST_AUDIT, SPAN(""));
}

int user_audit_of(struct user_call *u)
{
    return print(u, LIST_AUDIT, span_str(u->words[0]));
}

int user_group_list(struct user_call *u)
{
    uint32_t number;
    if (u->n_words == 0) return print(u, LIST_GROUPS, SPAN(""));
    if (!user_group_number(u, span_str(u->words[0]), &number)) return EXIT_NO;
    return print(u, LIST_MEMBERS, span_str(u->words[0]));
}

int user_sender_list(struct user_call *u)
{
    return print_of(u, LIST_SENDERS);
}

int user_app_list(struct user_call *u)
{
    return print_of(u, LIST_APPS);
}

int user_certificate_list(struct user_call *u)
{
    return print_of(u, LIST_CERTIFICATES);
}

/* All of one: {"account":[...],"senders":[...],...} */
int user_show(struct user_call *u)
{
    static const struct {
        enum list what;
        const char *name;
    } parts[] = {{LIST_USERS, "account"},
                 {LIST_SENDERS, "senders"},
                 {LIST_APPS, "apps"},
                 {LIST_CERTIFICATES, "certificates"}};
    const bool json = u->v->json;
    struct span name;
    uint32_t number;

    if (!user_name(u, &name)) return EXIT_USAGE;
    if (!user_number(u, name, &number)) return EXIT_NO;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct shown s = {.u = u, .indent = i ? "  " : "", .inside = true};
        const char *why;
        if (json) printf("%s\"%s\":[", i ? "," : "{", parts[i].name);
        if (!list_each(u->identity, parts[i].what, name, print_row, &s, &why))
            return complain(EXIT_NO, "the users cannot be read: %s", why);
        if (json) printf("]");
    }
    if (json) printf("}\n");
    return EXIT_YES;
}
