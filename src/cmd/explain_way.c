/* Where it goes. */
#include "cmd/explain_private.h"

void explain_way(const struct explain_call *x, struct span recipient, bool local)
{
    uint8_t memory[PATH_WORD_OCTETS];
    struct buf from = buf_on(memory, sizeof memory), *b = explain_begin(x->e, local ? "deliver" : "route");
    struct config_way way;

    path_put(&x->q->sender, &from);
    (void)config_next_hop(x->config, buf_span(&from), recipient, local, &way);
    buf_put(b, recipient);
    switch (way.kind) {
    case WAY_MAILBOX:
        buf_str(b, ": Maildir below ");
        buf_put(b, config_deliver_find(x->config, way.pattern)->target);
        break;
    case WAY_NEXT_HOP:
        buf_str(b, ": next hop ");
        next_hop_put_text(b, &way.hop);
        break;
    case WAY_HOLD: buf_str(b, ": waits until it is released"); break;
    case WAY_DISCARD: buf_str(b, ": is thrown away"); break;
    case WAY_NONE: buf_str(b, ": no line says where it goes: it waits, and is returned in the end"); break;
    }
    explain_end(x->e, way.rule);
}

void explain_targets(const struct explain_call *x)
{
    uint8_t memory[EXPLAIN_KEY_OCTETS];
    struct buf written = buf_on(memory, sizeof memory);
    struct expansion to;

    path_put(&x->q->recipient, &written);
    enum expand_status status = names_expand(&x->people->names, buf_span(&written), x->people->arena, &to);
    if (status != EXPAND_OK) {
        struct buf *b = explain_begin(x->e, "expand");
        buf_str(b, status == EXPAND_LATER     ? "an alias on the way is broken: the mail waits"
                   : status == EXPAND_LOOP    ? "the aliases go in a circle: the mail is returned (5.4.6)"
                   : status == EXPAND_UNKNOWN ? "nobody reads this: the mail is returned (5.1.1)"
                                              : "the aliases name too many: the mail is returned (5.1.4)");
        explain_end(x->e, "alias");
        return;
    }
    for (uint32_t i = 0; i < to.count && !explain_full(x->e); i++) {
        if (to.targets[i].kind == EXPAND_NOBODY) {
            struct buf *b = explain_begin(x->e, "expand");
            buf_put(b, to.targets[i].path);
            buf_str(b, ": an alias names it, and nobody of that name exists: this part is returned (5.1.1)");
            explain_end(x->e, "alias");
        } else if (to.targets[i].kind == EXPAND_MAILBOX || to.targets[i].kind == EXPAND_REMOTE)
            explain_way(x, to.targets[i].path, to.targets[i].kind == EXPAND_MAILBOX);
    }
}
