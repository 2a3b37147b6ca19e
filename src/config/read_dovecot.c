/* read_dovecot: dovecot { }: who is asked for servers with login dovecot, and what those may offer. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

/* socket unix:PATH */
void read_dovecot_socket(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    struct span value = token_value(&t, r->arena);
    bool prefixed = span_starts_nocase(value, SPAN("unix:"));
    struct next_hop hop = {.kind = NEXT_HOP_UNIX, .name = span_skip(value, 5)};
    if (!prefixed || !next_hop_valid(&hop)) {
        config_problem_at(
            r, &t, PROBLEM_TEXT(r, QUOTED(value), SPAN(" is no path of a socket")),
            SPAN("write unix: and an absolute path of at most 107 octets: unix:/run/dovecot/auth-client"));
        return;
    }
    r->config->dovecot.socket = arena_copy(r->arena, hop.name);
    r->no_memory |= !r->config->dovecot.socket.p;
}

static void check_mechanisms(struct reader *r, const struct config_server *s)
{
    uint8_t memory[256];
    struct buf others = buf_on(memory, sizeof memory), all = {0};
    uint8_t more[256];

    if (!(s->mechanisms & ~MECHANISM_DOVECOT)) return;
    all = buf_on(more, sizeof more);
    mechanism_put_names(&others, s->mechanisms & ~MECHANISM_DOVECOT);
    mechanism_put_names(&all, MECHANISM_DOVECOT);
    config_problem_add(r, CONFIG_ERROR, s->place,
                       PROBLEM_TEXT(r, SPAN("server "), s->name,
                                    SPAN(" has login dovecot, with which there is no "), buf_span(&others)),
                       PROBLEM_TEXT(r, SPAN("of "), buf_span(&all)));
}

void check_dovecot(struct reader *r)
{
    const struct config *c = r->config;
    struct config_place said = config_said(c, "dovecot");

    if (said.line > 0 && c->dovecot.socket.n == 0 && !r->failed)
        config_problem_add(r, CONFIG_ERROR, said, SPAN("dovecot needs a socket"),
                           SPAN("socket unix:/run/dovecot/auth-client"));
    for (uint32_t i = 0; i < r->n_drafts; i++) {
        const struct config_server *s = &r->drafts[i].server;
        if (s->login != CONFIG_LOGIN_DOVECOT) continue;
        check_mechanisms(r, s);
        if (said.line == 0)
            config_problem_add(r, CONFIG_ERROR, s->place,
                               PROBLEM_TEXT(r, SPAN("server "), s->name,
                                            SPAN(" has login dovecot, and nothing says where Dovecot is")),
                               SPAN("dovecot { socket unix:/run/dovecot/auth-client } at the top level"));
    }
}
