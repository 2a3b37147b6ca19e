/* Aliases and their expansion: any file, any recipient: bounded, no command or file gets through, targets are addresses; and each
 * alias is called alive where its expansion reaches somebody (I8). */
#include "directory/alive.h"
#include "directory/expansion.h"

#include "smtp/path.h"

#include <stdlib.h>

enum { ARENA_OCTETS = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static bool canonical(struct span address, struct buf *key)
{
    return path_canonical(address, PATH_ALLOW_UTF8, key);
}

static bool is_address(struct span s)
{
    uint8_t memory[EXPAND_PATH_OCTETS + 2];
    struct buf b = buf_on(memory, sizeof memory);
    return canonical(s, &b);
}

static bool make_map(struct arena *a, struct recipients *map)
{
    struct recipients_builder b;
    void *memory = NULL;
    size_t octets = 0;
    for (int pass = 0; pass < 2; pass++) {
        recipients_begin(&b, memory, octets);
        recipients_add_domain(&b, SPAN("a.b"), false);
        recipients_add_domain(&b, SPAN("c"), true);
        recipients_add_mailbox(&b, SPAN("x@a.b"));
        octets = recipients_needed(&b);
        if (!memory) memory = arena_take(a, octets);
    }
    return recipients_finish(&b) && recipients_open(map, memory, octets);
}

/* True: somebody is reached, or it cannot be told. */
static bool expand(const struct world *world, struct span key, struct arena *a)
{
    struct expansion e;
    enum expand_status status = expansion_of(world, key, a, &e);
    bool somebody = status == EXPAND_LATER || status == EXPAND_TOO_MANY;
    must(status < EXPAND_STATUS_COUNT && (status == EXPAND_OK || e.count == 0));
    must(e.count <= LIMIT_ALIAS_EXPANSION);
    for (uint32_t i = 0; i < e.count; i++) {
        must(is_address(e.targets[i].path) && e.targets[i].kind < EXPAND_KIND_COUNT);
        somebody |= e.targets[i].kind != EXPAND_NOBODY;
    }
    if (e.owner.n) must(is_address(e.owner));
    return somebody;
}

static void check_alias(struct alive *alive, const struct alias_entry *e, struct arena *a)
{
    struct span local, domain;
    uint32_t begin, end;
    for (const struct alias_target *t = e->targets; t; t = t->next)
        must(t->kind == ALIAS_INCLUDE ? t->text.p[0] == '/' : t->text.n > 0);
    must(recipients_split(e->key, &local, &domain));
    if (domain.n == 0 && local.p[0] != '"') must(aliases_find(alive->world->aliases, local, SPAN("*")) == e);
    alive_range(alive, e, &begin, &end);
    for (uint32_t d = begin; d < end; d++) {
        uint8_t memory[EXPAND_PATH_OCTETS + 8], path[200];
        struct buf key = buf_on(memory, sizeof memory), out = buf_on(path, sizeof path);
        buf_put(&key, local);
        buf_byte(&key, '@');
        buf_put(&key, alive->domains[d]);
        if (key.over || aliases_find(alive->world->aliases, local, alive->domains[d]) != e) continue;
        bool somebody = expand(alive->world, buf_span(&key), a);
        if (arena_used(a) < ARENA_OCTETS / 2) must(alive->incomplete || somebody == alive_in(alive, e, d));
        if (!alive_in(alive, e, d)) alive_path(alive, e, d, &out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(ARENA_OCTETS);
    struct problems problems = {.count = 0};
    struct recipients map;
    size_t half = span_find(span_of(data, size), 0);
    struct span text = span_head(span_of(data, size), half),
                list = half == SPAN_NPOS ? SPAN("") : span_skip(span_of(data, size), half + 1);
    struct aliases_source s[2] = {{SPAN("f"), text, NULL}, {SPAN("/l"), list, NULL}};
    must(a != NULL && make_map(a, &map));
    static struct span keys[] = {{(const uint8_t *)"x@a.b", 5}};
    static const struct span domains[] = {{(const uint8_t *)"a.b", 3}, {(const uint8_t *)"c", 1}};
    const struct users users = {keys, 1, 1};
    struct aliases *all = aliases_parse(a, s, 2, canonical, &problems);
    const struct world world = {all, &map, &users, SPAN("a.b")};
    struct alive alive;
    bool found = all && alive_find(a, &world, domains, 2, &alive);
    for (const struct alias_entry *e = found ? all->names : NULL; e; e = e->next)
        check_alias(&alive, e, a);
    uint8_t memory[EXPAND_PATH_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);
    if (all && canonical(span_head(text, 40), &key)) expand(&world, buf_span(&key), a);
    arena_destroy(&a);
    return 0;
}
