/* finish_route: the tables of routes and destinations in their final order, and what each of them takes from another. */
#include "config/reader_private.h"

static struct config_pattern head_of(const void *table, size_t each, uint32_t i)
{
    struct config_pattern p;

    memcpy(&p, (const uint8_t *)table + i * each, sizeof p); /* every row begins so (route.c) */
    return p;
}

/* Sorted; the last word on a pattern counts. */
static void keep_last(struct reader *r, const char *what, void *table, uint32_t *n, size_t each)
{
    uint8_t *rows = table;
    uint32_t kept = 0;

    if (!names_sort(r->arena, table, *n, each)) {
        r->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < *n; i++) {
        struct config_pattern now = head_of(table, each, i);
        struct config_pattern old = kept ? head_of(table, each, kept - 1) : now;
        bool again = kept && span_eq(old.pattern, now.pattern);
        if (again)
            config_problem_add(r, CONFIG_WARNING, now.place,
                               PROBLEM_TEXT(r, SPAN("this "), span_str(what), SPAN(" for "), now.pattern,
                                            SPAN(" replaces the one at "),
                                            config_problem_place(r, &old.place)),
                               SPAN("keep one of the two"));
        uint32_t to = again ? kept - 1 : kept++;
        if (to != i) memcpy(rows + to * each, rows + i * each, each);
    }
    *n = kept;
}

#define KEEP_LAST(r, what, table)                                                                            \
    keep_last(r, what, (r)->config->table, &(r)->config->n_##table, sizeof *(r)->config->table)

/* Where the next hop is known now its policy is, too. */
static void finish_tls(const struct config *c, struct config_route *table, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (table[i].hop.kind == NEXT_HOP_HOST)
            table[i].hop.tls = config_tls_of(c, &table[i].hop, table[i].tls_given);
}

static void finish_deliver_tls(const struct config *c)
{
    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].hop.kind == NEXT_HOP_HOST)
            c->deliver[i].hop.tls = config_tls_of(c, &c->deliver[i].hop, c->deliver[i].tls_given);
}

void finish_routes(struct reader *r)
{
    struct config *c = r->config;

    KEEP_LAST(r, "deliver", deliver);
    KEEP_LAST(r, "relay", routes);
    KEEP_LAST(r, "relay from", sender_routes);
    KEEP_LAST(r, "hold", hold);
    KEEP_LAST(r, "discard", discard);
    finish_deliver_tls(c);
    finish_tls(c, c->routes, c->n_routes);
    finish_tls(c, c->sender_routes, c->n_sender_routes);
    c->destination_default = (struct config_destination){
        .name = SPAN("*"),
        .sessions_first = LIMIT_SESSIONS_FIRST_DEFAULT,
        .sessions_max = LIMIT_SESSIONS_PER_DESTINATION_DEFAULT,
        .recipients = LIMIT_RELAY_RECIPIENTS,
    };
}
