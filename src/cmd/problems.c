#include "cmd/problems.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/complain.h"

enum { LINE_OCTETS = 16384, SHOWN_OCTETS = 2048 };

static void put_place(struct buf *b, const struct config_place *p)
{
    buf_escaped(b, p->file, SHOWN_OCTETS);
    if (p->line) {
        buf_byte(b, ':');
        buf_u64(b, p->line);
    }
    if (p->line && p->column) {
        buf_byte(b, ':');
        buf_u64(b, p->column);
    }
    buf_str(b, ": ");
}

static void write_all(FILE *to, const struct buf *b)
{
    if (fwrite(b->p, 1, b->n, to) != b->n) complain(1, "standard output: %s", strerror(errno));
}

void problems_print(const struct config_report *l, FILE *to, bool color)
{
    static uint8_t memory[LINE_OCTETS];

    for (const struct config_problem *p = l->first; p; p = p->next) {
        struct buf b = buf_on(memory, sizeof memory);
        bool error = p->severity == CONFIG_ERROR;
        put_place(&b, &p->place);
        buf_str(&b, !color ? "" : error ? "\033[31m" : "\033[33m");
        buf_str(&b, error ? "error" : "warning");
        buf_str(&b, color ? "\033[0m: " : ": ");
        buf_shown(&b, p->text, SHOWN_OCTETS);
        if (p->suggestion.n) {
            buf_str(&b, "\n    ");
            buf_shown(&b, p->suggestion, SHOWN_OCTETS);
        }
        buf_byte(&b, '\n');
        write_all(to, &b);
    }
}

static void put_member(struct buf *b, const char *key, struct span value)
{
    buf_str(b, ",\"");
    buf_str(b, key);
    buf_str(b, "\":\"");
    buf_json(b, value, SHOWN_OCTETS);
    buf_byte(b, '"');
}

void problems_print_json(const struct config_report *l, FILE *to)
{
    static uint8_t memory[LINE_OCTETS];

    fprintf(to, "{\"ok\":%s,\"errors\":%u,\"warnings\":%u,\"problems\":[", l->errors ? "false" : "true",
            l->errors, l->warnings);
    for (const struct config_problem *p = l->first; p; p = p->next) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_str(&b, p == l->first ? "" : ",");
        buf_str(&b, p->severity == CONFIG_ERROR ? "{\"severity\":\"error\"" : "{\"severity\":\"warning\"");
        put_member(&b, "file", p->place.file);
        buf_str(&b, ",\"line\":");
        buf_u64(&b, p->place.line);
        buf_str(&b, ",\"column\":");
        buf_u64(&b, p->place.column);
        put_member(&b, "text", p->text);
        put_member(&b, "suggestion", p->suggestion);
        buf_byte(&b, '}');
        write_all(to, &b);
    }
    fputs("]}\n", to);
}
