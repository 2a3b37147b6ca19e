/* read_tokens: tokens { }: who issues tokens that stand for an account here. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

/* Any word that is shown and compared as it is: a URL, a name of a claim. */
void read_tokens_text(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    struct span s = token_value(&t, r->arena);
    if (s.n == 0 || s.n > LIMIT_TOKEN_TEXT_OCTETS || !span_printable(s) || span_find(s, ' ') != SPAN_NPOS) {
        config_problem_at(r, &t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" cannot stand here")),
                          SPAN("1 to 256 characters of ASCII, without blanks"));
        return;
    }
    s = arena_copy(r->arena, s);
    r->no_memory |= !s.p;
    memcpy((uint8_t *)reader_target(r) + row->offset, &s, sizeof s);
}

void finish_tokens(struct reader *r)
{
    struct config_tokens *t = &r->config->tokens;

    t->given = r->config->said && config_said(r->config, "tokens").line > 0;
    if (!t->scope.n) t->scope = SPAN("smtp");
}

static void check_needed(struct reader *r, struct span value, struct span name, struct span example)
{
    if (value.n == 0)
        config_problem_add(r, CONFIG_ERROR, config_said(r->config, "tokens"),
                           PROBLEM_TEXT(r, SPAN("tokens needs "), name), example);
}

void check_tokens(struct reader *r)
{
    const struct config_tokens *t = &r->config->tokens;

    if (!t->given)
        check_mechanisms_given(r, MECHANISM_TOKENS, SPAN("nothing says which tokens are good"),
                               SPAN("tokens { issuer URL  audience NAME  keys FILE } at the top level"));
    if (!t->given || r->failed) return;
    check_needed(r, t->issuer, SPAN("an issuer"), SPAN("issuer https://login.example.org"));
    check_needed(r, t->audience, SPAN("an audience"), SPAN("audience mail.example.org"));
    check_needed(r, t->keys_file, SPAN("keys"), SPAN("keys FILE, the JWK set of the issuer"));
}
