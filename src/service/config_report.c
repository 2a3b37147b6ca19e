#include "service/config_report.h"

void config_report_begin(struct config_report *r, struct arena *arena)
{
    *r = (struct config_report){.arena = arena};
    r->last = &r->first;
}

static void count(struct config_report *r, struct config_problem p)
{
    struct config_problem *mine = arena_take(r->arena, sizeof *mine);

    if (p.severity == CONFIG_ERROR)
        r->errors++;
    else
        r->warnings++;
    if (!mine) return; /* it still counts */
    *mine = p;
    mine->next = NULL;
    *r->last = mine;
    r->last = &mine->next;
}

void config_report_take(struct config_report *r, const struct config_problem *p)
{
    for (; p; p = p->next)
        count(r, *p);
}

void config_report_add(struct config_report *r, enum config_severity severity, struct config_place place,
                       const char *text, const char *suggestion)
{
    struct config_problem p = {.severity = severity, .place = place};

    p.text = arena_copy(r->arena, span_str(text));
    p.suggestion = arena_copy(r->arena, span_str(suggestion ? suggestion : ""));
    count(r, p);
}
