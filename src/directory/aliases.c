#include "directory/aliases.h"

#include "base/limits.h"
#include "directory/recipients.h"

#define KEY_OCTETS (LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS)

struct reader {
    struct arena *arena;
    struct aliases *aliases;
    struct problems *problems;
    aliases_canonical_fn *canonical;
    struct span file, text; /* text: of the line that is being read */
    uint32_t line;
    struct alias_entry *entry;  /* targets are added to; null: they belong to a name that was refused */
    struct alias_target **tail; /* of its targets */
    struct alias_entry **last_name, **last_list;
    bool no_memory;
};

static struct problem_place place_of(const struct reader *r, struct span word)
{
    return (struct problem_place){r->file, r->line, problem_column(r->text, word.p)};
}

static void complain(struct reader *r, struct span subject, const char *text)
{
    problem_add(r->arena, r->problems, place_of(r, subject), subject, text, false);
    if (r->entry) r->entry->broken = true;
}

static struct span trim(struct span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = span_skip(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Index of the first c that is not inside quotes, or SPAN_NPOS. */
static size_t find_unquoted(struct span s, uint8_t c)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == c)
            return i;
    }
    return SPAN_NPOS;
}

/* The whole token is one quoted string: its inside. */
static bool whole_quoted(struct span s, struct span *inside)
{
    if (s.n < 2 || s.p[0] != '"') return false;
    size_t i = 1;
    while (i < s.n && s.p[i] != '"')
        i += s.p[i] == '\\' ? 2 : 1;
    if (i != s.n - 1) return false;
    *inside = (struct span){s.p + 1, s.n - 2};
    return true;
}

/* Canonical key of a name as it stands in the file; a bare local part gets "local@". */
static bool canonical(struct reader *r, struct span written, struct span *key)
{
    uint8_t with_domain[KEY_OCTETS + 2], memory[KEY_OCTETS + 2];
    bool bare = find_unquoted(written, '@') == SPAN_NPOS;
    struct buf b = buf_on(with_domain, sizeof with_domain), out = buf_on(memory, sizeof memory);
    buf_put(&b, written);
    if (bare) buf_put(&b, SPAN("@x"));
    if (b.over || !r->canonical(buf_span(&b), &out) || out.over) return false;
    if (bare) out.n--;
    *key = arena_copy(r->arena, buf_span(&out));
    r->no_memory = r->no_memory || !key->p;
    return key->p != NULL;
}

static void add_target(struct reader *r, const struct alias_target *t)
{
    struct alias_target *copy = arena_take(r->arena, sizeof *copy);
    if (!copy) {
        r->no_memory = true;
        return;
    }
    *copy = *t;
    copy->next = NULL;
    *r->tail = copy;
    r->tail = &copy->next;
}

static struct alias_entry *new_entry(struct reader *r, struct span key, struct problem_place place,
                                     uint32_t *n, struct alias_entry ***last)
{
    struct alias_entry *e = arena_take(r->arena, sizeof *e);
    if (!e) {
        r->no_memory = true;
        return NULL;
    }
    *e = (struct alias_entry){.key = key, .place = place, .number = (*n)++};
    **last = e;
    *last = &e->next;
    return e;
}

static void add_include(struct reader *r, struct span written, struct span path)
{
    path = trim(path);
    if (path.n == 0 || path.p[0] != '/') {
        complain(r, written, "needs an absolute path: :include:/path");
        return;
    }
    if (!aliases_list(r->aliases, path)) {
        if (r->aliases->n_lists >= LIMIT_ALIAS_INCLUDES) {
            complain(r, written, "is one of too many lists: at most 256 can be included");
            return;
        }
        if (!new_entry(r, path, place_of(r, written), &r->aliases->n_lists, &r->last_list)) return;
    }
    struct problem_place place = place_of(r, written);
    add_target(r, &(struct alias_target){
                      .kind = ALIAS_INCLUDE, .text = path, .line = place.line, .column = place.column});
}

/* One target, trimmed, not empty. */
static void read_target(struct reader *r, struct span written)
{
    struct alias_target t = {.written = written};
    struct span s = written, inside, key;
    if (!r->entry) return;
    if (!whole_quoted(s, &inside)) inside = s;
    if (inside.n && inside.p[0] == '\\') inside = span_skip(inside, 1);
    if (inside.n && inside.p[0] == '|') {
        complain(r, written, "is a command: nothing is executed here; deliver to a mailbox instead");
        return;
    }
    if (inside.n && inside.p[0] == '/') {
        complain(r, written, "is a file: deliver to a mailbox instead");
        return;
    }
    if (span_starts_nocase(inside, SPAN(":include:"))) {
        add_include(r, written, span_skip(inside, sizeof ":include:" - 1));
        return;
    }
    if (s.p[0] == '\\') {
        t.final = true;
        s = span_skip(s, 1);
    }
    if (!canonical(r, s, &key)) {
        complain(r, written, "is no address: write a name, or local@domain; several are parted by commas");
        return;
    }
    bool bare = key.p[key.n - 1] == '@';
    t.kind = bare ? ALIAS_LOCAL : ALIAS_ADDRESS;
    t.text = span_head(key, key.n - bare);
    t.written = s;
    t.line = r->line;
    t.column = place_of(r, written).column;
    add_target(r, &t);
}

static void read_targets(struct reader *r, struct span s)
{
    while (s.n) {
        size_t comma = find_unquoted(s, ',');
        struct span one = trim(span_head(s, comma));
        if (one.n) read_target(r, one);
        s = comma == SPAN_NPOS ? span_skip(s, s.n) : span_skip(s, comma + 1);
    }
}

static uint32_t slot_of(const struct aliases *a, struct span head, struct span tail)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < head.n; i++)
        h = (h ^ head.p[i]) * 0x100000001b3u;
    for (size_t i = 0; i < tail.n; i++)
        h = (h ^ tail.p[i]) * 0x100000001b3u;
    uint32_t at = (uint32_t)(h ^ h >> 32) & (a->slots - 1);
    for (; a->table[at]; at = (at + 1) & (a->slots - 1)) {
        struct span key = a->table[at]->key;
        if (key.n == head.n + tail.n && span_eq(span_head(key, head.n), head) &&
            span_eq(span_skip(key, head.n), tail))
            break;
    }
    return at;
}

/* Keeps the table at most half full. False: no memory. */
static bool make_room(struct reader *r)
{
    struct aliases *a = r->aliases;
    if (a->table && 2 * (a->n_names + 1) <= a->slots) return true;
    a->slots = a->slots ? 2 * a->slots : 64;
    a->table = arena_take_array(r->arena, a->slots, sizeof(const struct alias_entry *));
    if (!a->table) return false;
    for (const struct alias_entry *e = a->names; e; e = e->next)
        a->table[slot_of(a, e->key, SPAN(""))] = e;
    return true;
}

static void read_name(struct reader *r, struct span written)
{
    struct span key;
    r->entry = NULL;
    if (!canonical(r, written, &key)) {
        complain(r, written, "is no name of an alias: write name: targets, or local@domain: targets");
        return;
    }
    if (!make_room(r)) {
        r->no_memory = true;
        return;
    }
    uint32_t slot = slot_of(r->aliases, key, SPAN(""));
    if (r->aliases->table[slot]) {
        problem_add(r->arena, r->problems, place_of(r, written), written,
                    "stands twice: the first one counts", true);
        return;
    }
    r->entry = new_entry(r, key, place_of(r, written), &r->aliases->n_names, &r->last_name);
    if (!r->entry) return;
    r->aliases->table[slot] = r->entry;
    r->tail = &r->entry->targets;
}

static void finish_name(struct reader *r)
{
    struct alias_entry *e = r->entry;
    r->entry = NULL;
    if (!e || e->targets || e->broken) return;
    problem_add(r->arena, r->problems, e->place, aliases_name(e), "has no target", false);
    e->broken = true;
}

/* aliases(5): a line that begins with a blank goes on with the targets of the one before. */
static void read_alias_line(struct reader *r, struct span line)
{
    bool more = line.p[0] == ' ' || line.p[0] == '\t';
    size_t colon = more ? 0 : find_unquoted(line, ':');
    if (!more) {
        finish_name(r);
        if (colon == SPAN_NPOS) {
            complain(r, line, "has no colon: write name: targets");
            return;
        }
        read_name(r, trim(span_head(line, colon)));
        line = span_skip(line, colon + 1);
    } else if (!r->entry && r->aliases->n_names == 0 && r->problems->count == 0) {
        complain(r, trim(line), "goes on with a line that is not there");
    }
    read_targets(r, line);
}

static void read_file(struct reader *r, struct span text, void (*read)(struct reader *, struct span))
{
    r->line = 0;
    while (text.n && !r->no_memory) {
        size_t end = span_find(text, '\n');
        struct span line = span_head(text, end);
        r->line++;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        r->text = line;
        struct span shown = trim(line);
        if (shown.n && shown.p[0] != '#') read(r, line);
        text = end == SPAN_NPOS ? span_skip(text, text.n) : span_skip(text, end + 1);
    }
}

static void refuse_list(struct reader *r, struct alias_entry *list, const char *why)
{
    uint8_t memory[200];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, "cannot be read: ");
    buf_str(&b, why);
    struct span text = arena_copy(r->arena, buf_span(&b));
    problem_add(r->arena, r->problems, list->place, list->key, text.p ? (const char *)text.p : why, false);
    list->broken = true;
}

/* A list, once it is named: its targets go to the entry of its path. Lists may name lists. */
static void read_list(struct reader *r, struct alias_entry *list, const struct aliases_source *sources,
                      size_t n)
{
    size_t i = 1;
    while (i < n && !span_eq(sources[i].name, list->key))
        i++;
    if (i >= n) {
        r->aliases->missing = list->key;
        list->broken = true;
        return;
    }
    if (sources[i].unreadable) {
        refuse_list(r, list, sources[i].unreadable);
        return;
    }
    r->entry = list;
    r->tail = &list->targets;
    r->file = list->key;
    read_file(r, sources[i].text, read_targets);
}

struct aliases *aliases_parse(struct arena *a, const struct aliases_source *sources, size_t n_sources,
                              aliases_canonical_fn *canonical_fn, struct problems *problems)
{
    struct aliases *all = arena_take(a, sizeof *all);
    if (!all) return NULL;
    struct reader r = {.arena = a, .aliases = all, .problems = problems, .canonical = canonical_fn};
    r.last_name = &all->names;
    r.last_list = &all->lists;
    if (!make_room(&r)) return NULL;
    if (n_sources) {
        r.file = sources[0].name;
        read_file(&r, sources[0].text, read_alias_line);
        finish_name(&r);
    }
    for (struct alias_entry *list = all->lists; list && !r.no_memory; list = list->next)
        read_list(&r, list, sources, n_sources);
    return r.no_memory ? NULL : all;
}

const struct alias_entry *aliases_find(const struct aliases *a, struct span local, struct span domain)
{
    uint8_t memory[KEY_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, local);
    buf_byte(&b, '@');
    if (b.over) return NULL;
    const struct alias_entry *e = a->table[slot_of(a, buf_span(&b), domain)];
    return e ? e : a->table[slot_of(a, buf_span(&b), SPAN(""))];
}

const struct alias_entry *aliases_list(const struct aliases *a, struct span path)
{
    const struct alias_entry *e = a->lists;
    while (e && !span_eq(e->key, path))
        e = e->next;
    return e;
}

struct span aliases_name(const struct alias_entry *e)
{
    return span_head(e->key, e->key.n - (e->key.n && e->key.p[e->key.n - 1] == '@'));
}
