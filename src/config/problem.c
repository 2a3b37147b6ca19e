#include "base/buf.h"
#include "config/reader_private.h"

enum { PROBLEM_TEXT_OCTETS = 1024, PROBLEM_PART_OCTETS = 200, PROBLEMS_MAX = 200 };

struct span config_problem_text(struct reader *r, const struct span *parts, size_t n)
{
    uint8_t memory[PROBLEM_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);

    if (r->n_problems > PROBLEMS_MAX) return SPAN(""); /* nobody will see it */
    for (size_t i = 0; i < n; i++)
        buf_escaped(&b, parts[i], PROBLEM_PART_OCTETS);
    struct span text = arena_copy(r->arena, buf_span(&b));
    if (!text.p) r->no_memory = true;
    return text;
}

struct span config_problem_number(struct reader *r, uint64_t v)
{
    uint8_t memory[24];
    struct buf b = buf_on(memory, sizeof memory);

    buf_u64(&b, v);
    return arena_copy(r->arena, buf_span(&b));
}

struct span config_problem_place(struct reader *r, const struct config_place *p)
{
    return PROBLEM_TEXT(r, p->file, SPAN(":"), config_problem_number(r, p->line), SPAN(":"),
                        config_problem_number(r, p->column));
}

void config_problem_add(struct reader *r, enum config_severity s, struct config_place place, struct span text,
                        struct span suggestion)
{
    if (s == CONFIG_ERROR) r->failed = true;
    if (r->n_problems > PROBLEMS_MAX) return;
    struct config_problem *p = arena_take(r->arena, sizeof *p);

    if (!p) {
        r->no_memory = true;
        return;
    }
    *p = (struct config_problem){s, place, text, suggestion, NULL};
    if (r->n_problems++ == PROBLEMS_MAX) {
        p->severity = CONFIG_ERROR;
        p->text = SPAN("too many problems: the rest is not shown");
        p->suggestion = SPAN("");
    }
    if (r->last)
        r->last->next = p;
    else
        r->first = p;
    r->last = p;
}

void config_problem_at(struct reader *r, const struct token *t, struct span text, struct span suggestion)
{
    config_problem_add(r, CONFIG_ERROR, reader_place(r, t), text, suggestion);
    r->broken = true;
    reader_draft(r)->damaged = true;
}

static size_t source_index(const struct reader *r, struct span file)
{
    for (size_t i = 0; i < r->n_sources; i++)
        if (span_eq(r->sources[i].name, file)) return i;
    return r->n_sources;
}

static bool comes_later(const struct reader *r, const struct config_problem *a,
                        const struct config_problem *b)
{
    size_t x = source_index(r, a->place.file), y = source_index(r, b->place.file);

    if (x != y) return x > y;
    if (a->place.line != b->place.line) return a->place.line > b->place.line;
    return a->place.column > b->place.column;
}

/* By insertion: there are at most PROBLEMS_MAX of them, nearly in order. */
void config_problem_sort(struct reader *r)
{
    struct config_problem *sorted = NULL;

    while (r->first) {
        struct config_problem *p = r->first, **at = &sorted;
        r->first = p->next;
        while (*at && !comes_later(r, *at, p))
            at = &(*at)->next;
        p->next = *at;
        *at = p;
    }
    r->first = sorted;
}
