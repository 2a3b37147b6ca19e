#include "directory/problem.h"

#include "base/limits.h"

void problem_add(struct arena *a, struct problems *p, struct problem_place place, struct span subject,
                 const char *text, bool odd)
{
    p->count++;
    if (p->count > LIMIT_PROBLEMS) return;
    struct problem *one = arena_take(a, sizeof *one);
    if (!one) return; /* counted, so that the file does not pass for sound */
    *one = (struct problem){.place = place, .subject = subject, .text = text, .odd = odd};
    if (!p->first) p->last = &p->first;
    *p->last = one;
    p->last = &one->next;
}

uint32_t problem_column(struct span line, const uint8_t *at)
{
    uint32_t column = 1;
    if (!at || at < line.p || at > line.p + line.n) return 1;
    for (const uint8_t *p = line.p; p < at; p++)
        column += (*p & 0xc0) != 0x80; /* UTF-8: octets that continue a character do not count */
    return column;
}
