#include "config/edit.h"

#include "config/grammar.h"
#include "config/schema.h"

#define STEP SPAN("    ")

static size_t offset_of(struct span text, const uint8_t *p)
{
    return (size_t)(p - text.p);
}

static bool is_text(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_STRING;
}

static const uint8_t *begin_of(const struct token *t)
{
    return t->kind == TOKEN_STRING ? t->text.p - 1 : t->text.p; /* its quotation mark */
}

/* *g: behind the directive. */
static bool find(struct span text, const struct config_place *place, struct grammar *g, struct token *ret)
{
    grammar_begin(g, text);
    do {
        *ret = grammar_next(g);
        if (ret->line == place->line && ret->column == place->column) return ret->kind == TOKEN_WORD;
    } while (ret->kind != TOKEN_END);
    return false;
}

bool config_edit_arguments(struct span text, const struct config_place *directive, struct span *all,
                           struct span *first)
{
    struct grammar g;
    struct token t;

    if (!find(text, directive, &g, &t)) return false;
    t = grammar_next(&g);
    if (!is_text(&t)) return false;
    const uint8_t *begin = begin_of(&t);
    *first = *all = span_of(begin, (size_t)(g.rest.p - begin));
    for (;;) { /* to the end of the statement, as the reader sees it */
        t = grammar_next(&g);
        if (!is_text(&t) || (t.kind == TOKEN_WORD && schema_find(t.text, SCHEMA_SERVER))) return true;
        all->n = (size_t)(g.rest.p - begin);
    }
}

void config_edit_replace(struct buf *out, struct span text, struct span old, struct span with)
{
    size_t at = offset_of(text, old.p);

    buf_put(out, span_head(text, at));
    buf_put(out, with);
    buf_put(out, span_skip(text, at + old.n));
}

static size_t line_begin(struct span text, size_t at)
{
    size_t before = span_rfind(span_head(text, at), '\n');

    return before == SPAN_NPOS ? 0 : before + 1;
}

static size_t blanks(struct span s)
{
    size_t n = 0;

    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
        n++;
    return n;
}

/* As the line at that place ends. */
static void put_line_end(struct buf *out, struct span text, size_t at)
{
    size_t end = span_find(span_skip(text, at), '\n');

    if (end != SPAN_NPOS && at + end > 0 && text.p[at + end - 1] == '\r') buf_byte(out, '\r');
    buf_byte(out, '\n');
}

bool config_edit_before(struct buf *out, struct span text, const struct config_place *directive,
                        struct span statement)
{
    struct grammar g;
    struct token t;

    if (!find(text, directive, &g, &t)) return false;
    size_t at = offset_of(text, t.text.p), line = line_begin(text, at);
    struct span indent = span_of(text.p + line, at - line);
    bool alone = blanks(indent) == indent.n;
    buf_put(out, span_head(text, at));
    buf_put(out, statement);
    if (alone) {
        put_line_end(out, text, at);
        buf_put(out, indent);
    } else {
        buf_str(out, "; ");
    }
    buf_put(out, span_skip(text, at));
    return true;
}

/* Of the first statement of the block that begins a line, else one step more than the line of the directive. */
static void put_indent(struct buf *out, struct span text, struct grammar inside, size_t directive)
{
    struct token t = grammar_next(&inside);

    while (t.kind == TOKEN_LINE_END)
        t = grammar_next(&inside);
    bool any = t.kind == TOKEN_WORD;
    size_t at = any ? offset_of(text, t.text.p) : directive, line = line_begin(text, at);
    struct span indent = span_of(text.p + line, blanks(span_of(text.p + line, at - line)));
    buf_put(out, indent);
    if (!any) buf_put(out, STEP);
}

bool config_edit_inside(struct buf *out, struct span text, const struct config_place *directive,
                        struct span statement)
{
    struct grammar g, behind;
    struct token t, name;

    if (!find(text, directive, &g, &name)) return false;
    do
        t = grammar_next(&g);
    while (is_text(&t) || t.kind == TOKEN_LINE_END);
    if (t.kind != TOKEN_OPEN) return false;
    behind = g;
    t = grammar_next(&behind);
    if (t.kind != TOKEN_LINE_END) { /* all on one line */
        size_t at = offset_of(text, g.rest.p);
        buf_put(out, span_head(text, at));
        buf_byte(out, ' ');
        buf_put(out, statement);
        buf_byte(out, ';');
        buf_put(out, span_skip(text, at));
        return true;
    }
    size_t at = offset_of(text, behind.rest.p);
    buf_put(out, span_head(text, at));
    put_indent(out, text, behind, offset_of(text, name.text.p));
    buf_put(out, statement);
    put_line_end(out, text, at - 1);
    buf_put(out, span_skip(text, at));
    return true;
}
