#include "service/names.h"

#include <stdlib.h>

#include "service/config_load.h"
#include "service/names_private.h"
#include "smtp/path.h"

bool names_canonical(struct span address, struct buf *key)
{
    return path_canonical(address, PATH_ALLOW_UTF8 | PATH_ALLOW_POSTMASTER, key);
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
        sources[count].unreadable = config_load_file(n->arena, (const char *)name.p,
                                                     LIMIT_DIRECTORY_FILE_OCTETS, &sources[count].text);
    }
}

static int by_name(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

/* All served domains, sorted, without doubles. */
static bool list_domains(struct names *n, const struct config *c, uint32_t *ret)
{
    size_t all = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        all += c->servers[i].n_domains;
    n->domains = arena_take_array(n->arena, all + 1, sizeof *n->domains);
    if (!n->domains || all > UINT32_MAX) return false;
    all = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_domains; k++)
            n->domains[all++] = c->servers[i].domains[k].name;
    qsort(n->domains, all, sizeof *n->domains, by_name);
    *ret = 0;
    for (size_t i = 0; i < all; i++)
        if (i == 0 || !span_eq(n->domains[i - 1], n->domains[i])) n->domains[(*ret)++] = n->domains[i];
    return true;
}

uint32_t names_dead_in(const struct names *n, const struct alias_entry *e, uint32_t *first)
{
    uint32_t begin, end, dead = 0;
    alive_range(&n->alive, e, &begin, &end);
    for (uint32_t d = begin; d < end; d++) {
        if (alive_in(&n->alive, e, d)) continue;
        if (dead++ == 0) *first = d;
    }
    return dead;
}

static void add_name(struct recipients_builder *b, struct span key, bool alive)
{
    if (alive)
        recipients_add_mailbox(b, key);
    else
        recipients_add_nobody(b, key);
}

/* An alias of every domain: what holds for most of them, then the domains where it is different, or where a mailbox of that name
 * would count first. An alias of that domain alone speaks for itself. */
static void add_everywhere(struct recipients_builder *b, const struct names *n, const struct alias_entry *e)
{
    uint32_t first, dead = names_dead_in(n, e, &first);
    bool rule = dead <= n->alive.n_domains / 2;
    add_name(b, e->key, rule);
    for (uint32_t d = 0; dead && d < n->alive.n_domains; d++) {
        uint8_t memory[EXPAND_PATH_OCTETS];
        struct buf key = buf_on(memory, sizeof memory);
        bool alive = alive_in(&n->alive, e, d);
        buf_put(&key, e->key);
        buf_put(&key, n->domains[d]);
        if (key.over || aliases_find(n->aliases, span_head(e->key, e->key.n - 1), n->domains[d]) != e)
            continue;
        if (alive != rule || (!alive && recipients_listed(&n->mailboxes, buf_span(&key))))
            add_name(b, buf_span(&key), alive);
    }
}

static void add_aliases(struct recipients_builder *b, const struct names *n)
{
    for (const struct alias_entry *e = n->aliases->names; e; e = e->next) {
        uint32_t begin, end;
        alive_range(&n->alive, e, &begin, &end);
        if (e->key.p[e->key.n - 1] == '@')
            add_everywhere(b, n, e);
        else if (begin < end)
            add_name(b, e->key, alive_in(&n->alive, e, begin));
    }
}

static void add_all(struct recipients_builder *b, const struct names *n, const struct config *c, bool aliases)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_domains; k++)
            recipients_add_domain(b, c->servers[i].domains[k].name, c->servers[i].domains[k].any);
    for (uint32_t i = 0; i < n->users->count; i++)
        recipients_add_mailbox(b, n->users->keys[i]);
    if (aliases) add_aliases(b, n);
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

/* After users and aliases are there. */
static bool look_around(struct names *n, const struct config *c)
{
    uint32_t n_domains;
    if (!make_map(n, c, false, &n->mailboxes) || !list_domains(n, c, &n_domains)) return false;
    n->world = (struct world){n->aliases, &n->mailboxes, n->users, n->home};
    return alive_find(n->arena, &n->world, n->domains, n_domains, &n->alive) && make_map(n, c, true, &n->map);
}

bool names_load(struct names *n, const struct config *c, const struct users *users, struct span aliases)
{
    *n = (struct names){
        .arena = arena_create(LIMIT_DIRECTORY_MEMORY_OCTETS), .users = users, .home = home_of(c)};
    if (!n->arena) return false;
    if (load_aliases(n, c->aliases_file, aliases) && look_around(n, c)) {
        names_find_odd(n, c->aliases_file);
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
    *ret = (struct expansion){.count = 0};
    if (!names_canonical(recipient, &key)) return EXPAND_UNKNOWN;
    return expansion_of(&n->world, buf_span(&key), a, ret);
}
