/* Aliases and their expansion: any file, any recipient: bounded, no command or file gets through, targets are addresses. */
#include "directory/expansion.h"

#include "smtp/path.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static bool canonical(struct span address, struct buf *key)
{
    uint8_t memory[EXPAND_PATH_OCTETS + 3];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest;
    buf_byte(&b, '<');
    buf_put(&b, address);
    buf_byte(&b, '>');
    if (b.over || path_parse(buf_span(&b), PATH_ALLOW_UTF8, &path, &rest) != PATH_OK || rest.n) return false;
    path_key(&path, key);
    return !key->over;
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

static void expand(const struct aliases *aliases, const struct recipients *map, struct span key,
                   struct arena *a)
{
    static struct span keys[] = {{(const uint8_t *)"x@a.b", 5}};
    const struct users users = {keys, 1};
    const struct expansion_world world = {aliases, map, &users, SPAN("a.b")};
    struct expansion e;
    enum expand_status status = expansion_of(&world, key, a, &e);
    must(status < EXPAND_STATUS_COUNT && (status == EXPAND_OK || e.count == 0));
    must(e.count <= LIMIT_ALIAS_EXPANSION);
    for (uint32_t i = 0; i < e.count; i++)
        must(is_address(e.targets[i].path) && e.targets[i].kind < EXPAND_KIND_COUNT);
    if (e.owner.n) must(is_address(e.owner));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(1 << 24);
    struct problems problems = {.count = 0};
    struct recipients map;
    size_t half = span_find(span_of(data, size), 0);
    struct span text = span_head(span_of(data, size), half),
                list = half == SPAN_NPOS ? SPAN("") : span_skip(span_of(data, size), half + 1);
    struct aliases_source s[2] = {{SPAN("f"), text, false}, {SPAN("/l"), list, false}};
    must(a != NULL && make_map(a, &map));
    struct aliases *all = aliases_parse(a, s, 2, canonical, &problems);
    for (const struct alias_entry *e = all ? all->names : NULL; e; e = e->next) {
        uint8_t memory[EXPAND_PATH_OCTETS + 8];
        struct buf key = buf_on(memory, sizeof memory);
        struct span local, domain;
        for (const struct alias_target *t = e->targets; t; t = t->next)
            must(t->kind == ALIAS_INCLUDE ? t->text.p[0] == '/' : t->text.n > 0);
        must(recipients_split(e->key, &local, &domain));
        if (domain.n == 0 && local.p[0] != '"') must(aliases_find(all, local, SPAN("*")) == e);
        buf_put(&key, e->key);
        if (domain.n == 0) buf_str(&key, "a.b");
        if (!key.over) expand(all, &map, buf_span(&key), a);
    }
    uint8_t memory[EXPAND_PATH_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);
    if (all && canonical(span_head(text, 40), &key)) expand(all, &map, buf_span(&key), a);
    arena_destroy(&a);
    return 0;
}
