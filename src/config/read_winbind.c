/* read_winbind: domains of Active Directory whose users log in here. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static bool read_names(struct reader *r, const struct schema_row *row, const struct token *name,
                       struct config_winbind *ret)
{
    struct token t;
    if (!reader_argument(r, name, row->arguments, &t)) return false;
    do {
        struct span *grown =
            reader_push(r, ret->names, &ret->n_names, sizeof *ret->names, LIMIT_DOMAIN_NAMES);
        if (!grown) return false;
        ret->names = grown;
        if (!value_name(r, &t, &grown[ret->n_names - 1])) return false;
    } while (!reader_at_word(r, "as") && reader_more(r, &t));
    return true;
}

void read_winbind(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    struct config_winbind said = {.place = reader_place(r, name)};
    struct token t;

    if (!read_names(r, row, name, &said)) return;
    if (!reader_word(r, "as")) {
        config_problem_at(r, name, SPAN("winbind needs the domain that its users have here"),
                          SPAN("winbind CORP corp.example.org as example.org"));
        return;
    }
    if (!reader_argument(r, name, "a DOMAIN", &t) || !value_domain(r, &t, false, &said.domain)) return;
    said.fallback = reader_word(r, "default");
    struct config_winbind *grown =
        reader_push(r, c->winbinds, &c->n_winbinds, sizeof *c->winbinds, LIMIT_WINBIND_LINES);
    if (!grown) return;
    c->winbinds = grown;
    grown[c->n_winbinds - 1] = said;
}

const struct config_winbind *config_winbind_of(const struct config *c, struct span name)
{
    for (uint32_t i = 0; i < c->n_winbinds; i++) {
        const struct config_winbind *w = &c->winbinds[i];
        if (name.n == 0 && w->fallback) return w;
        for (uint32_t k = 0; k < w->n_names; k++)
            if (span_eq_nocase(w->names[k], name)) return w;
    }
    return NULL;
}

/* Every name belongs to one line, and one line at most to those who say none. */
static void check_names(struct reader *r, uint32_t which)
{
    const struct config *c = r->config;
    const struct config_winbind *w = &c->winbinds[which];
    bool fallback = false;

    for (uint32_t i = 0; i < which; i++)
        fallback |= c->winbinds[i].fallback;
    if (w->fallback && fallback)
        config_problem_add(r, CONFIG_ERROR, w->place, SPAN("another winbind line is the default already"),
                           SPAN(""));
    for (uint32_t k = 0; k < w->n_names; k++)
        if (config_winbind_of(c, w->names[k]) != w)
            config_problem_add(
                r, CONFIG_ERROR, w->place,
                PROBLEM_TEXT(r, QUOTED(w->names[k]), SPAN(" stands in another winbind line already")),
                SPAN(""));
}

void check_winbind(struct reader *r)
{
    const struct config *c = r->config;
    uint32_t mechanisms = 0;

    for (uint32_t i = 0; i < c->n_winbinds; i++)
        check_names(r, i);
    for (uint32_t i = 0; i < r->n_drafts; i++)
        mechanisms |= r->drafts[i].server.mechanisms;
    if (c->n_winbinds && !r->failed && !(mechanisms & MECHANISM_BIT(MECHANISM_NTLM)))
        config_problem_add(r, CONFIG_WARNING, c->winbinds[0].place,
                           SPAN("no server offers NTLM: nobody logs in this way"),
                           SPAN("access authenticated mechanisms NTLM"));
}
