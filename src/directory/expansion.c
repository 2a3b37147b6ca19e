#include "directory/expansion.h"

#define STEPS (4 * LIMIT_ALIAS_EXPANSION)   /* names and lists kept in mind for one recipient */
#define LOOKS (100 * LIMIT_ALIAS_EXPANSION) /* targets looked at, also those that are known already */

enum item_class { ITEM_ADDRESS, ITEM_FINAL, ITEM_LIST, ITEM_TARGET };

/* Something to be looked at, or (ITEM_TARGET) a result. Items are never looked at twice. */
struct item {
    enum item_class class;
    struct span
        key; /* canonical address (of an alias: the name by which it was found), or the path of a list */
    struct span by; /* ITEM_LIST: the address whose alias includes it: what names itself depends on that */
    struct span written; /* ITEM_TARGET: the path that is answered */
    uint8_t kind;        /* ITEM_TARGET: enum expand_kind */
    uint32_t depth;
    const struct item *parent;
    struct item *next; /* to be looked at after this one */
};

struct run {
    const struct world *w;
    struct arena *arena;
    struct item *first, *last; /* the work, in order */
    struct item **table;       /* all items by hash */
    uint32_t slots, n;
    struct item *targets, *last_target;
    uint32_t n_targets, n_looks;
    bool loop, somebody; /* a target is not EXPAND_NOBODY */
    struct span role;    /* domain of the first postmaster or abuse that was looked at */
    enum expand_status status;
};

static uint32_t slot_of(const struct run *r, const struct item *it)
{
    uint64_t h = 0xcbf29ce484222325u ^ it->class;
    for (size_t i = 0; i < it->key.n; i++)
        h = (h ^ it->key.p[i]) * 0x100000001b3u;
    for (size_t i = 0; i < it->by.n; i++)
        h = (h ^ it->by.p[i]) * 0x100000001b3u;
    uint32_t at = (uint32_t)(h ^ h >> 32) & (r->slots - 1);
    for (; r->table[at]; at = (at + 1) & (r->slots - 1)) {
        const struct item *o = r->table[at];
        if (o->class == it->class && span_eq(o->key, it->key) && span_eq(o->by, it->by)) break;
    }
    return at;
}

static bool make_room(struct run *r)
{
    struct item **old = r->table;
    uint32_t old_slots = r->slots;
    if (old && 2 * (r->n + 1) <= r->slots) return true;
    r->slots = old ? 2 * old_slots : 64;
    r->table = arena_take_array(r->arena, r->slots, sizeof *r->table);
    if (!r->table) return false;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i]) r->table[slot_of(r, old[i])] = old[i];
    return true;
}

/* A copy of the item, unless it is known already: then null, as when there is no room (r->status says so). */
static struct item *remember(struct run *r, const struct item *it)
{
    if (r->status != EXPAND_OK) return NULL;
    if (r->n >= STEPS) {
        r->status = EXPAND_TOO_MANY;
        return NULL;
    }
    if (!make_room(r)) {
        r->status = EXPAND_LATER;
        return NULL;
    }
    uint32_t slot = slot_of(r, it);
    if (r->table[slot]) return NULL;
    struct item *copy = arena_take(r->arena, sizeof *copy);
    struct span key = arena_copy(r->arena, it->key);
    if (!copy || !key.p) {
        r->status = EXPAND_LATER;
        return NULL;
    }
    *copy = *it;
    copy->key = key;
    r->table[slot] = copy;
    r->n++;
    return copy;
}

static void add_target(struct run *r, enum expand_kind kind, struct span key, struct span written)
{
    struct item *it = remember(r, &(struct item){.class = ITEM_TARGET, .key = key, .kind = (uint8_t)kind});
    if (!it) return;
    if (r->n_targets >= LIMIT_ALIAS_EXPANSION) {
        r->status = EXPAND_TOO_MANY;
        return;
    }
    /* a remote local part keeps its case: only its own host may fold it (RFC 5321 2.4) */
    it->written = span_eq(key, written) ? it->key : written;
    if (r->last_target)
        r->last_target->next = it;
    else
        r->targets = it;
    r->last_target = it;
    r->n_targets++;
    r->somebody |= kind != EXPAND_NOBODY;
}

static struct span join(struct run *r, struct span local, struct span domain)
{
    uint8_t memory[EXPAND_PATH_OCTETS + 32];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, local);
    buf_byte(&b, '@');
    buf_put(&b, domain);
    struct span s = b.over ? SPAN("") : arena_copy(r->arena, buf_span(&b));
    if (s.n == 0) r->status = EXPAND_LATER;
    return s;
}

/* Nobody is called postmaster or abuse, and yet mail for them must be read. */
static struct span role_mailbox(struct run *r, struct span domain)
{
    struct span first = users_first(r->w->users, domain);
    return first.n ? first : join(r, SPAN("postmaster"), domain);
}

static void push(struct run *r, const struct item *parent, struct item it)
{
    it.parent = parent;
    it.depth = parent ? parent->depth + 1 : 0;
    for (const struct item *p = parent; p; p = p->parent)
        if (p->class == it.class && span_eq(p->key, it.key)) r->loop = true;
    if (it.depth > LIMIT_ALIAS_DEPTH) {
        r->loop = true;
        return;
    }
    struct item *copy = remember(r, &it);
    if (!copy) return;
    if (r->last)
        r->last->next = copy;
    else
        r->first = copy;
    r->last = copy;
}

static bool served(const struct run *r, struct span domain)
{
    return recipients_domain(r->w->mailboxes, domain) != RECIPIENTS_NOT_SERVED;
}

static void push_address(struct run *r, const struct item *parent, struct world_address to,
                         struct span written)
{
    const struct alias_entry *e =
        to.final || !served(r, to.domain) ? NULL : world_alias_of(r->w, to.local, to.domain);
    struct span rest;
    if (e) (void)recipients_split(e->key, &to.local, &rest);
    push(r, parent,
         (struct item){.class = to.final ? ITEM_FINAL : ITEM_ADDRESS,
                       .key = join(r, to.local, to.domain),
                       .written = written});
}

/* Of an alias, or of a list that it includes. */
static void push_targets(struct run *r, const struct item *it, const struct alias_entry *e, struct span alias)
{
    struct span local, domain;
    if (!recipients_split(alias, &local, &domain)) return;
    const struct world_alias by = {world_alias_of(r->w, local, domain), domain};
    if (e->broken) r->status = EXPAND_LATER;
    for (const struct alias_target *t = e->targets; t && r->status == EXPAND_OK; t = t->next) {
        if (++r->n_looks > LOOKS)
            r->status = EXPAND_TOO_MANY;
        else if (t->kind == ALIAS_INCLUDE)
            push(r, it, (struct item){.class = ITEM_LIST, .key = t->text, .by = alias});
        else
            push_address(r, it, world_target(r->w, t, by), t->written);
    }
}

static void look_at_address(struct run *r, const struct item *it)
{
    struct span local, domain;
    if (!recipients_split(it->key, &local, &domain)) return;
    if (!served(r, domain)) {
        add_target(r, EXPAND_REMOTE, it->key, it->written.n ? it->written : it->key);
        return;
    }
    bool role = world_role(local);
    if (role && !r->role.n) r->role = domain;
    const struct alias_entry *e = it->class == ITEM_FINAL ? NULL : world_alias_of(r->w, local, domain);
    if (e) {
        push_targets(r, it, e, it->key);
        return;
    }
    struct span found = world_mailbox_of(r->w, local, domain);
    if (found.n) found = join(r, found, domain);
    if (found.n == 0 && span_eq(recipients_base(local), SPAN("abuse"))) {
        push_address(r, it, (struct world_address){SPAN("postmaster"), domain, false}, SPAN(""));
        return;
    }
    if (found.n == 0 && role) found = role_mailbox(r, domain);
    if (found.n == 0 && it->depth == 0)
        r->status = EXPAND_UNKNOWN;
    else
        add_target(r, found.n ? EXPAND_MAILBOX : EXPAND_NOBODY, found.n ? found : it->key,
                   found.n ? found : it->key);
}

/* "owner-NAME" of the alias by which the recipient was found. */
static struct span owner_of(struct run *r, struct span key)
{
    uint8_t memory[EXPAND_PATH_OCTETS + 8];
    struct span local, domain, name;
    if (!recipients_split(key, &local, &domain)) return SPAN("");
    const struct alias_entry *e = world_alias_of(r->w, local, domain);
    if (!e || !recipients_split(e->key, &name, &local)) return SPAN("");
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, SPAN("owner-"));
    buf_put(&b, name);
    if (b.over || b.n > LIMIT_LOCAL_PART_OCTETS || name.p[0] == '"') return SPAN("");
    if (!aliases_find(r->w->aliases, buf_span(&b), domain) &&
        world_mailbox_of(r->w, buf_span(&b), domain).n == 0)
        return SPAN("");
    return join(r, buf_span(&b), domain);
}

static bool collect(struct run *r, struct expansion *ret)
{
    ret->targets = arena_take_array(r->arena, r->n_targets + 1, sizeof *ret->targets);
    if (!ret->targets) return false;
    for (const struct item *it = r->targets; it; it = it->next)
        ret->targets[ret->count++] = (struct expand_target){it->kind, it->written};
    return true;
}

/* All leads to nobody, and a name that must be read is among it: then that counts, as if it had no alias. */
static void fall_back(struct run *r)
{
    if (r->status != EXPAND_OK || r->somebody || !r->role.n) return;
    struct span mailbox = role_mailbox(r, r->role);
    r->targets = r->last_target = NULL;
    r->n_targets = 0;
    add_target(r, EXPAND_MAILBOX, mailbox, mailbox);
}

static void work_off(struct run *r)
{
    for (const struct item *it = r->first; it && r->status == EXPAND_OK; it = it->next) {
        if (it->class != ITEM_LIST) {
            look_at_address(r, it);
            continue;
        }
        const struct alias_entry *list = aliases_list(r->w->aliases, it->key);
        if (list)
            push_targets(r, it, list, it->by);
        else
            r->status = EXPAND_LATER;
    }
    fall_back(r);
    if (r->status == EXPAND_OK && r->n_targets == 0) r->status = r->loop ? EXPAND_LOOP : EXPAND_UNKNOWN;
}

enum expand_status expansion_of(const struct world *w, struct span key, struct arena *a,
                                struct expansion *ret)
{
    struct run r = {.w = w, .arena = a, .status = EXPAND_OK};
    struct world_address to = {.final = false};
    *ret = (struct expansion){.count = 0};
    if (span_eq(key, SPAN("postmaster"))) key = join(&r, key, w->home);
    if (r.status == EXPAND_OK && !recipients_split(key, &to.local, &to.domain)) return EXPAND_UNKNOWN;
    push_address(&r, NULL, to, SPAN(""));
    work_off(&r);
    if (r.status != EXPAND_OK) return r.status;
    ret->owner = owner_of(&r, key);
    return r.status == EXPAND_OK && collect(&r, ret) ? EXPAND_OK : EXPAND_LATER;
}
