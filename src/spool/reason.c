#include "spool/reason.h"

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of a name of a host, or an address with one. */
static bool in_name(uint8_t c)
{
    return letter(c) || digit(c) || c == '.' || c == '-' || c == '_' || c == '@' || c == '+';
}

/* Octets of the name of a host that text begins with, with "[address]:port" behind it; 0: it begins with something else. A name has a
 * dot, and two letters at its end: "4.2.2" is none. */
static size_t host_octets(struct span text)
{
    size_t n = 0, dot = 0;
    for (; n < text.n && in_name(text.p[n]); n++)
        if (text.p[n] == '.' && n > 0 && n + 2 < text.n && letter(text.p[n + 1]) && letter(text.p[n + 2]))
            dot = n;
    while (n > 0 && text.p[n - 1] == '.')
        n--; /* of the sentence */
    if (dot == 0 || dot >= n) return 0;
    if (n < text.n && text.p[n] == '[') {
        size_t end = span_find(span_skip(text, n), ']');
        if (end == SPAN_NPOS) return n;
        n += end + 1;
        if (n + 1 < text.n && text.p[n] == ':' && digit(text.p[n + 1])) n++;
        while (n < text.n && digit(text.p[n]))
            n++;
    }
    return n;
}

/* Digits become '#', names of hosts '*', what stands in <> goes, and the rest is cut. */
static void normalize(struct span text, struct buf *b)
{
    for (size_t i = 0; i < text.n && b->n < b->max; i++) {
        uint8_t c = text.p[i];
        size_t host = i > 0 && in_name(text.p[i - 1]) ? 0 : host_octets(span_skip(text, i));
        if (host) {
            buf_byte(b, '*');
            i += host - 1;
            continue;
        }
        if (digit(c)) {
            if (b->n == 0 || b->p[b->n - 1] != '#') buf_byte(b, '#');
        } else {
            buf_byte(b, c);
        }
        if (c != '<') continue;
        size_t end = span_find(span_skip(text, i), '>');
        if (end != SPAN_NPOS) i += end - 1;
    }
}

uint8_t reasons_known(struct reasons *r, struct span text)
{
    if (text.n == 0) return REASON_NONE;
    text = span_head(text, REASON_TEXT_OCTETS);
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ text.p[i]) * 16777619U;
    unsigned empty = REASON_OTHER;
    for (unsigned i = 1; i < REASON_OTHER; i++) {
        struct reason *one = &r->all[i];
        if (one->count == 0) {
            if (empty == REASON_OTHER) empty = i;
        } else if (one->hash == hash && span_eq(span_of(one->text, one->n), text)) {
            one->count++;
            return (uint8_t)i;
        }
    }
    struct reason *fresh = &r->all[empty];
    fresh->count++;
    if (empty == REASON_OTHER) return REASON_OTHER;
    fresh->hash = hash;
    fresh->n = (uint8_t)text.n;
    memcpy(fresh->text, text.p, text.n);
    return (uint8_t)empty;
}

void reason_put(struct buf *b, struct span enhanced, struct span text)
{
    buf_put(b, span_head(enhanced, 12));
    if (enhanced.n && text.n) buf_byte(b, ' ');
    normalize(text, b);
}

uint8_t reasons_take(struct reasons *r, struct span enhanced, struct span text)
{
    uint8_t memory[REASON_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (enhanced.n + text.n == 0) return REASON_NONE;
    reason_put(&b, enhanced, text);
    return reasons_known(r, buf_span(&b));
}

void reasons_drop(struct reasons *r, uint8_t number)
{
    if (number != REASON_NONE && r->all[number].count > 0) r->all[number].count--;
}

struct span reasons_text(const struct reasons *r, uint8_t number)
{
    if (number == REASON_NONE) return (struct span){0};
    if (number == REASON_OTHER) return SPAN("other reasons");
    return span_of(r->all[number].text, r->all[number].n);
}
