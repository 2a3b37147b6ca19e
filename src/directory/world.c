#include "directory/world.h"

#include "base/limits.h"
#include "directory/mailbox_name.h"

static bool listed(const struct world *w, struct span local, struct span domain)
{
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS]; /* no longer name is in the map */
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, local);
    buf_byte(&b, '@');
    buf_put(&b, domain);
    return !b.over && recipients_listed(w->mailboxes, buf_span(&b));
}

const struct alias_entry *world_alias_of(const struct world *w, struct span local, struct span domain)
{
    struct span base = recipients_base(local);
    const struct alias_entry *e = aliases_find(w->aliases, local, domain);
    if (e || base.n == local.n || listed(w, local, domain)) return e;
    return aliases_find(w->aliases, base, domain);
}

struct span world_mailbox_of(const struct world *w, struct span local, struct span domain)
{
    struct span base = recipients_base(local);
    if (listed(w, local, domain)) return local;
    if (base.n != local.n && listed(w, base, domain)) return base;
    bool any = recipients_domain(w->mailboxes, domain) == RECIPIENTS_KNOWN;
    return any && mailbox_name_local(base) ? base : SPAN("");
}

bool world_role(struct span local)
{
    return recipients_role_name(recipients_base(local));
}

struct world_address world_target(const struct world *w, const struct alias_target *t, struct world_alias by)
{
    struct world_address to = {.local = t->text, .domain = by.domain, .final = t->final};
    if (t->kind == ALIAS_ADDRESS && !recipients_split(t->text, &to.local, &to.domain)) to.domain = SPAN("");
    const struct alias_entry *e = world_alias_of(w, to.local, to.domain);
    bool itself = e == by.entry;
    if (t->kind == ALIAS_LOCAL) {
        bool here =
            (e && !itself && !t->final) || world_mailbox_of(w, to.local, by.domain).n || world_role(to.local);
        if (!here) to.domain = w->home;
    }
    to.final |= itself && span_eq(to.domain, by.domain);
    return to;
}
