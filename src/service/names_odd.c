/* Aliases that say something well-formed that cannot be meant: each is a warning. */
#include "service/names_private.h"

enum { TEXT_OCTETS = 1024 };

static bool exists(const struct names *n, struct span local, struct span domain)
{
    return world_alias_of(&n->world, local, domain) || world_mailbox_of(&n->world, local, domain).n ||
           world_role(local);
}

/* Whether a target leads to a name that nobody has, when it is reached in that domain. False, too, when more was looked at than is
 * allowed. */
static bool leads_nowhere(struct names *n, const struct alias_target *t, struct span domain)
{
    struct span local, of;
    if (t->kind == ALIAS_INCLUDE || ++n->alive.looks > LIMIT_ALIAS_LOOKS) return false;
    if (t->kind == ALIAS_LOCAL) return !exists(n, t->text, domain) && !exists(n, t->text, n->home);
    return recipients_split(t->text, &local, &of) &&
           recipients_domain(&n->mailboxes, of) != RECIPIENTS_NOT_SERVED && !exists(n, local, of);
}

/* "TEXT [in DOMAIN [and N more domains]]", when it is so in n_domains of `all`; domain: the first of them. */
static void put_text(const struct names *n, struct buf *b, const char *text, uint32_t domain,
                     uint32_t n_domains, uint32_t all)
{
    buf_str(b, text);
    if (n_domains == all) return;
    buf_str(b, " in ");
    buf_put(b, n->domains[domain]);
    if (n_domains == 1) return;
    buf_str(b, " and ");
    buf_u64(b, n_domains - 1);
    buf_str(b, n_domains > 2 ? " more domains" : " more domain");
}

static void warn(struct names *n, struct problem_place place, struct span subject, const struct buf *text)
{
    if (n->problems.count >= LIMIT_PROBLEMS) { /* it is counted, and not shown */
        problem_add(n->arena, &n->problems, place, subject, "", true);
        return;
    }
    struct span copy = arena_copy(n->arena, buf_span(text));
    problem_add(n->arena, &n->problems, place, subject, copy.p ? (const char *)copy.p : "is odd", true);
}

/* Names that nobody has, beside others: where all of them are such, the alias is dead, and that is said. */
static void check_target(struct names *n, const struct alias_entry *e, const struct alias_target *t)
{
    uint8_t memory[TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    uint32_t begin, end, first = 0, nowhere = 0;
    alive_range(&n->alive, e, &begin, &end);
    for (uint32_t d = begin; d < end; d++)
        if (alive_in(&n->alive, e, d) && leads_nowhere(n, t, n->domains[d]) && nowhere++ == 0) first = d;
    if (nowhere == 0) return;
    put_text(n, &b, "is named by an alias, but nobody has that name", first, nowhere,
             t->kind == ALIAS_LOCAL ? end - begin : nowhere);
    warn(n, (struct problem_place){e->place.file, t->line, t->column}, t->text, &b);
}

/* Names that nobody has in any domain: which aliases include the list is not asked. */
static void check_list(struct names *n, const struct alias_entry *list)
{
    for (const struct alias_target *t = list->targets; t; t = t->next) {
        uint32_t d = 0;
        while (d < n->alive.n_domains && leads_nowhere(n, t, n->domains[d]))
            d++;
        if (d && d == n->alive.n_domains)
            problem_add(n->arena, &n->problems, (struct problem_place){list->key, t->line, t->column},
                        t->text, "is named by this list, but nobody has that name", true);
    }
}

static void check_alias(struct names *n, const struct alias_entry *e)
{
    uint8_t memory[TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct span local, domain;
    uint32_t begin, end, first = 0;
    if (!recipients_split(e->key, &local, &domain)) return;
    alive_range(&n->alive, e, &begin, &end);
    if (domain.n && begin == end)
        problem_add(n->arena, &n->problems, e->place, aliases_name(e),
                    "is of a domain that is not served here", true);
    for (const struct alias_target *t = e->targets; t; t = t->next)
        check_target(n, e, t);
    uint32_t dead = names_dead_in(n, e, &first);
    if (dead == 0) return;
    put_text(n, &b, "reaches nobody", first, dead, end - begin);
    buf_str(&b, ": ");
    if (n->problems.count < LIMIT_PROBLEMS) alive_path(&n->alive, e, first, &b);
    warn(n, e->place, aliases_name(e), &b);
}

void names_find_odd(struct names *n, struct span file)
{
    if (n->alive.incomplete) { /* to look at them here would take as long */
        problem_add(n->arena, &n->problems, (struct problem_place){.file = file}, SPAN(""),
                    "has too many aliases for so many domains: those that reach nobody are not known, and "
                    "mail for them is taken and returned",
                    true);
        return;
    }
    for (const struct alias_entry *e = n->aliases->names; e; e = e->next)
        check_alias(n, e);
    for (const struct alias_entry *list = n->aliases->lists; list; list = list->next)
        check_list(n, list);
}
