/* read_destination: what is permitted towards a destination or a group of mail exchangers: destination, mx-group, and what stands in them. */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static struct config_destination *add_destination(struct reader *r, struct config_place place)
{
    struct config *c = r->config;
    struct config_destination *grown =
        reader_push(r, c->destinations, &c->n_destinations, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return NULL;
    c->destinations = grown;
    grown[c->n_destinations - 1] = (struct config_destination){.place = place};
    return &grown[c->n_destinations - 1];
}

static void add_match(struct reader *r, struct config_match **table, uint32_t *n, struct span pattern,
                      struct config_place place)
{
    struct config_match *grown = reader_push(r, *table, n, sizeof *grown, LIMIT_CONFIG_ROUTES);

    if (!grown) return;
    *table = grown;
    grown[*n - 1] = (struct config_match){pattern, place, r->config->n_destinations - 1};
}

static bool keep(struct reader *r, const struct buf *b, struct span *ret)
{
    *ret = arena_copy(r->arena, buf_span(b));
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

/* A domain, a host with or without its port, a socket: spelled as next hops are. */
static bool value_destination(struct reader *r, const struct token *t, struct span *ret)
{
    struct span s = token_value(t, r->arena), host;
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 16];
    struct buf b = buf_on(memory, sizeof memory);
    struct address a;
    uint16_t port;

    if (span_starts_nocase(s, SPAN("unix:"))) {
        struct next_hop hop = {.kind = NEXT_HOP_UNIX, .name = span_skip(s, 5)};
        buf_str(&b, "unix:");
        buf_put(&b, hop.name);
        if (next_hop_valid(&hop)) return keep(r, &b, ret);
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" is no path of a socket")),
                          SPAN("write it as the line does that leads there: unix:/run/dovecot/lmtp"));
        return false;
    }
    if (address_parse(s, &a)) {
        address_put(&b, &a);
        return keep(r, &b, ret);
    }
    if (span_find(s, ':') == SPAN_NPOS) return value_pattern(r, t, PATTERN_STAR, ret);
    if (!value_host_port(r, t, &host, &port)) return false;
    (void)value_put_host(&b, host, port);
    return keep(r, &b, ret);
}

void read_destination(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    struct config_destination *d = add_destination(r, reader_place(r, name));
    struct token t;

    if (!d) return;
    for (bool more = reader_argument(r, name, "a DOMAIN, a HOST or unix:PATH", &t); more;
         more = reader_more(r, &t)) {
        struct span pattern;
        if (!value_destination(r, &t, &pattern)) continue;
        if (!d->name.n) d->name = pattern;
        add_match(r, &c->matches, &c->n_matches, pattern, reader_place(r, &t));
    }
    reader_open_block(r, name, row->opens, d);
}

void read_mx_group(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    struct config_destination *d = add_destination(r, reader_place(r, name));
    struct token t;

    if (!d) return;
    d->group = true;
    if (reader_argument(r, name, "a NAME", &t)) (void)value_name(r, &t, &d->name);
    for (bool more = reader_argument(r, name, "the HOST of a mail exchanger, or a .DOMAIN of several", &t);
         more; more = reader_more(r, &t)) {
        struct span pattern;
        if (value_pattern(r, &t, 0, &pattern))
            add_match(r, &c->mx_matches, &c->n_mx_matches, pattern, reader_place(r, &t));
    }
    reader_open_block(r, name, row->opens, d);
}

/* --- what stands in them */

static bool read_amount(struct reader *r, const struct schema_row *row, const struct token *name,
                        uint8_t type, uint64_t max, uint32_t *ret)
{
    struct schema_row amount = *row;
    struct token t;
    uint64_t v;

    amount.type = type;
    amount.min = 1;
    amount.max = max;
    if (!reader_argument(r, name, row->arguments, &t) || !value_plain(r, &amount, &t, &v)) return false;
    *ret = (uint32_t)v;
    return true;
}

void read_sessions(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_destination *d = reader_target(r);
    struct token t = r->token;

    if (!read_amount(r, row, name, SCHEMA_NUMBER, row->max, &d->sessions_first)) return;
    d->sessions_max = d->sessions_first;
    if (r->token.kind != TOKEN_WORD || !octet_is_digit(r->token.text.p[0])) return;
    if (!read_amount(r, row, name, SCHEMA_NUMBER, row->max, &d->sessions_max)) return;
    if (d->sessions_max < d->sessions_first)
        config_problem_at(r, &t, SPAN("sessions: more at the start than at most"),
                          PROBLEM_TEXT(r, SPAN("sessions "), config_problem_number(r, d->sessions_max),
                                       SPAN(" "), config_problem_number(r, d->sessions_first)));
}

void read_rate(struct reader *r, const struct schema_row *row, const struct token *name,
               struct config_rate *ret)
{
    struct config_rate rate = {.limited = true};

    if (!read_amount(r, row, name, SCHEMA_NUMBER, row->max, &rate.count)) return;
    if (!reader_word(r, "per")) {
        config_problem_at(
            r, name, PROBLEM_TEXT(r, name->text, SPAN(" needs a time behind its count")),
            PROBLEM_TEXT(r, name->text, SPAN(" "), config_problem_number(r, rate.count), SPAN(" per 1m")));
        return;
    }
    if (read_amount(r, row, name, SCHEMA_DURATION, LIMIT_RATE_SECONDS_MAX, &rate.seconds)) *ret = rate;
}

/* In limits { }: the member that the row names. */
void read_limit_rate(struct reader *r, const struct schema_row *row, const struct token *name)
{
    read_rate(r, row, name, (struct config_rate *)(void *)((uint8_t *)reader_target(r) + row->offset));
}

void read_messages_rate(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_destination *d = reader_target(r);

    read_rate(r, row, name, &d->messages);
}

void read_connections_rate(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_destination *d = reader_target(r);

    read_rate(r, row, name, &d->connections);
}

void read_destination_tls(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_destination *d = reader_target(r);
    struct token t;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t) || !value_choice(r, &t, row->choices, &choice)) return;
    d->tls_given = true;
    d->tls = (uint8_t)choice;
}

/* TIME | never */
void read_delay_warning(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;
    uint64_t v;

    if (reader_word(r, "never")) {
        r->config->delay_warning_never = true;
        return;
    }
    if (!reader_argument(r, name, row->arguments, &t)) return;
    if (!t.text.n || !octet_is_digit(t.text.p[0]))
        config_problem_at(r, &t, PROBLEM_TEXT(r, QUOTED(t.text), SPAN(" is neither a time nor never")),
                          SPAN("delay-warning 4h, or delay-warning never"));
    else if (value_plain(r, row, &t, &v))
        r->config->delay_warning_seconds = (uint32_t)v;
}
