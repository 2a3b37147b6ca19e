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

/* --- destinations */

static void take_unsaid(struct config_destination *to, const struct config_destination *from)
{
    if (!to->sessions_max) {
        to->sessions_first = from->sessions_first;
        to->sessions_max = from->sessions_max;
    }
    if (!to->recipients) to->recipients = from->recipients;
    if (!to->messages.limited) to->messages = from->messages;
    if (!to->connections.limited) to->connections = from->connections;
}

/* destination *: what others take when they do not say it. It leaves the table, so that what is found there names a next hop. */
static void finish_destinations(struct config *c)
{
    static const struct config_destination built_in = {
        .sessions_first = LIMIT_SESSIONS_FIRST_DEFAULT,
        .sessions_max = LIMIT_SESSIONS_PER_DESTINATION_DEFAULT,
        .recipients = LIMIT_RELAY_RECIPIENTS,
    };
    const struct config_match *star = names_find(c->matches, c->n_matches, sizeof *star, SPAN("*"));

    if (star) {
        uint32_t at = (uint32_t)(star - c->matches);
        c->destination_default = c->destinations[star->destination];
        memmove(&c->matches[at], star + 1, (c->n_matches - at - 1) * sizeof *star);
        c->n_matches--;
    }
    c->destination_default.name = SPAN("*");
    take_unsaid(&c->destination_default, &built_in);
    for (uint32_t i = 0; i < c->n_destinations; i++)
        take_unsaid(&c->destinations[i], c->destinations[i].group ? &built_in : &c->destination_default);
}

/* --- where the next hop is known now, its TLS policy is, too */

/* A destination may raise what a line says about TLS; it never takes away what the line needs. */
static uint8_t tls_of(struct reader *r, const struct config_place *place, const struct next_hop *hop,
                      bool given)
{
    uint8_t tls = config_tls_of(r->config, hop, given);
    bool clear = tls == TLS_POLICY_NONE || tls == TLS_POLICY_MAY;

    if (tls == hop->tls ||
        !((hop->implicit_tls && clear) || (hop->user.n && (clear || tls == TLS_POLICY_DANE))))
        return tls;
    const struct config_destination *d = config_destination_of(r->config, hop);
    config_problem_add(r, CONFIG_ERROR, d->place,
                       PROBLEM_TEXT(r, SPAN("tls "), span_str(tls_policy_name(tls)), SPAN(" for "), d->name,
                                    hop->implicit_tls ? SPAN(" contradicts tls implicit at ")
                                                      : SPAN(" would show the password of the line at "),
                                    config_problem_place(r, place)),
                       SPAN("tls encrypt or tls verify"));
    return hop->tls;
}

static void finish_tls(struct reader *r, struct config_route *table, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (table[i].hop.kind == NEXT_HOP_HOST)
            table[i].hop.tls = tls_of(r, &table[i].place, &table[i].hop, table[i].tls_given);
}

void finish_routes(struct reader *r)
{
    struct config *c = r->config;

    KEEP_LAST(r, "deliver", deliver);
    KEEP_LAST(r, "relay", routes);
    KEEP_LAST(r, "relay from", sender_routes);
    KEEP_LAST(r, "hold", hold);
    KEEP_LAST(r, "discard", discard);
    KEEP_LAST(r, "destination", matches);
    KEEP_LAST(r, "mx-group", mx_matches);
    if (r->no_memory) return;
    finish_destinations(c);
    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].hop.kind == NEXT_HOP_HOST)
            c->deliver[i].hop.tls =
                tls_of(r, &c->deliver[i].place, &c->deliver[i].hop, c->deliver[i].tls_given);
    finish_tls(r, c->routes, c->n_routes);
    finish_tls(r, c->sender_routes, c->n_sender_routes);
}
