#include "cmd/complain.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

enum { TEXT_OCTETS = 4096 };

static struct {
    const char *command;
    bool json;
} who;

void complain_as(const char *command, bool json)
{
    who.command = command;
    who.json = json;
}

static void put_json(struct buf *b, int exit_code, struct span text)
{
    buf_str(b, exit_code ? "{\"error\":\"" : "{\"warning\":\"");
    buf_json(b, text, TEXT_OCTETS);
    if (who.command) {
        buf_str(b, "\",\"command\":\"");
        buf_str(b, who.command);
    }
    buf_str(b, "\",\"exit\":");
    buf_u64(b, (uint64_t)exit_code);
    buf_str(b, "}\n");
}

static void put_text(struct buf *b, struct span text)
{
    buf_str(b, "sallyport");
    if (who.command) {
        buf_byte(b, ' ');
        buf_str(b, who.command);
    }
    buf_str(b, ": ");
    buf_shown(b, text, TEXT_OCTETS);
    buf_byte(b, '\n');
}

int complain(int exit_code, const char *format, ...)
{
    static char text[TEXT_OCTETS], line[6 * TEXT_OCTETS + 256];
    struct buf b = buf_on(line, sizeof line);
    va_list more;

    va_start(more, format);
    int n = vsnprintf(text, sizeof text, format, more);
    va_end(more);
    struct span said = n < 0 ? span_str(format) : span_str(text); /* what is longer was cut by vsnprintf */
    if (who.json)
        put_json(&b, exit_code, said);
    else
        put_text(&b, said);
    fwrite(line, 1, b.n, stderr); /* where else should the failure of this be told? */
    return exit_code;
}
