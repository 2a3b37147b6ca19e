/* What hinders a start or a reload, or is odd about it: said in the log at once, and once more to whoever asked. */
#include "process/supervisor_private.h"
#include "system/log.h"

static void log_problem(const struct config_problem *p)
{
    bool error = p->severity == CONFIG_ERROR;
    log_begin(error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, !p->place.file.n ? "cannot-serve"
                                                           : error          ? "config-error"
                                                                            : "config-warning");
    if (p->place.file.n) log_span("file", p->place.file);
    if (p->place.line) log_u64("line", p->place.line);
    if (p->place.line && p->place.column) log_u64("column", p->place.column);
    log_span("text", p->text);
    if (p->suggestion.n) log_span("suggestion", p->suggestion);
    log_end();
}

/* FILE:LINE:COLUMN: error: TEXT (SUGGESTION) */
static void put_problem(struct buf *text, const struct config_problem *p)
{
    size_t before = text->n;
    buf_escaped(text, p->place.file, LIMIT_CONFIG_PATH_OCTETS);
    if (p->place.line) {
        buf_byte(text, ':');
        buf_u64(text, p->place.line);
    }
    if (p->place.line && p->place.column) {
        buf_byte(text, ':');
        buf_u64(text, p->place.column);
    }
    if (p->place.file.n) buf_str(text, p->severity == CONFIG_ERROR ? ": error: " : ": warning: ");
    buf_put(text, p->text);
    if (p->suggestion.n) {
        buf_str(text, " (");
        buf_put(text, p->suggestion);
        buf_byte(text, ')');
    }
    buf_byte(text, '\n');
    if (text->over) text->n = before; /* whole lines; what is lost is in the log */
}

void supervisor_tell(struct buf *text, const struct config_problem *p)
{
    log_problem(p);
    if (!text->over) put_problem(text, p);
}

void supervisor_tell_reason(struct buf *text, struct span reason)
{
    supervisor_tell(text, &(struct config_problem){.severity = CONFIG_ERROR, .text = reason});
}

void supervisor_tell_access(const struct config *before, const struct config *now)
{
    static const char *const names[] = {"anonymous", "authenticated", "both"};
    for (uint32_t i = 0; i < now->n_servers; i++)
        for (uint32_t k = 0; k < before->n_servers; k++) {
            const struct config_server *a = &before->servers[k], *b = &now->servers[i];
            if (!span_eq(a->name, b->name) || a->access == b->access) continue;
            log_begin(LOG_LEVEL_INFO, "access-changed");
            log_span("server", b->name);
            log_str("from", names[a->access]);
            log_str("to", names[b->access]);
            log_end();
        }
}
