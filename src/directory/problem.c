#include "directory/problem.h"

#include "base/limits.h"

void problem_add(struct arena *a, struct problems *p, struct span file, uint32_t line, struct span subject,
                 const char *text)
{
    p->count++;
    if (p->count > LIMIT_PROBLEMS) return;
    struct problem *one = arena_take(a, sizeof *one);
    if (!one) return; /* counted, so that the file does not pass for sound */
    *one = (struct problem){file, line, subject, text, NULL};
    if (!p->first) p->last = &p->first;
    *p->last = one;
    p->last = &one->next;
}
