#include "service/names.h"

#include "service/config_load.h"
#include "smtp/path.h"

bool names_canonical(struct span address, struct buf *key)
{
    uint8_t memory[EXPAND_PATH_OCTETS + 3];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest;
    buf_byte(&b, '<');
    buf_put(&b, address);
    buf_byte(&b, '>');
    if (b.over ||
        path_parse(buf_span(&b), PATH_ALLOW_UTF8 | PATH_ALLOW_POSTMASTER, &path, &rest) != PATH_OK || rest.n)
        return false;
    path_key(&path, key);
    return !key->over;
}

/* The parser names one missing list at a time. */
static bool load_aliases(struct names *n, struct span file, struct span text)
{
    struct aliases_source *sources = arena_take_array(n->arena, LIMIT_ALIAS_INCLUDES + 1, sizeof *sources);
    const struct problems before = n->problems;
    if (!sources) return false;
    sources[0] = (struct aliases_source){.name = file, .text = text};
    for (size_t count = 1;; count++) {
        n->problems = before;
        if (n->problems.last) *n->problems.last = NULL; /* problems of an earlier round */
        n->aliases = aliases_parse(n->arena, sources, count, names_canonical, &n->problems);
        if (!n->aliases) return false;
        if (!n->aliases->missing.n || count > LIMIT_ALIAS_INCLUDES) return true;
        struct span name = arena_copy(n->arena, n->aliases->missing); /* with a NUL behind it */
        if (!name.p) return false;
        sources[count].name = name;
        sources[count].unreadable =
            config_load_file(n->arena, (const char *)name.p, LIMIT_DIRECTORY_FILE_OCTETS,
                             &sources[count].text) != NULL;
    }
}

static void add_all(struct recipients_builder *b, const struct names *n, const struct config *c, bool aliases)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_domains; k++)
            recipients_add_domain(b, c->servers[i].domains[k].name, c->servers[i].domains[k].any);
    for (uint32_t i = 0; i < n->users->count; i++)
        recipients_add_mailbox(b, n->users->keys[i]);
    for (const struct alias_entry *e = aliases ? n->aliases->names : NULL; e; e = e->next)
        recipients_add_mailbox(b, e->key);
}

static bool make_map(struct names *n, const struct config *c, bool aliases, struct recipients *ret)
{
    struct recipients_builder b;
    recipients_begin(&b, NULL, 0);
    add_all(&b, n, c, aliases);
    size_t octets = recipients_needed(&b);
    void *memory = arena_take(n->arena, octets);
    if (!memory || b.over) return false;
    recipients_begin(&b, memory, octets);
    add_all(&b, n, c, aliases);
    return recipients_finish(&b) && recipients_open(ret, memory, octets);
}

static bool said_before(const struct config_domain *a, const struct config_domain *b)
{
    if (a->any != b->any) return b->any;
    if (a->place.line != b->place.line) return a->place.line < b->place.line;
    return a->place.column < b->place.column;
}

static struct span home_of(const struct config *c)
{
    const struct config_domain *first = NULL;
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_domains; k++)
            if (!first || said_before(&c->servers[i].domains[k], first)) first = &c->servers[i].domains[k];
    return first ? first->name : c->hostname;
}

static bool leads_nowhere(const struct names *n, const struct alias_target *t, struct span domain)
{
    uint8_t memory[EXPAND_PATH_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (t->kind == ALIAS_ADDRESS) return recipients_find(&n->map, t->text) == RECIPIENTS_UNKNOWN;
    if (t->kind != ALIAS_LOCAL) return false;
    buf_put(&b, t->text);
    buf_byte(&b, '@');
    size_t local = b.n;
    buf_put(&b, domain);
    if (!b.over && domain.n && recipients_find(&n->map, buf_span(&b)) == RECIPIENTS_KNOWN) return false;
    b.n = local;
    buf_put(&b, n->home);
    return b.over || recipients_find(&n->map, buf_span(&b)) != RECIPIENTS_KNOWN;
}

/* Aliases that say something well-formed that cannot be meant. */
static void find_dead_ends(struct names *n, struct span file)
{
    struct span local, domain;
    for (const struct alias_entry *e = n->aliases->names; e; e = e->next) {
        if (!recipients_split(e->key, &local, &domain)) continue;
        if (domain.n && recipients_domain(&n->map, domain) == RECIPIENTS_NOT_SERVED)
            problem_add(n->arena, &n->problems, file, e->line, e->key,
                        "the domain of this alias is not served here", true);
        for (const struct alias_target *t = e->targets; t; t = t->next)
            if (leads_nowhere(n, t, domain))
                problem_add(n->arena, &n->problems, file, e->line, t->text,
                            "an alias names it, but nobody has that name", true);
    }
}

bool names_load(struct names *n, const struct config *c, struct span users, struct span aliases)
{
    *n = (struct names){.arena = arena_create(LIMIT_DIRECTORY_MEMORY_OCTETS), .home = home_of(c)};
    if (!n->arena) return false;
    n->users = users_parse(n->arena, c->users_file, users, names_canonical, &n->problems);
    if (n->users && load_aliases(n, c->aliases_file, aliases) && make_map(n, c, true, &n->map) &&
        make_map(n, c, false, &n->mailboxes)) {
        find_dead_ends(n, c->aliases_file);
        return true;
    }
    names_free(n);
    return false;
}

void names_free(struct names *n)
{
    arena_destroy(&n->arena);
}

enum expand_status names_expand(const struct names *n, struct span recipient, struct arena *a,
                                struct expansion *ret)
{
    uint8_t memory[EXPAND_PATH_OCTETS + 2];
    struct buf key = buf_on(memory, sizeof memory);
    const struct expansion_world world = {n->aliases, &n->mailboxes, n->users, n->home};
    *ret = (struct expansion){.count = 0};
    if (!names_canonical(recipient, &key)) return EXPAND_UNKNOWN;
    return expansion_of(&world, buf_span(&key), a, ret);
}
