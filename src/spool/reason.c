#include "spool/reason.h"

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Digits become '#', what stands in <> goes, and the rest is cut. */
static void normalize(struct span text, struct buf *b)
{
    for (size_t i = 0; i < text.n && b->n < b->max; i++) {
        uint8_t c = text.p[i];
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

uint8_t reasons_take(struct reasons *r, struct span enhanced, struct span text)
{
    uint8_t memory[REASON_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (enhanced.n + text.n == 0) return REASON_NONE;
    buf_put(&b, span_head(enhanced, 12));
    if (enhanced.n && text.n) buf_byte(&b, ' ');
    normalize(text, &b);
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
