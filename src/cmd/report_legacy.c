/* report legacy: which old devices are left, what each lacks, and what to do about it. A device is a client of a server, for itself with each account. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/calendar.h"
#include "base/limits.h"
#include "cmd/complain.h"
#include "cmd/report.h"
#include "policy/legacy.h"

enum {
    TEXT_OCTETS = 256,
    SHOWN_OCTETS = 4 * TEXT_OCTETS + 8
}; /* what the log has of a string at most; escaped */

struct text {
    uint16_t n;
    char octets[TEXT_OCTETS];
};

struct device {
    struct text server, client, user, from, helo, tls,
        mechanism; /* the last four: of its last session that had one */
    uint64_t first_ms, last_ms, sessions, messages;
    uint32_t needs;
};

struct legacy_report {
    struct device *devices;
    size_t n, room;
    json_t *index;   /* server, client, user -> its place */
    uint64_t beyond; /* sessions of devices that found no room */
    bool no_memory;
};

static struct span span_of_text(const struct text *t)
{
    return span_of(t->octets, t->n);
}

static void keep(struct text *t, struct span s)
{
    s = span_head(s, sizeof t->octets);
    t->n = (uint16_t)s.n;
    if (s.n) memcpy(t->octets, s.p, s.n);
}

static void keep_some(struct text *t, struct span s)
{
    if (s.n) keep(t, s);
}

/* --- reading */

/* A log that was made up may have a 1 in a name: it then tells two devices as one, and nothing worse. */
static bool put_key(struct buf *b, const struct log_line *line)
{
    static const char *const parts[] = {"server", "client", "user"};
    for (unsigned i = 0; i < 3; i++) {
        struct span s = log_line_text(line, parts[i]);
        if (i < 2 && s.n == 0) return false;
        buf_put(b, span_head(s, TEXT_OCTETS));
        buf_byte(b, 1);
    }
    return !b->over;
}

static bool grow(struct legacy_report *r)
{
    size_t room = r->room ? r->room * 2 : 64;
    struct device *grown = realloc(r->devices, room * sizeof *grown);
    if (!grown) return false;
    r->devices = grown;
    r->room = room;
    return true;
}

/* Null: the line is none, or there is no room for another device. */
static struct device *device_of(struct legacy_report *r, const struct log_line *line)
{
    char key[3 * (TEXT_OCTETS + 1) + 1];
    struct buf b = buf_on(key, sizeof key - 1);
    if (!put_key(&b, line)) return NULL;
    key[b.n] = '\0';
    const json_t *known = json_object_get(r->index, key);
    if (known) return &r->devices[json_integer_value(known)];
    if (r->n == LIMIT_REPORT_DEVICES) {
        r->beyond++;
        return NULL;
    }
    if ((r->n == r->room && !grow(r)) ||
        json_object_set_new_nocheck(r->index, key, json_integer((json_int_t)r->n)) != 0) {
        r->no_memory = true;
        return NULL;
    }
    struct device *d = &r->devices[r->n++];
    *d = (struct device){.first_ms = line->ms};
    keep(&d->server, log_line_text(line, "server"));
    keep(&d->client, log_line_text(line, "client"));
    keep(&d->user, log_line_text(line, "user"));
    return d;
}

static uint32_t read_needs(struct span names)
{
    uint32_t needs = 0;
    while (names.n) {
        size_t end = span_find(names, ' ');
        needs |= legacy_need_find(span_head(names, end));
        names = end == SPAN_NPOS ? SPAN("") : span_skip(names, end + 1);
    }
    return needs;
}

static void count(struct legacy_report *r, const struct log_line *line)
{
    struct device *d = device_of(r, line);
    if (!d) return;
    if (line->ms < d->first_ms) d->first_ms = line->ms;
    if (line->ms > d->last_ms) d->last_ms = line->ms;
    d->sessions++;
    d->messages += log_line_number(line, "messages");
    d->needs |= read_needs(log_line_text(line, "needs"));
    keep_some(&d->from, log_line_text(line, "from"));
    keep_some(&d->helo, log_line_text(line, "helo"));
    keep_some(&d->tls, log_line_text(line, "tls"));
    keep_some(&d->mechanism, log_line_text(line, "mechanism"));
}

static int by_name(const void *a, const void *b)
{
    const struct device *x = a, *y = b;
    int c = span_compare(span_of_text(&x->server), span_of_text(&y->server));
    if (!c) c = span_compare(span_of_text(&x->client), span_of_text(&y->client));
    return c ? c : span_compare(span_of_text(&x->user), span_of_text(&y->user));
}

/* --- showing */

static void put_json_text(struct buf *b, const char *name, const struct text *t)
{
    buf_str(b, name);
    if (t->n) {
        buf_byte(b, '"');
        buf_json(b, span_of_text(t), TEXT_OCTETS);
        buf_byte(b, '"');
    } else {
        buf_str(b, "null");
    }
}

static void put_json_needs(struct buf *b, uint32_t needs, bool advice)
{
    bool first = true;
    for (unsigned i = 0; i < LEGACY_NEEDS; i++) {
        if (!(needs & legacy_table[i].need)) continue;
        buf_str(b, first ? "\"" : ",\"");
        buf_str(b, advice ? legacy_table[i].advice : legacy_table[i].name);
        buf_byte(b, '"');
        first = false;
    }
}

static void print_json(const struct device *d)
{
    char memory[16 * SHOWN_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    put_json_text(&b, "{\"server\":", &d->server);
    put_json_text(&b, ",\"client\":", &d->client);
    put_json_text(&b, ",\"user\":", &d->user);
    put_json_text(&b, ",\"from\":", &d->from);
    put_json_text(&b, ",\"helo\":", &d->helo);
    put_json_text(&b, ",\"tls\":", &d->tls);
    put_json_text(&b, ",\"mechanism\":", &d->mechanism);
    buf_str(&b, ",\"first\":\"");
    calendar_put_utc(&b, d->first_ms / 1000);
    buf_str(&b, "\",\"last\":\"");
    calendar_put_utc(&b, d->last_ms / 1000);
    printf("%.*s\",\"sessions\":%" PRIu64 ",\"messages\":%" PRIu64, SPAN_ARG(buf_span(&b)), d->sessions,
           d->messages);
    b.n = 0;
    buf_str(&b, ",\"needs\":[");
    put_json_needs(&b, d->needs, false);
    buf_str(&b, "],\"advice\":[");
    put_json_needs(&b, d->needs, true);
    printf("%.*s]}\n", SPAN_ARG(buf_span(&b)));
}

static const char *shown(char memory[SHOWN_OCTETS], const struct text *t)
{
    struct buf b = buf_on(memory, SHOWN_OCTETS - 1);
    buf_escaped(&b, span_of_text(t), TEXT_OCTETS);
    memory[b.n] = '\0';
    return memory;
}

static void print_row(const struct device *d)
{
    char client[SHOWN_OCTETS], server[SHOWN_OCTETS], who[SHOWN_OCTETS], times[64];
    struct buf b = buf_on(times, sizeof times);
    calendar_put_utc(&b, d->first_ms / 1000);
    buf_str(&b, "  ");
    calendar_put_utc(&b, d->last_ms / 1000);
    printf("%-20s %-14s %.*s %9" PRIu64 " %9" PRIu64 "  %s\n", shown(client, &d->client),
           shown(server, &d->server), SPAN_ARG(buf_span(&b)), d->sessions, d->messages,
           d->user.n || d->from.n ? shown(who, d->user.n ? &d->user : &d->from) : "-");
    for (unsigned i = 0; i < LEGACY_NEEDS; i++)
        if (d->needs & legacy_table[i].need)
            printf("    %-16s %s\n", legacy_table[i].name, legacy_table[i].advice);
    if (!d->needs) printf("    %-16s It could use a server of today: move it there.\n", "nothing");
}

static void print_all(const struct legacy_report *r, const struct command_call *v, bool whole)
{
    if (!v->json && r->n)
        printf("%-20s %-14s %-20s  %-20s %9s %9s  %s\n", "DEVICE", "SERVER", "FIRST SEEN", "LAST SEEN",
               "SESSIONS", "MESSAGES", "ACCOUNT OR SENDER");
    for (size_t i = 0; i < r->n; i++)
        (v->json ? print_json : print_row)(&r->devices[i]);
    if (!v->json && !r->n && whole)
        printf("No old device: the log has no session of a server with profile legacy-device.\n");
}

/* Of what the report does not have. */
static int warn(const struct legacy_report *r, const struct log_lines *lines)
{
    struct log_lines_count c = log_lines_count(lines);
    if (r->no_memory) return complain(EXIT_NO, "no memory for all devices");
    if (r->beyond)
        complain(0, "%" PRIu64 " sessions of more than %d devices are left out", r->beyond,
                 LIMIT_REPORT_DEVICES);
    if (c.foreign && c.foreign == c.lines)
        return complain(EXIT_NO,
                        "none of %" PRIu64 " lines is of this program's log: journalctl -u sallyport -o cat",
                        c.lines);
    if (c.foreign)
        complain(0, "%" PRIu64 " of %" PRIu64 " lines are none of this program's log", c.foreign, c.lines);
    return log_lines_failed(lines) ? EXIT_NO : EXIT_YES;
}

int report_legacy(const struct command_call *v, struct log_lines *lines)
{
    struct legacy_report r = {.index = json_object()};
    struct log_line line;

    r.no_memory = !r.index;
    while (!r.no_memory && log_lines_next(lines, &line))
        if (span_eq(line.event, SPAN("legacy-session"))) count(&r, &line);
    if (r.n) qsort(r.devices, r.n, sizeof *r.devices, by_name);
    struct log_lines_count c = log_lines_count(lines);
    print_all(&r, v, !log_lines_failed(lines) && !r.no_memory && (!c.lines || c.foreign < c.lines));
    int code = warn(&r, lines);
    free(r.devices);
    json_decref(r.index);
    return fflush(stdout) == 0 ? code : EXIT_NO;
}
