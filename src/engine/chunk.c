#include "engine/chunk.h"

void chunk_begin(struct chunk *c, uint32_t max_line)
{
    *c = (struct chunk){.whole_line = true, .max_line = max_line};
}

/* Eight octets at a time; the compiler turns it into vectors. */
static bool holds_8bit(struct span s)
{
    uint8_t all = 0;
    for (size_t i = 0; i < s.n; i++)
        all |= s.p[i];
    return all >= 0x80;
}

/* text: a piece of one line that holds no LF. before: the octet in front of it. */
static void see_text(struct chunk *c, uint8_t before, struct span text)
{
    if (text.n == 0) return;
    if (before == '\r') c->found |= DOT_BARE_CR;
    /* a CR that is the very last octet may still find its LF */
    if (span_find(span_head(text, text.n - 1), '\r') != SPAN_NPOS) c->found |= DOT_BARE_CR;
}

static void see_length(struct chunk *c, size_t octets)
{
    if (octets > c->max_line || c->line > c->max_line - octets) {
        c->found |= DOT_LONG_LINE;
        c->line = c->max_line;
    } else {
        c->line += (uint32_t)octets;
    }
}

void chunk_feed(struct chunk *c, struct span content)
{
    if (content.n == 0) return;
    if (span_find(content, 0) != SPAN_NPOS) c->found |= DOT_NUL;
    if (!(c->found & DOT_8BIT) && holds_8bit(content)) c->found |= DOT_8BIT;
    while (content.n) {
        size_t lf = span_find(content, '\n');
        struct span text = span_head(content, lf); /* all of it when there is no LF */
        see_text(c, c->last, text);
        if (text.n) c->last = text.p[text.n - 1];
        if (lf == SPAN_NPOS) {
            see_length(c, text.n);
            break;
        }
        see_length(c, text.n + 1);
        if (c->last != '\r') c->found |= DOT_BARE_LF;
        c->whole_line = c->last == '\r';
        c->line = 0;
        c->last = '\n';
        content = span_skip(content, lf + 1);
    }
    if (c->last != '\n') c->whole_line = false;
}

struct span chunk_completion(const struct chunk *c)
{
    if (c->whole_line) return (struct span){NULL, 0};
    return c->last == '\r' ? SPAN("\n") : SPAN("\r\n");
}
