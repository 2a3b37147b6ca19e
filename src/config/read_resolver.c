/* read_resolver: whom we ask for names. */
#include "config/reader_private.h"

enum { DNS_PORT = 53 };

/* ADDRESS with or without a port. */
static bool read_address(struct reader *r, const struct token *t, struct config_resolver *ret)
{
    struct span bare = t->text;
    if (bare.n > 2 && bare.p[0] == '[' && bare.p[bare.n - 1] == ']') bare = span_of(bare.p + 1, bare.n - 2);
    ret->port = DNS_PORT;
    return address_parse(bare, &ret->address) || value_endpoint(r, t, &ret->address, &ret->port);
}

void read_resolver(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config *c = r->config;
    struct token t;
    if (reader_word(r, "recursion")) {
        c->recursion = true;
        return;
    }
    for (bool more = reader_argument(r, name, row->arguments, &t); more; more = reader_more(r, &t)) {
        struct config_resolver *grown =
            reader_push(r, c->resolvers, &c->n_resolvers, sizeof *grown, LIMIT_RESOLVERS);
        if (!grown) return;
        c->resolvers = grown;
        if (!read_address(r, &t, &grown[c->n_resolvers - 1])) return;
    }
}
