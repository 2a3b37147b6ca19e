#include "directory/users.h"

#include "base/buf.h"
#include "base/limits.h"
#include "directory/mailbox_name.h"
#include "directory/recipients.h"

struct reader {
    struct arena *arena;
    struct users *users;
    struct problems *problems;
    aliases_canonical_fn *canonical;
    struct span file, text; /* text: of the line that is being read */
    uint32_t line;
    uint32_t *table; /* indices + 1 by hash, to find doubles */
    uint32_t slots;
};

static uint32_t hash(struct span s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * 0x100000001b3u;
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t *slot_of(const struct reader *r, struct span key)
{
    uint32_t at = hash(key) & (r->slots - 1);
    while (r->table[at] && !span_eq(r->users->keys[r->table[at] - 1], key))
        at = (at + 1) & (r->slots - 1);
    return &r->table[at];
}

/* The first field alone is shown: the second is a secret. */
static void complain(struct reader *r, struct span mailbox, const uint8_t *at, const char *text)
{
    const struct problem_place place = {r->file, r->line, problem_column(r->text, at)};
    problem_add(r->arena, r->problems, place, arena_copy(r->arena, span_head(mailbox, 128)), text, false);
}

static const uint8_t *find_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 32 && s.p[i] != '\t') || s.p[i] == 127) return s.p + i;
    return NULL;
}

/* False: no memory. */
static bool add(struct reader *r, struct span written)
{
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct span local, domain;
    bool good = span_find(written, '"') == SPAN_NPOS && r->canonical(written, &b);
    struct span key = buf_span(&b);
    if (!good || !recipients_split(key, &local, &domain) || !mailbox_name_local(local) ||
        !mailbox_name_domain(domain)) {
        complain(r, written, written.p, "is no mailbox name: write name@domain");
        return true;
    }
    uint32_t *slot = slot_of(r, key);
    if (*slot) {
        complain(r, written, written.p, "stands twice: the first line counts");
        return true;
    }
    struct span copy = arena_copy(r->arena, key);
    if (!copy.p) return false;
    r->users->keys[r->users->count++] = copy;
    *slot = r->users->count;
    return true;
}

static bool read_line(struct reader *r, struct span line)
{
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (line.n == 0 || line.p[0] == '#') return true;
    size_t tab = span_find(line, '\t');
    const uint8_t *control = find_control(line);
    r->text = line;
    struct span mailbox = span_head(line, tab);
    if (tab == SPAN_NPOS)
        complain(r, SPAN(""), line.p, "the line has one field: write mailbox TAB verifier TAB options");
    else if (control)
        complain(r, mailbox, control, "has a control character in its line");
    else
        return add(r, mailbox);
    return true;
}

struct users *users_parse(struct arena *a, struct span file, struct span text,
                          aliases_canonical_fn *canonical, struct problems *problems)
{
    struct users *u = arena_take(a, sizeof *u);
    struct reader r = {
        .arena = a, .users = u, .problems = problems, .canonical = canonical, .file = file, .slots = 16};
    uint32_t lines = 1;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    if (lines > LIMIT_USERS) {
        problem_add(a, problems, (struct problem_place){.file = file}, SPAN(""),
                    "has more lines than users are allowed", false);
        lines = LIMIT_USERS;
    }
    while (r.slots < 2 * lines)
        r.slots *= 2;
    r.table = arena_take_array(a, r.slots, sizeof *r.table);
    if (!u || !r.table) return NULL;
    u->keys = arena_take_array(a, lines, sizeof *u->keys);
    if (!u->keys) return NULL;
    while (text.n && r.line < lines) {
        size_t end = span_find(text, '\n');
        r.line++;
        if (!read_line(&r, span_head(text, end))) return NULL;
        text = end == SPAN_NPOS ? span_skip(text, text.n) : span_skip(text, end + 1);
    }
    return u;
}

struct span users_first(const struct users *u, struct span domain)
{
    struct span local, d;
    for (uint32_t i = 0; i < u->count; i++)
        if (recipients_split(u->keys[i], &local, &d) && span_eq(d, domain)) return u->keys[i];
    return u->count ? u->keys[0] : SPAN("");
}
