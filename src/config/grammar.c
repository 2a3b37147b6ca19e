#include "config/grammar.h"

static const struct span byte_order_mark = {(const uint8_t *)"\xef\xbb\xbf", 3};

void grammar_begin(struct grammar *g, struct span text)
{
    *g = (struct grammar){text, 1, 1};
    if (span_eq(span_head(text, byte_order_mark.n), byte_order_mark))
        g->rest = span_skip(text, byte_order_mark.n);
}

static bool is_control(uint8_t c)
{
    return (c < 32 && c != '\t') || c == 127;
}

static void step(struct grammar *g)
{
    uint8_t c = g->rest.p[0];

    g->rest = span_skip(g->rest, 1);
    if (c == '\n') {
        g->line++;
        g->column = 1;
    } else if ((c & 0xC0) != 0x80) /* continuation octets of UTF-8 are no columns of their own */
        g->column++;
}

/* CR before LF is part of the line end: files that were written on Windows. */
static bool at_line_end(struct span s)
{
    return s.n > 0 && (s.p[0] == '\n' || (s.p[0] == '\r' && s.n > 1 && s.p[1] == '\n'));
}

static void skip_blanks_and_comment(struct grammar *g)
{
    while (g->rest.n && (g->rest.p[0] == ' ' || g->rest.p[0] == '\t'))
        step(g);
    if (g->rest.n && g->rest.p[0] == '#')
        while (g->rest.n && !at_line_end(g->rest))
            step(g);
}

static bool ends_word(struct span s)
{
    uint8_t c = s.p[0];

    return c == ' ' || c == '\t' || c == '{' || c == '}' || c == ';' || c == '"' || is_control(c);
}

static struct token bad(struct token t, struct span what)
{
    t.kind = TOKEN_BAD;
    t.text = what;
    return t;
}

static struct token read_string(struct grammar *g, struct token t)
{
    step(g);
    const uint8_t *begin = g->rest.p;

    while (g->rest.n && g->rest.p[0] != '"') {
        if (at_line_end(g->rest)) break;
        if (g->rest.p[0] == '\\' && g->rest.n > 1) {
            if (g->rest.p[1] != '"' && g->rest.p[1] != '\\') {
                step(g);
                return bad(t, SPAN("only \\\" and \\\\ may stand after a backslash in a quoted text"));
            }
            step(g);
        }
        if (is_control(g->rest.p[0])) {
            step(g);
            return bad(t, SPAN("control character in a quoted text: take it out"));
        }
        step(g);
    }
    if (!g->rest.n || g->rest.p[0] != '"')
        return bad(t,
                   SPAN("the quotation mark is not closed on this line: one more belongs behind the text"));
    t.kind = TOKEN_STRING;
    t.text = span_of(begin, (size_t)(g->rest.p - begin));
    step(g);
    return t;
}

static struct token read_word(struct grammar *g, struct token t)
{
    const uint8_t *begin = g->rest.p;

    while (g->rest.n && !ends_word(g->rest))
        step(g);
    t.kind = TOKEN_WORD;
    t.text = span_of(begin, (size_t)(g->rest.p - begin));
    return t;
}

struct token grammar_next(struct grammar *g)
{
    skip_blanks_and_comment(g);
    struct token t = {TOKEN_END, {NULL, 0}, g->line, g->column};

    if (!g->rest.n) return t;
    t.text = span_head(g->rest, 1);
    if (at_line_end(g->rest)) {
        if (g->rest.p[0] == '\r') step(g);
        step(g);
        t.kind = TOKEN_LINE_END;
        return t;
    }
    uint8_t c = g->rest.p[0];
    if (c == '"') return read_string(g, t);
    if (c == '{' || c == '}' || c == ';') {
        step(g);
        t.kind = c == '{' ? TOKEN_OPEN : c == '}' ? TOKEN_CLOSE : TOKEN_SEMICOLON;
        return t;
    }
    if (is_control(c)) {
        step(g);
        return bad(t, SPAN("control character: take it out"));
    }
    return read_word(g, t);
}

struct span token_value(const struct token *t, struct arena *arena)
{
    if (t->kind != TOKEN_STRING || span_find(t->text, '\\') == SPAN_NPOS)
        return t->text.p ? t->text : SPAN("");
    uint8_t *to = arena_take(arena, t->text.n);
    size_t n = 0;

    if (!to) return span_of(NULL, 0);
    for (size_t i = 0; i < t->text.n; i++) {
        if (t->text.p[i] == '\\' && i + 1 < t->text.n) i++;
        to[n++] = t->text.p[i];
    }
    return span_of(to, n);
}
