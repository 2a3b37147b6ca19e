#include "directory/expansion.h"

#include "directory/mailbox_name.h"

#define STEPS (4 * LIMIT_ALIAS_EXPANSION) /* names and lists looked at for one recipient */

enum item_class { ITEM_ADDRESS, ITEM_FINAL, ITEM_LIST, ITEM_TARGET };

/* Something to be looked at, or (ITEM_TARGET) a result. Items are never looked at twice. */
struct item {
    enum item_class class;
    struct span key;     /* canonical address, or the path of a list */
    struct span domain;  /* ITEM_LIST: of bare names in it */
    struct span written; /* ITEM_TARGET: the path that is answered */
    uint8_t kind;        /* ITEM_TARGET: enum expand_kind */
    uint32_t depth;
    const struct item *parent;
    struct item *next; /* to be looked at after this one */
};

struct run {
    const struct expansion_world *w;
    struct arena *arena;
    struct item *first, *last; /* the work, in order */
    struct item **table;       /* all items by hash */
    uint32_t slots, n;
    struct item *targets, *last_target;
    uint32_t n_targets;
    bool loop;
    enum expand_status status;
};

static uint32_t slot_of(const struct run *r, const struct item *it)
{
    uint64_t h = 0xcbf29ce484222325u ^ it->class;
    for (size_t i = 0; i < it->key.n; i++)
        h = (h ^ it->key.p[i]) * 0x100000001b3u;
    for (size_t i = 0; i < it->domain.n; i++)
        h = (h ^ it->domain.p[i]) * 0x100000001b3u;
    uint32_t at = (uint32_t)(h ^ h >> 32) & (r->slots - 1);
    for (; r->table[at]; at = (at + 1) & (r->slots - 1)) {
        const struct item *o = r->table[at];
        if (o->class == it->class && span_eq(o->key, it->key) && span_eq(o->domain, it->domain)) break;
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

static const struct alias_entry *entry_of(const struct run *r, struct span local, struct span domain)
{
    const struct alias_entry *e = aliases_find(r->w->aliases, local, domain);
    return e ? e : aliases_find(r->w->aliases, recipients_base(local), domain);
}

/* The mailbox of a name in a served domain: empty when there is none. */
static struct span mailbox_of(struct run *r, struct span local, struct span domain)
{
    struct span key = join(r, local, domain), base = recipients_base(local);
    if (recipients_listed(r->w->mailboxes, key)) return key;
    if (base.n != local.n) key = join(r, base, domain);
    if (recipients_listed(r->w->mailboxes, key)) return key;
    bool any = recipients_domain(r->w->mailboxes, domain) == RECIPIENTS_KNOWN;
    return any && mailbox_name_local(base) ? key : SPAN("");
}

/* Nobody is called postmaster or abuse, and yet mail for them must be read. */
static struct span role_mailbox(struct run *r, struct span domain)
{
    struct span first = users_first(r->w->users, domain);
    return first.n ? first : join(r, SPAN("postmaster"), domain);
}

/* The address whose alias is being expanded: lists in between do not count. */
static const struct item *expanding(const struct item *it)
{
    while (it && it->class == ITEM_LIST)
        it = it->parent;
    return it;
}

static void push(struct run *r, const struct item *parent, struct item it)
{
    const struct item *from = expanding(parent);
    it.parent = parent;
    it.depth = parent ? parent->depth + 1 : 0;
    if (from && it.class == ITEM_ADDRESS && span_eq(from->key, it.key)) it.class = ITEM_FINAL;
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

/* A bare name in an alias that was reached by an address of `domain`. mailbox: an alias of that name does not count. */
static struct span bare_name(struct run *r, struct span local, struct span domain, bool mailbox)
{
    bool here = (!mailbox && entry_of(r, local, domain)) || mailbox_of(r, local, domain).n ||
                recipients_role_name(recipients_base(local));
    return join(r, local, here ? domain : r->w->home);
}

static void push_targets(struct run *r, const struct item *it, const struct alias_entry *e,
                         struct span domain)
{
    struct span self, rest;
    if (e->broken) r->status = EXPAND_LATER;
    if (!recipients_split(expanding(it)->key, &self, &rest)) self = SPAN("");
    for (const struct alias_target *t = e->targets; t && r->status == EXPAND_OK; t = t->next) {
        struct item child = {
            .class = t->final ? ITEM_FINAL : ITEM_ADDRESS, .key = t->text, .written = t->written};
        if (t->kind == ALIAS_INCLUDE) {
            child.class = ITEM_LIST;
            child.domain = domain;
        } else if (t->kind == ALIAS_LOCAL) {
            child.key = bare_name(r, t->text, domain, t->final || span_eq(t->text, self));
        }
        push(r, it, child);
    }
}

static void look_at_address(struct run *r, const struct item *it)
{
    struct span local, domain, found;
    if (!recipients_split(it->key, &local, &domain)) return;
    if (recipients_domain(r->w->mailboxes, domain) == RECIPIENTS_NOT_SERVED) {
        add_target(r, EXPAND_REMOTE, it->key, it->written.n ? it->written : it->key);
        return;
    }
    const struct alias_entry *e = it->class == ITEM_FINAL ? NULL : entry_of(r, local, domain);
    if (e) {
        push_targets(r, it, e, domain);
        return;
    }
    found = mailbox_of(r, local, domain);
    if (found.n == 0 && span_eq(recipients_base(local), SPAN("abuse"))) {
        push(r, it, (struct item){.class = ITEM_ADDRESS, .key = join(r, SPAN("postmaster"), domain)});
        return;
    }
    if (found.n == 0 && recipients_role_name(recipients_base(local))) found = role_mailbox(r, domain);
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
    const struct alias_entry *e = entry_of(r, local, domain);
    if (!e || !recipients_split(e->key, &name, &local)) return SPAN("");
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, SPAN("owner-"));
    buf_put(&b, name);
    if (b.over || b.n > LIMIT_LOCAL_PART_OCTETS || name.p[0] == '"') return SPAN("");
    if (!aliases_find(r->w->aliases, buf_span(&b), domain) && mailbox_of(r, buf_span(&b), domain).n == 0)
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

enum expand_status expansion_of(const struct expansion_world *w, struct span key, struct arena *a,
                                struct expansion *ret)
{
    struct run r = {.w = w, .arena = a, .status = EXPAND_OK};
    *ret = (struct expansion){.count = 0};
    if (span_eq(key, SPAN("postmaster"))) key = join(&r, key, w->home);
    struct span local, domain;
    if (r.status == EXPAND_OK && !recipients_split(key, &local, &domain)) return EXPAND_UNKNOWN;
    push(&r, NULL, (struct item){.class = ITEM_ADDRESS, .key = key});
    for (const struct item *it = r.first; it && r.status == EXPAND_OK; it = it->next) {
        if (it->class != ITEM_LIST) {
            look_at_address(&r, it);
            continue;
        }
        const struct alias_entry *list = aliases_list(w->aliases, it->key);
        if (list)
            push_targets(&r, it, list, it->domain);
        else
            r.status = EXPAND_LATER;
    }
    if (r.status == EXPAND_OK && r.n_targets == 0) r.status = r.loop ? EXPAND_LOOP : EXPAND_UNKNOWN;
    if (r.status != EXPAND_OK) return r.status;
    ret->owner = owner_of(&r, key);
    return r.status == EXPAND_OK && collect(&r, ret) ? EXPAND_OK : EXPAND_LATER;
}
