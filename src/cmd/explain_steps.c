#include "cmd/explain_steps.h"

#include <stdio.h>

struct buf *explain_begin(struct explain *e, const char *name)
{
    struct explain_step *s = &e->steps[e->n < EXPLAIN_STEPS ? e->n : EXPLAIN_STEPS - 1];

    s->name = name;
    s->text = buf_on(s->memory, sizeof s->memory);
    return &s->text;
}

void explain_end(struct explain *e, const char *rule)
{
    if (e->n == EXPLAIN_STEPS) return;
    e->steps[e->n++].rule = rule;
}

bool explain_full(const struct explain *e)
{
    return e->n + 1 >= EXPLAIN_STEPS; /* the last place takes what is too much */
}

void explain_reply(struct explain *e, unsigned code, const char *enhanced, const char *text)
{
    e->code = code;
    e->enhanced = enhanced;
    e->text = text;
}

static void print_json(const struct explain *e, bool accepted)
{
    uint8_t memory[EXPLAIN_TEXT_OCTETS * 6];

    printf("{\"accepted\":%s,\"reply\":{\"code\":%u,\"enhanced\":\"%s\",\"text\":\"%s\"},\"steps\":[",
           accepted ? "true" : "false", e->code, e->enhanced, e->text);
    for (unsigned i = 0; i < e->n; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_json(&b, buf_span(&e->steps[i].text), EXPLAIN_TEXT_OCTETS);
        printf("%s{\"step\":\"%s\",\"rule\":\"%s\",\"text\":\"%.*s\"}", i ? "," : "", e->steps[i].name,
               e->steps[i].rule, (int)b.n, (const char *)memory);
    }
    printf("]}\n");
}

void explain_print(const struct explain *e, bool accepted, bool json)
{
    uint8_t memory[EXPLAIN_TEXT_OCTETS * 4];

    if (json) {
        print_json(e, accepted);
        return;
    }
    for (unsigned i = 0; i < e->n; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        buf_escaped(&b, buf_span(&e->steps[i].text), EXPLAIN_TEXT_OCTETS);
        printf("%-8s %.*s\n", e->steps[i].name, (int)b.n, (const char *)memory);
    }
    printf("%-8s %u %s %s\n", "reply", e->code, e->enhanced, e->text);
}
