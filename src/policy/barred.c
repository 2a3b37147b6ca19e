#include "policy/barred.h"

#include "base/wire.h"
#include "policy/guess.h"

enum { FIRST = 1, LAST = 2, ENTRY_OCTETS = 26 };
_Static_assert(BARRED_PART_OCTETS == 2 + ENTRY_OCTETS * LIMIT_BARRED_PART, "what a part is");

struct list {
    uint32_t n_by_hand, n;
    struct barred_entry by_hand[LIMIT_GUESS_BANS_BY_HAND];
    struct barred_entry sources[LIMIT_GUESS_SOURCES]; /* by address, each once */
};

struct barred {
    bool second, receiving; /* which list counts; the other one is being told */
    struct list lists[2];
};

size_t barred_octets(void)
{
    return sizeof(struct barred);
}

struct barred *barred_on(void *memory)
{
    return memory;
}

static int by_address(const struct address *a, const struct address *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets);
}

int barred_order(const void *a, const void *b)
{
    const struct barred_entry *x = a, *y = b;
    if (x->by_hand != y->by_hand) return x->by_hand ? -1 : 1;
    return by_address(&x->network.base, &y->network.base);
}

/* --- the message */

void barred_part_put(struct buf *b, const struct barred_entry *entries, uint32_t n, bool first, bool last)
{
    wire_put_u8(b, (uint8_t)((first ? FIRST : 0) | (last ? LAST : 0)));
    wire_put_u8(b, 0);
    for (uint32_t i = 0; i < n; i++) {
        buf_put(b, span_of(entries[i].network.base.octets, 16));
        wire_put_u8(b, entries[i].network.bits);
        wire_put_u8(b, entries[i].by_hand);
        wire_put_u64(b, entries[i].until);
    }
}

static bool has_host_bits(const struct network *n)
{
    for (unsigned bit = n->bits; bit < 128; bit++)
        if (n->base.octets[bit / 8] & (0x80 >> bit % 8)) return true;
    return false;
}

static bool read_entry(struct wire *w, struct barred_entry *e)
{
    struct span base = wire_raw(w, 16);
    *e = (struct barred_entry){.network.bits = wire_u8(w)};
    uint8_t by_hand = wire_u8(w);
    e->until = wire_u64(w);
    if (w->bad || by_hand > 1 || e->network.bits > 128) return false;
    e->by_hand = by_hand;
    memcpy(e->network.base.octets, base.p, 16);
    if (has_host_bits(&e->network)) return false;
    if (e->by_hand) return !network_union_too_wide(&e->network, 1); /* nobody closes the house */
    struct network source = guess_network(&e->network.base, false);
    return source.bits == e->network.bits && by_address(&source.base, &e->network.base) == 0;
}

/* The log has it already, if it is the same one as before. */
static bool told_before(const struct list *former, const struct barred_entry *e)
{
    for (uint32_t i = 0; e->by_hand && i < former->n_by_hand; i++) {
        const struct barred_entry *f = &former->by_hand[i];
        if (f->until == e->until && f->network.bits == e->network.bits &&
            by_address(&f->network.base, &e->network.base) == 0)
            return f->told;
    }
    return false;
}

static struct barred_entry *source_find(struct list *l, const struct address *base)
{
    uint32_t low = 0, high = l->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = by_address(&l->sources[middle].network.base, base);
        if (order == 0) return &l->sources[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool take_entry(struct list *to, struct list *former, struct barred_entry *e)
{
    if (e->by_hand) {
        if (to->n || to->n_by_hand == LIMIT_GUESS_BANS_BY_HAND) return false;
        e->told = told_before(former, e);
        to->by_hand[to->n_by_hand++] = *e;
        return true;
    }
    if (to->n == LIMIT_GUESS_SOURCES ||
        (to->n && by_address(&to->sources[to->n - 1].network.base, &e->network.base) >= 0))
        return false;
    const struct barred_entry *same = source_find(former, &e->network.base);
    e->told = same && same->until == e->until && same->told;
    to->sources[to->n++] = *e;
    return true;
}

bool barred_take(struct barred *b, struct span payload)
{
    struct wire w = wire_on(payload);
    uint8_t flags = wire_u8(&w), zero = wire_u8(&w);
    struct list *former = &b->lists[b->second], *to = &b->lists[!b->second];
    if (w.bad || zero || flags > (FIRST | LAST) || !((flags & FIRST) || b->receiving)) return false;
    if (flags & FIRST) to->n = to->n_by_hand = 0;
    b->receiving = false; /* unless all of it is good */
    while (w.rest.n) {
        struct barred_entry e;
        if (!read_entry(&w, &e) || !take_entry(to, former, &e)) return false;
    }
    b->receiving = !(flags & LAST);
    if (flags & LAST) b->second = !b->second;
    return true;
}

/* --- looking up */

struct barred_entry *barred_find(struct barred *b, const struct address *client, bool logins,
                                 uint64_t unix_seconds)
{
    struct list *l = &b->lists[b->second];
    for (uint32_t i = 0; i < l->n_by_hand; i++)
        if (l->by_hand[i].until > unix_seconds && network_holds(&l->by_hand[i].network, client))
            return &l->by_hand[i];
    if (!logins || l->n == 0) return NULL;
    struct network source = guess_network(client, false);
    struct barred_entry *found = source_find(l, &source.base);
    /* one that goes on for longer than any does: the clock has gone back since */
    return found && found->until > unix_seconds && found->until - unix_seconds <= LIMIT_BAN_SECONDS_MAX
               ? found
               : NULL;
}

uint32_t barred_count(const struct barred *b)
{
    return b->lists[b->second].n_by_hand + b->lists[b->second].n;
}
