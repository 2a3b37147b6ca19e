/* read_route: where mail goes: deliver, relay, hold, discard; and the number of edges. */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

/* --- rows of the tables */

static void add_deliver(struct reader *r, struct span domain, struct config_place place)
{
    struct config *c = r->config;
    struct config_deliver *grown =
        reader_push(r, c->deliver, &c->n_deliver, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return;
    c->deliver = grown;
    grown[c->n_deliver - 1] = (struct config_deliver){.domain = domain, .place = place, .order = r->n_said};
}

static void add_route_to(struct reader *r, struct config_route **table, uint32_t *n, struct span pattern,
                         struct config_place place)
{
    struct config_route *grown = reader_push(r, *table, n, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return;
    *table = grown;
    grown[*n - 1] = (struct config_route){.pattern = pattern, .place = place, .order = r->n_said};
}

static void add_route(struct reader *r, struct span pattern, struct config_place place)
{
    add_route_to(r, &r->config->routes, &r->config->n_routes, pattern, place);
}

static void add_sender_route(struct reader *r, struct span pattern, struct config_place place)
{
    add_route_to(r, &r->config->sender_routes, &r->config->n_sender_routes, pattern, place);
}

static void add_pattern(struct reader *r, struct config_pattern **table, uint32_t *n, struct span pattern,
                        struct config_place place)
{
    struct config_pattern *grown = reader_push(r, *table, n, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return;
    *table = grown;
    grown[*n - 1] = (struct config_pattern){pattern, place};
}

static void add_hold(struct reader *r, struct span pattern, struct config_place place)
{
    add_pattern(r, &r->config->hold, &r->config->n_hold, pattern, place);
}

static void add_discard(struct reader *r, struct span pattern, struct config_place place)
{
    add_pattern(r, &r->config->discard, &r->config->n_discard, pattern, place);
}

/* --- PATTERN ... up to the word `behind` */

enum { EXACT_OR_STAR = 8 }; /* what deliver takes: a domain or "*" */

typedef void add_fn(struct reader *r, struct span pattern, struct config_place place);

static void read_patterns(struct reader *r, const struct token *name, const char *arguments, unsigned flags,
                          const char *behind, add_fn *add)
{
    struct token t;
    bool more = reader_argument(r, name, arguments, &t);

    for (; more; more = !(behind && reader_at_word(r, behind)) && reader_more(r, &t)) {
        struct span pattern;
        bool hop = span_eq_nocase(t.text, SPAN("smarthost")) || span_eq_nocase(t.text, SPAN("lmtp"));
        if (behind && hop) { /* no domain of anybody, but what stands behind via, or to */
            config_problem_at(r, &t,
                              PROBLEM_TEXT(r, QUOTED(t.text), SPAN(" stands without "), span_str(behind)),
                              PROBLEM_TEXT(r, name->text, SPAN(" ... "), span_str(behind), SPAN(" "), t.text,
                                           SPAN(" HOST:PORT")));
            return;
        }
        if (flags == EXACT_OR_STAR ? value_domain(r, &t, true, &pattern)
                                   : value_pattern(r, &t, flags, &pattern))
            add(r, pattern, reader_place(r, &t));
    }
}

/* The word that must follow the patterns. */
static bool read_word(struct reader *r, const struct schema_row *row, const struct token *name,
                      const char *word, const char *what)
{
    if (reader_word(r, word)) return true;
    if (!r->broken)
        config_problem_at(
            r, name,
            PROBLEM_TEXT(r, name->text, SPAN(" needs "), span_str(word), SPAN(", and "), span_str(what)),
            PROBLEM_TEXT(r, name->text, SPAN(" "), span_str(row->arguments)));
    return false;
}

/* --- directives */

static bool read_lmtp(struct reader *r, const struct token *name, struct config_deliver *said)
{
    struct config_route route = {.order = 0};
    uint8_t memory[LIMIT_NEXT_HOP_OCTETS + 16];
    struct buf shown = buf_on(memory, sizeof memory);

    if (!read_hop(r, name, READ_HOP_LMTP, &route)) return false;
    said->hop = route.hop;
    said->tls_given = route.tls_given;
    next_hop_put_text(&shown, &said->hop);
    said->target = arena_copy(r->arena, span_skip(buf_span(&shown), 5)); /* behind "lmtp " */
    r->no_memory |= !said->target.p;
    return said->target.p != NULL;
}

void read_deliver(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    uint32_t before = c->n_deliver;
    struct config_deliver said = {.how = DELIVER_MAILDIR};
    struct token t;
    uint64_t choice;

    r->n_said++;
    read_patterns(r, name, "a DOMAIN", EXACT_OR_STAR, "to", add_deliver);
    if (read_word(r, row, name, "to", "what delivers") &&
        reader_argument(r, name, "maildir FOLDER or lmtp SERVER", &t) &&
        value_choice(r, &t, "maildir lmtp", &choice)) {
        said.how = choice == 0 ? DELIVER_MAILDIR : DELIVER_LMTP;
        if (said.how == DELIVER_LMTP)
            (void)read_lmtp(r, name, &said);
        else if (reader_argument(r, name, "a FOLDER", &t))
            (void)value_path(r, &t, &said.target);
    }
    for (uint32_t i = before; i < c->n_deliver; i++) {
        struct config_deliver *d = &c->deliver[i];
        said.domain = d->domain;
        said.place = d->place;
        said.order = d->order;
        *d = said;
    }
}

void read_relay(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    uint32_t routes = c->n_routes, sender_routes = c->n_sender_routes;
    struct config_route route = {.order = 0};
    struct token t;
    uint64_t choice;

    r->n_said++;
    if (reader_word(r, "from"))
        read_patterns(r, name, "a SENDER behind from", PATTERN_ADDRESS | PATTERN_NULL, "via",
                      add_sender_route);
    else
        read_patterns(r, name, "a DOMAIN", PATTERN_STAR | PATTERN_ADDRESS, "via", add_route);
    if (read_word(r, row, name, "via", "the next hop") &&
        reader_argument(r, name, "mx, smarthost HOST:PORT or lmtp SERVER", &t) &&
        value_choice(r, &t, "mx smarthost lmtp", &choice))
        (void)read_hop(r, name, (enum read_hop_form)choice, &route);
    for (uint32_t i = routes; i < c->n_routes; i++) {
        c->routes[i].hop = route.hop;
        c->routes[i].tls_given = route.tls_given;
        c->routes[i].secret = route.secret;
    }
    for (uint32_t i = sender_routes; i < c->n_sender_routes; i++) {
        c->sender_routes[i].hop = route.hop;
        c->sender_routes[i].tls_given = route.tls_given;
        c->sender_routes[i].secret = route.secret;
    }
}

void read_hold(struct reader *r, const struct schema_row *row, const struct token *name)
{
    (void)row;
    read_patterns(r, name, "a DOMAIN", PATTERN_STAR | PATTERN_ADDRESS, NULL, add_hold);
}

#define LOSE_MAIL "accept-and-lose-mail"

void read_discard(struct reader *r, const struct schema_row *row, const struct token *name)
{
    (void)row;
    read_patterns(r, name, "a DOMAIN", PATTERN_ADDRESS, LOSE_MAIL, add_discard);
    if (!reader_word(r, LOSE_MAIL) && !r->broken)
        config_problem_at(
            r, name, SPAN("discard accepts mail with 250 and throws it away: this has to be spelled out"),
            SPAN("discard DOMAIN " LOSE_MAIL "; or refuse it: do not serve the domain"));
}

void read_edges(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct schema_row number = *row;
    struct token t;
    uint64_t v;

    if (reader_word(r, "auto")) {
        r->config->edges = 0;
        return;
    }
    number.type = SCHEMA_NUMBER;
    if (reader_argument(r, name, row->arguments, &t) && value_plain(r, &number, &t, &v))
        r->config->edges = (uint32_t)v;
}
