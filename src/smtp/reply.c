#include "smtp/reply.h"

#include "base/limits.h"

static void put_code(struct buf *b, unsigned code)
{
    buf_u64_pad(b, code % 1000, 3);
}

/* Printable ASCII, cut so that the line with its CRLF stays within RFC 5321 4.5.3.1.5. used: octets of the line so far. */
static void put_text(struct buf *b, struct span text, size_t used)
{
    text = span_head(text, LIMIT_REPLY_LINE_OCTETS - 2 - used);
    size_t at = b->n;
    buf_put(b, text);
    if (b->over) return;
    for (size_t i = at; i < b->n; i++)
        if (b->p[i] < ' ' || b->p[i] > '~') b->p[i] = '?';
}

/* A line is written whole or not at all: half a reply must never leave. */
static void put_line(struct buf *out, unsigned code, uint8_t separator, struct span enhanced,
                     struct span text)
{
    uint8_t memory[LIMIT_REPLY_LINE_OCTETS];
    struct buf line = buf_on(memory, sizeof memory);
    put_code(&line, code);
    buf_byte(&line, separator);
    if (enhanced.n) {
        put_text(&line, enhanced, line.n);
        if (text.n && line.n < LIMIT_REPLY_LINE_OCTETS - 2) buf_byte(&line, ' ');
    }
    put_text(&line, text, line.n);
    buf_put(&line, SPAN("\r\n"));
    buf_put(out, buf_span(&line));
}

void reply_put(struct buf *out, unsigned code, const char *enhanced, struct span text)
{
    put_line(out, code, ' ', span_str(enhanced), text);
}

void reply_put_line(struct buf *out, unsigned code, struct span text, bool last)
{
    put_line(out, code, last ? ' ' : '-', (struct span){NULL, 0}, text);
}

/* One to three digits at s.p[*i]; false when there are none or more. */
static bool short_number(struct span s, size_t *i, uint16_t *ret)
{
    unsigned v = 0;
    size_t from = *i;
    while (*i < s.n && octet_is_digit(s.p[*i]) && *i - from < 4)
        v = v * 10 + (unsigned)(s.p[(*i)++] - '0');
    if (*i == from || *i - from > 3) return false;
    *ret = (uint16_t)v;
    return true;
}

static bool expect(struct span s, size_t *i, uint8_t c)
{
    if (*i >= s.n || s.p[*i] != c) return false;
    ++*i;
    return true;
}

size_t enhanced_parse(struct span s, struct enhanced *ret)
{
    /* RFC 3463 2: status-code = class "." subject "." detail; class = "2"/"4"/"5" */
    struct enhanced e = {0, 0, 0};
    size_t i = 0;
    if (s.n == 0 || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5')) return 0;
    e.class = (uint16_t)(s.p[i++] - '0');
    if (!expect(s, &i, '.') || !short_number(s, &i, &e.subject)) return 0;
    if (!expect(s, &i, '.') || !short_number(s, &i, &e.detail)) return 0;
    if (i < s.n && s.p[i] != ' ') return 0;
    *ret = e;
    return i;
}

bool reply_parse(struct span line, struct reply_line *ret)
{
    /* RFC 5321 4.2: Reply-code = %x32-35 %x30-35 %x30-39. The middle digit is taken as any: servers invent 56x codes. */
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !octet_is_digit(line.p[1]) ||
        !octet_is_digit(line.p[2]))
        return false;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-') return false;
    struct reply_line r = {0};
    r.code =
        (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
    r.last = line.n == 3 || line.p[3] == ' ';
    r.text = span_skip(line, 4);
    struct enhanced e;
    if (enhanced_parse(r.text, &e) && e.class == r.code / 100) r.enhanced = e;
    *ret = r;
    return true;
}
