#include "directory/alive.h"

#include "base/limits.h"

struct place { /* an alias in a domain */
    const struct alias_entry *entry;
    uint32_t domain;
};

/* The targets of an alias and of the lists that it includes, each list once, the nearest first. */
struct walk {
    const struct alias_entry *holder[LIMIT_ALIAS_INCLUDES + 1]; /* the alias, then lists */
    uint8_t depth[LIMIT_ALIAS_INCLUDES + 1];
    bool seen[LIMIT_ALIAS_INCLUDES];
    uint32_t at, n;
    const struct alias_target *next;
};

static void walk_begin(struct walk *k, const struct alias_entry *e)
{
    memset(k->seen, 0, sizeof k->seen);
    k->holder[0] = e;
    k->depth[0] = 0;
    k->at = 0;
    k->n = 1;
    k->next = e->targets;
}

static void walk_include(struct walk *k, const struct alias_entry *list)
{
    if (!list || k->seen[list->number] || k->depth[k->at] >= LIMIT_ALIAS_DEPTH) return;
    k->seen[list->number] = true;
    k->holder[k->n] = list;
    k->depth[k->n++] = (uint8_t)(k->depth[k->at] + 1);
}

/* The next target that is an address. Null at the end of the holder at k->at; walk_on goes to the next holder. */
static const struct alias_target *walk_next(struct walk *k, const struct aliases *aliases)
{
    for (const struct alias_target *t; (t = k->next) != NULL;) {
        k->next = t->next;
        if (t->kind != ALIAS_INCLUDE) return t;
        walk_include(k, aliases_list(aliases, t->text));
    }
    return NULL;
}

static bool walk_on(struct walk *k)
{
    if (++k->at >= k->n) return false;
    k->next = k->holder[k->at]->targets;
    return true;
}

/* Its place among the domains; n_domains: it is not served. */
static uint32_t domain_index(const struct alive *v, struct span domain)
{
    uint32_t from = 0, to = v->n_domains;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int c = span_compare(v->domains[middle], domain);
        if (c == 0) return middle;
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return v->n_domains;
}

static uint8_t *mark_of(const struct alive *v, struct place p)
{
    struct span local, domain;
    bool bound = recipients_split(p.entry->key, &local, &domain) && domain.n;
    return &v->marks[v->first[p.entry->number] + (bound ? 0 : p.domain)];
}

enum lead { LEADS_TO_SOMEBODY, LEADS_TO_NOBODY, LEADS_TO_ALIAS };

static enum lead look(const struct alive *v, const struct alias_target *t, struct place by,
                      struct place *alias)
{
    struct world_address to =
        world_target(v->world, t, (struct world_alias){by.entry, v->domains[by.domain]});
    alias->domain = span_eq(to.domain, v->domains[by.domain]) ? by.domain : domain_index(v, to.domain);
    if (alias->domain == v->n_domains || world_role(to.local)) return LEADS_TO_SOMEBODY;
    alias->entry = to.final ? NULL : world_alias_of(v->world, to.local, to.domain);
    if (alias->entry) return LEADS_TO_ALIAS;
    return world_mailbox_of(v->world, to.local, to.domain).n ? LEADS_TO_SOMEBODY : LEADS_TO_NOBODY;
}

/* In that many steps and not in fewer, which was asked before. */
static bool reaches(struct alive *v, struct place p, unsigned steps)
{
    struct walk k;
    struct place alias;
    const struct alias_target *t;
    walk_begin(&k, p.entry);
    do {
        unsigned depth = k.depth[k.at];
        if (depth <= steps && k.holder[k.at]->broken) return true;
        if (depth + 1 > steps) return false; /* holders come by depth */
        while ((t = walk_next(&k, v->world->aliases)) != NULL) {
            if (++v->looks > LIMIT_ALIAS_LOOKS) return false;
            enum lead lead = look(v, t, p, &alias);
            if (lead == LEADS_TO_SOMEBODY) return true;
            if (lead == LEADS_TO_ALIAS && depth + 1 + *mark_of(v, alias) <= steps) return true;
        }
    } while (walk_on(&k));
    return false;
}

void alive_range(const struct alive *v, const struct alias_entry *e, uint32_t *begin, uint32_t *end)
{
    struct span local, domain;
    *begin = 0;
    *end = v->n_domains;
    if (!recipients_split(e->key, &local, &domain) || domain.n == 0) return;
    *begin = domain_index(v, domain);
    *end = *begin + (*begin < v->n_domains);
}

/* Marks that are needed; false: more than may be looked at. */
static bool count(struct alive *v, uint32_t *n)
{
    uint64_t all = 0;
    for (const struct alias_entry *e = v->world->aliases->names; e; e = e->next) {
        uint32_t begin, end;
        alive_range(v, e, &begin, &end);
        v->first[e->number] = (uint32_t)all;
        all += end - begin;
        if (all > LIMIT_ALIAS_LOOKS) return false;
    }
    *n = (uint32_t)all;
    return true;
}

/* Marks what reaches somebody in exactly so many steps. True: there was such. */
static bool mark_all(struct alive *v, uint8_t steps)
{
    bool some = false;
    for (const struct alias_entry *e = v->world->aliases->names; e; e = e->next) {
        struct span local, domain;
        uint32_t begin, end;
        bool role = recipients_split(e->key, &local, &domain) && world_role(local);
        alive_range(v, e, &begin, &end);
        for (uint32_t d = begin; d < end && !v->incomplete; d++) {
            uint8_t *mark = mark_of(v, (struct place){e, d});
            if (*mark == ALIVE_NEVER && (role || reaches(v, (struct place){e, d}, steps))) {
                *mark = steps;
                some = true;
            }
            v->incomplete = v->looks > LIMIT_ALIAS_LOOKS;
        }
    }
    return some;
}

bool alive_find(struct arena *a, const struct world *w, const struct span *domains, uint32_t n_domains,
                struct alive *ret)
{
    uint32_t n;
    *ret = (struct alive){.world = w, .domains = domains, .n_domains = n_domains};
    ret->first = arena_take_array(a, (size_t)w->aliases->n_names + 1, sizeof *ret->first);
    if (!ret->first) return false;
    ret->incomplete = !count(ret, &n);
    if (ret->incomplete) return true;
    ret->marks = arena_take_array(a, (size_t)n + 1, sizeof *ret->marks);
    if (!ret->marks) return false;
    memset(ret->marks, ALIVE_NEVER, n);
    for (uint8_t steps = 0; steps <= LIMIT_ALIAS_DEPTH && !ret->incomplete; steps++) {
        bool some = mark_all(ret, steps);
        /* nothing at one step more leads on from there; lists, which are steps too, may lead further back */
        if (!some && steps && !w->aliases->n_lists) break;
    }
    return true;
}

bool alive_in(const struct alive *v, const struct alias_entry *e, uint32_t domain)
{
    return v->incomplete || *mark_of(v, (struct place){e, domain}) != ALIVE_NEVER;
}

/* --- paths --- */

static void put_name(struct buf *out, const struct alias_entry *e, struct span domain, bool with_domain)
{
    struct span local, rest;
    if (!recipients_split(e->key, &local, &rest)) return;
    buf_put(out, local);
    if (!with_domain) return;
    buf_byte(out, '@');
    buf_put(out, domain);
}

/* Where a dead alias leads: back to a place of the path, else to another alias, else (false) to a name that nobody has. */
static bool step(struct alive *v, const struct place *path, uint32_t n, struct place *ret,
                 const struct alias_target **nobody)
{
    struct walk k;
    bool found = false;
    *nobody = NULL;
    walk_begin(&k, path[n - 1].entry);
    do {
        const struct alias_target *t;
        while ((t = walk_next(&k, v->world->aliases)) != NULL) {
            struct place alias;
            if (++v->looks > LIMIT_ALIAS_LOOKS) return found;
            enum lead lead = look(v, t, path[n - 1], &alias);
            if (lead == LEADS_TO_NOBODY && !*nobody) *nobody = t;
            if (lead != LEADS_TO_ALIAS) continue;
            if (!found) *ret = alias;
            found = true;
            for (uint32_t i = 0; i < n; i++)
                if (path[i].entry == alias.entry && path[i].domain == alias.domain) {
                    *ret = alias;
                    return true;
                }
        }
    } while (walk_on(&k));
    return found;
}

void alive_path(struct alive *v, const struct alias_entry *e, uint32_t domain, struct buf *out)
{
    struct place path[LIMIT_ALIAS_DEPTH + 2] = {{e, domain}};
    const struct alias_target *nobody;
    put_name(out, e, v->domains[domain], false);
    for (uint32_t n = 1; n < LIMIT_ALIAS_DEPTH + 2; n++) {
        bool goes_on = step(v, path, n, &path[n], &nobody);
        buf_str(out, " -> ");
        if (!goes_on) {
            buf_put(out, nobody ? nobody->text : SPAN("...")); /* too deep, or too much to look at */
            return;
        }
        put_name(out, path[n].entry, v->domains[path[n].domain], path[n].domain != domain);
        for (uint32_t i = 0; i < n; i++)
            if (path[i].entry == path[n].entry && path[i].domain == path[n].domain) return;
    }
    buf_str(out, " -> ...");
}
