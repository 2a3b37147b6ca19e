#include "directory/problem.h"

#include "base/limits.h"

void problem_add(struct arena *a, struct problems *p, struct span file, uint32_t line, struct span subject,
                 const char *text, bool odd)
{
    p->count++;
    if (p->count > LIMIT_PROBLEMS) return;
    struct problem *one = arena_take(a, sizeof *one);
    if (!one) return; /* counted, so that the file does not pass for sound */
    *one = (struct problem){.file = file, .line = line, .subject = subject, .text = text, .odd = odd};
    if (!p->first) p->last = &p->first;
    *p->last = one;
    p->last = &one->next;
}
