/* read_legacy: the directives of server { } that are about old devices. */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

/* profile PROFILE */
void read_profile(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct token t;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t) || !value_choice(r, &t, row->choices, &choice)) return;
    d->server.profile = (enum config_profile)choice;
    d->profile_place = reader_place(r, &t);
}

/* tls-minimum VERSION */
void read_tls_minimum(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct token t;
    uint64_t choice;

    if (!reader_argument(r, name, row->arguments, &t) || !value_choice(r, &t, row->choices, &choice)) return;
    d->server.tls_minimum = (uint8_t)(TLS_MINIMUM_1_0 + choice);
    d->tls_minimum_place = reader_place(r, &t);
}

bool legacy_client(struct reader *r, struct draft *d, const struct token *t, const struct network *n)
{
    struct legacy_client *grown =
        reader_push(r, d->clients, &d->n_clients, sizeof *grown, LIMIT_ADMISSION_RULES);

    if (!grown) return false;
    d->clients = grown;
    grown[d->n_clients - 1] = (struct legacy_client){*n, reader_place(r, t)};
    return true;
}

static bool read_sender_address(struct reader *r, const struct token *t, struct span *ret)
{
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8];
    struct buf key = buf_on(memory, sizeof memory);
    struct span written = token_value(t, r->arena);

    if (!path_canonical(written, PATH_ALLOW_UTF8, &key) || span_find(buf_span(&key), '@') == SPAN_NPOS) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(written), SPAN(" is no address")),
                          SPAN("sender scanner@example.org from 192.0.2.10"));
        return false;
    }
    *ret = arena_copy(r->arena, buf_span(&key));
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

static bool add_pins(struct reader *r, struct config_server *s, const struct span *senders, uint32_t n,
                     const struct network *from, struct config_place place)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t n_places = s->n_pins;
        struct config_place *places =
            reader_push(r, s->pin_places, &n_places, sizeof *places, LIMIT_CONFIG_PINS);
        if (!places) return false;
        s->pin_places = places;
        places[n_places - 1] = place;
        struct pin *grown = reader_push(r, s->pins, &s->n_pins, sizeof *grown, LIMIT_CONFIG_PINS);
        if (!grown) return false;
        s->pins = grown;
        grown[s->n_pins - 1] = (struct pin){senders[i], *from};
    }
    return true;
}

/* sender ADDRESS ... from NETWORK ... */
void read_sender(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct draft *d = reader_draft(r);
    struct span *senders = NULL;
    uint32_t n = 0;
    struct token t;
    bool more = reader_argument(r, name, row->arguments, &t);

    if (!d->sender_place.line) d->sender_place = reader_place(r, name);
    for (; more; more = !reader_at_word(r, "from") && reader_more(r, &t)) {
        struct span address, *grown;
        if (!read_sender_address(r, &t, &address)) return;
        grown = reader_push(r, senders, &n, sizeof *grown, LIMIT_CONFIG_PINS);
        if (!grown) return;
        senders = grown;
        grown[n - 1] = address;
    }
    if (r->broken) return;
    if (!reader_word(r, "from")) {
        config_problem_at(r, name, SPAN("sender needs from and the NETWORK of the device"),
                          SPAN("sender scanner@example.org from 192.0.2.10"));
        return;
    }
    for (more = reader_argument(r, name, "a NETWORK behind from", &t); more; more = reader_more(r, &t)) {
        struct network from;
        if (!value_network(r, &t, &from)) continue;
        if (!add_pins(r, &d->server, senders, n, &from, reader_place(r, name)) ||
            !legacy_client(r, d, &t, &from))
            return;
    }
}
