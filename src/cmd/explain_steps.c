#include "cmd/explain_steps.h"

#include "cmd/json.h"
#include "config/schema.h"

#include <stdio.h>

static struct explain_step *step_of(struct explain *e)
{
    return &e->steps[e->n < EXPLAIN_STEPS ? e->n : EXPLAIN_STEPS - 1];
}

struct buf *explain_begin(struct explain *e, const char *name)
{
    struct explain_step *s = step_of(e);

    s->name = name;
    s->text = buf_on(s->memory, sizeof s->memory);
    s->fields = buf_on(s->fields_memory, sizeof s->fields_memory);
    return &s->text;
}

static struct buf *member(struct explain *e, const char *key)
{
    struct buf *b = &step_of(e)->fields;

    buf_str(b, ",\"");
    buf_str(b, key);
    buf_str(b, "\":");
    return b;
}

void explain_field(struct explain *e, const char *key, struct span value)
{
    struct buf *b = member(e, key);

    buf_byte(b, '"');
    buf_json(b, value, EXPLAIN_FIELD_OCTETS);
    buf_byte(b, '"');
}

void explain_names(struct explain *e, const char *key, struct span names)
{
    json_put_names(member(e, key), names, ' ', EXPLAIN_FIELD_OCTETS);
}

void explain_flag(struct explain *e, const char *key, bool value)
{
    buf_str(member(e, key), value ? "true" : "false");
}

void explain_number(struct explain *e, const char *key, uint64_t value)
{
    buf_u64(member(e, key), value);
}

void explain_place(struct explain *e, const struct config_place *place)
{
    explain_field(e, "file", place->file);
    explain_number(e, "line", place->line);
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
        printf("%s{\"step\":\"%s\",\"rule\":\"%s\",\"text\":\"%.*s\"%.*s}", i ? "," : "", e->steps[i].name,
               e->steps[i].rule, (int)b.n, (const char *)memory, SPAN_ARG(buf_span(&e->steps[i].fields)));
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

void explain_put_rate(struct buf *b, const struct config_rate *rate, const char *what)
{
    buf_str(b, ", ");
    buf_u64(b, rate->count);
    buf_byte(b, ' ');
    buf_str(b, what);
    buf_str(b, " per ");
    schema_amount(b, SCHEMA_DURATION, rate->seconds);
}
