#include "cmd/log_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/calendar.h"
#include "base/limits.h"
#include "cmd/complain.h"
#include "cmd/queue_filter.h"

struct log_lines {
    char *const *names;
    size_t n_names, next_name;
    const char *name; /* of the file that is open */
    int fd;           /* -1: none is */
    bool skipping;    /* the rest of a line that is too long */
    bool fresh;       /* nothing of it was read yet */
    bool failed;
    uint64_t since_ms;
    struct log_lines_count count;
    json_t *object;    /* of the line that was handed out last */
    size_t begin, end; /* what was read and not yet handed out */
    uint8_t octets[LIMIT_LOG_READ_OCTETS];
};

static char *const standard_input[] = {(char[]){"-"}};

struct log_lines *log_lines_open(char *const *names, size_t n, uint64_t since_ms)
{
    struct log_lines *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->names = n ? names : standard_input;
    l->n_names = n ? n : 1;
    l->since_ms = since_ms;
    l->fd = -1;
    return l;
}

static void close_file(struct log_lines *l)
{
    if (l->fd > STDIN_FILENO) close(l->fd);
    l->fd = -1;
}

void log_lines_close(struct log_lines **lines)
{
    struct log_lines *l = *lines;
    if (!l) return;
    *lines = NULL;
    close_file(l);
    json_decref(l->object);
    free(l);
}

bool log_lines_failed(const struct log_lines *l)
{
    return l->failed;
}

struct log_lines_count log_lines_count(const struct log_lines *l)
{
    return l->count;
}

static bool fail(struct log_lines *l)
{
    complain(EXIT_NO, "%s: %s", l->name, strerrordesc_np(errno));
    l->failed = true;
    close_file(l);
    return false;
}

/* False: there is no other, or it cannot be opened. */
static bool open_next(struct log_lines *l)
{
    if (l->failed || l->next_name == l->n_names) return false;
    l->name = l->names[l->next_name++];
    l->begin = l->end = 0;
    l->skipping = false;
    l->fresh = true;
    l->fd = strcmp(l->name, "-") == 0 ? STDIN_FILENO : open(l->name, O_RDONLY | O_CLOEXEC);
    return l->fd >= 0 || fail(l);
}

/* Rotated logs are: counted as lines of others they would be missing in every number. */
static const char *compressed(struct span beginning)
{
    static const struct {
        struct span magic;
        const char *unpacked_by;
    } kinds[] = {{SPAN("\x1f\x8b"), "zcat"},
                 {SPAN("\xfd"
                       "7zXZ"),
                  "xzcat"},
                 {SPAN("\x28\xb5\x2f\xfd"), "zstdcat"},
                 {SPAN("BZh"), "bzcat"},
                 {SPAN("LPKSHHRH"), "journalctl -o cat --file"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (span_eq(span_head(beginning, kinds[i].magic.n), kinds[i].magic)) return kinds[i].unpacked_by;
    return NULL;
}

static bool is_text(struct log_lines *l)
{
    const char *by = l->fresh ? compressed(span_of(l->octets, l->end)) : NULL;
    l->fresh = false;
    if (!by) return true;
    complain(EXIT_NO, "%s is no text: %s %s, into standard input", l->name, by, l->name);
    l->failed = true;
    close_file(l);
    return false;
}

/* Reads behind what is kept. False: the file has ended, or failed. */
static bool read_more(struct log_lines *l)
{
    if (l->begin) memmove(l->octets, l->octets + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    if (l->end == sizeof l->octets) { /* no line of ours is so long */
        l->skipping = true;
        l->end = 0;
    }
    ssize_t n = read(l->fd, l->octets + l->end, sizeof l->octets - l->end);
    while (n < 0 && errno == EINTR)
        n = read(l->fd, l->octets + l->end, sizeof l->octets - l->end);
    if (n < 0) return fail(l);
    l->end += (size_t)n;
    return n > 0 && is_text(l);
}

/* The next line without its end, also the last one that has none. False: the file has ended. */
static bool take_line(struct log_lines *l, struct span *ret)
{
    size_t n;
    for (;;) {
        *ret = span_of(l->octets + l->begin, l->end - l->begin);
        n = span_find(*ret, '\n');
        if (n != SPAN_NPOS) break;
        if (read_more(l)) continue;
        if (l->fd < 0 || (l->begin == l->end && !l->skipping)) return false;
        n = l->end - l->begin;
        *ret = span_of(l->octets + l->begin, n);
        break;
    }
    l->begin += n + (n < ret->n);
    *ret = span_head(*ret, l->skipping ? 0 : n);
    l->skipping = false;
    return true;
}

static bool read_time(const struct log_line *line, uint64_t *ms)
{
    struct span ts = log_line_text(line, "ts");
    uint64_t seconds, rest;
    size_t n;
    if (!calendar_read(ts, &seconds, &n)) return false;
    ts = span_skip(ts, n);
    if (ts.n != 5 || ts.p[0] != '.' || ts.p[4] != 'Z' || !span_u64(span_of(ts.p + 1, 3), &rest)) return false;
    *ms = seconds * 1000 + rest;
    return true;
}

/* Without what syslog or journalctl writes before it: "Nov 26 05:00:00 host sallyportd[1]: {". Where another program says so its own name
 * comes first. */
static struct span behind_prefix(struct span text)
{
    static const struct span name = SPAN("sallyportd");
    size_t end = 0;
    while (end + 1 < text.n && !(text.p[end] == ':' && text.p[end + 1] == ' '))
        end++;
    struct span tag = span_skip(span_head(text, end), span_rfind(span_head(text, end), ' ') + 1);
    if (end + 2 >= text.n || text.p[end + 2] != '{' || !span_eq(span_head(tag, name.n), name)) return text;
    return tag.n == name.n || tag.p[name.n] == '[' ? span_skip(text, end + 2) : text;
}

static bool read_line(struct log_lines *l, struct span text, struct log_line *ret)
{
    json_error_t error;
    json_decref(l->object);
    if (text.n && text.p[0] != '{') text = behind_prefix(text);
    l->object = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    ret->object = l->object;
    if (!json_is_object(l->object)) return false;
    ret->event = log_line_text(ret, "event");
    return ret->event.n > 0 && read_time(ret, &ret->ms);
}

bool log_lines_next(struct log_lines *l, struct log_line *ret)
{
    struct span text;
    for (;;) {
        if (l->fd < 0 && !open_next(l)) return false;
        if (!take_line(l, &text)) {
            close_file(l);
            continue;
        }
        l->count.lines++;
        if (!read_line(l, text, ret))
            l->count.foreign++;
        else if (ret->ms >= l->since_ms)
            return true;
    }
}

struct span log_line_text(const struct log_line *l, const char *member)
{
    const json_t *j = json_object_get(l->object, member);
    return json_is_string(j) ? span_of(json_string_value(j), json_string_length(j)) : SPAN("");
}

uint64_t log_line_number(const struct log_line *l, const char *member)
{
    json_int_t n = json_integer_value(json_object_get(l->object, member)); /* 0 when it is none */
    return n > 0 ? (uint64_t)n : 0;
}

bool log_lines_since(struct span text, uint64_t now_ms, uint64_t *ret)
{
    uint64_t age, seconds;
    size_t n;
    if (!span_u64(text, &age) && queue_filter_age(text, &age)) { /* a number alone does not say of what */
        *ret = age < now_ms ? now_ms - age : 0;
        return true;
    }
    if (!calendar_read(text, &seconds, &n)) return false;
    struct span rest = span_skip(text, n);
    if (rest.n && !(n > 10 && span_eq(rest, SPAN("Z")))) return false;
    *ret = seconds * 1000;
    return true;
}
