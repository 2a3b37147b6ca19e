#include "cmd/people.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "service/config_load.h"
#include "smtp/path.h"

enum { KEY_OCTETS = LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS };

static bool canonical(struct span address, struct buf *key)
{
    uint8_t memory[KEY_OCTETS + 3];
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

static const char *read_file(struct arena *arena, struct span path, struct span *text, bool *absent)
{
    const char *why = config_load_file(arena, (const char *)path.p, LIMIT_DIRECTORY_FILE_OCTETS, text);

    *absent = why && strcmp(why, strerrordesc_np(ENOENT)) == 0;
    if (why) *text = SPAN("");
    return why;
}

/* The parser names one missing list at a time. */
static bool load_aliases(struct people *p, const struct config *c)
{
    struct aliases_source *sources = arena_take_array(p->arena, LIMIT_ALIAS_INCLUDES + 1, sizeof *sources);
    size_t n = 1;
    bool absent;

    if (!sources) return false;
    sources[0].name = c->aliases_file;
    p->aliases_unreadable = read_file(p->arena, c->aliases_file, &sources[0].text, &p->aliases_absent);
    for (;;) {
        p->problems = p->users_problems;
        p->aliases = aliases_parse(p->arena, sources, n, canonical, &p->problems);
        if (!p->aliases) return false;
        if (!p->aliases->missing.n || n > LIMIT_ALIAS_INCLUDES) return true;
        struct aliases_source *s = &sources[n++];
        s->name = arena_copy(p->arena, p->aliases->missing);
        if (!s->name.p) return false;
        s->unreadable = read_file(p->arena, s->name, &s->text, &absent) != NULL;
    }
}

static void add_alias(struct recipients_builder *b, const struct config_server *s, struct span key)
{
    uint8_t memory[KEY_OCTETS];

    if (key.p[key.n - 1] != '@') {
        recipients_add_mailbox(b, key);
        return;
    }
    for (uint32_t i = 0; i < s->n_domains; i++) { /* a name without a domain is for every served one */
        struct buf whole = buf_on(memory, sizeof memory);
        buf_put(&whole, key);
        buf_put(&whole, s->domains[i].name);
        if (!whole.over) recipients_add_mailbox(b, buf_span(&whole));
    }
}

static void add_all(const struct people *p, const struct config *c, bool aliases,
                    struct recipients_builder *b)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_domains; k++)
            recipients_add_domain(b, c->servers[i].domains[k].name, c->servers[i].domains[k].any);
    for (uint32_t i = 0; i < p->users->count; i++)
        recipients_add_mailbox(b, p->users->keys[i]);
    for (const struct alias_entry *e = aliases ? p->aliases->names : NULL; e; e = e->next)
        for (uint32_t i = 0; i < c->n_servers; i++)
            add_alias(b, &c->servers[i], e->key);
}

static bool make_map(struct people *p, const struct config *c, bool aliases, struct recipients *map)
{
    struct recipients_builder b;

    recipients_begin(&b, NULL, 0);
    add_all(p, c, aliases, &b);
    size_t octets = recipients_needed(&b);
    void *memory = arena_take(p->arena, octets);
    if (!memory) return false;
    recipients_begin(&b, memory, octets);
    add_all(p, c, aliases, &b);
    return recipients_finish(&b) && recipients_open(map, memory, octets);
}

bool people_load(struct people *p, const struct config *c)
{
    struct span text;

    *p = (struct people){.arena = arena_create(LIMIT_DIRECTORY_MEMORY_OCTETS)};
    if (!p->arena) return false;
    p->users_unreadable = read_file(p->arena, c->users_file, &text, &p->users_absent);
    p->users = users_parse(p->arena, c->users_file, text, &p->users_problems);
    if (p->users && load_aliases(p, c) && make_map(p, c, true, &p->map) &&
        make_map(p, c, false, &p->mailboxes))
        return true;
    people_free(p);
    return false;
}

void people_free(struct people *p)
{
    arena_destroy(&p->arena);
}
