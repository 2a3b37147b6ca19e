#include "policy/sources.h"

#include "policy/keyed_hash.h"

/* Layout: a head of 128 octets, the tags, then one row of counters a slot. A tag is a hash of server and source; that of a server and no
 * source counts all its sessions. */
struct head {
    uint64_t magic, seed;
    uint32_t slots, reserved[11];
    uint32_t totals[SOURCES_EDGES];
};
_Static_assert(sizeof(struct head) == 128, "tags begin on a cache line");

#define MAGIC  0x3153454352554f53u /* "SOURCES1" */
#define WINDOW 32                  /* slots that may hold a source, from its hash on */
#define SPINS  4096                /* how long a slot is waited for that another edge is about to rename */

/* Tags that no source has: see tag_of. */
#define TAG_EMPTY 0u                  /* never used: no source lies behind it in a window */
#define TAG_BUSY  0xfffffffd00000000u /* | the edge that is renaming it */
#define TAG_FREE  0xfffffffc00000000u /* used before, now nobody's */

static struct head *head_of(const struct sources *t)
{
    return (struct head *)(void *)t->memory;
}

static uint64_t *tags_of(const struct sources *t)
{
    return (uint64_t *)(void *)(t->memory + sizeof(struct head));
}

static uint32_t *row_of(const struct sources *t, uint32_t slot)
{
    uint8_t *rows = t->memory + sizeof(struct head) + (size_t)t->slots * sizeof(uint64_t);
    return (uint32_t *)(void *)(rows + (size_t)slot * SOURCES_EDGES * sizeof(uint32_t));
}

static bool slots_valid(uint32_t slots)
{
    return slots >= 2 * WINDOW && (slots & (slots - 1)) == 0;
}

size_t sources_octets(uint32_t slots)
{
    return sizeof(struct head) + (size_t)slots * (sizeof(uint64_t) + SOURCES_EDGES * sizeof(uint32_t));
}

void sources_init(void *memory, uint32_t slots, uint64_t seed)
{
    *(struct head *)memory = (struct head){.magic = MAGIC, .seed = seed, .slots = slots};
}

bool sources_open(struct sources *t, void *memory, size_t octets)
{
    struct head h;
    if (!memory || octets < sizeof h || (uintptr_t)memory % 64) return false;
    memcpy(&h, memory, sizeof h);
    if (h.magic != MAGIC || !slots_valid(h.slots) || octets != sources_octets(h.slots)) return false;
    *t = (struct sources){(uint8_t *)memory, h.slots, h.seed};
    return true;
}

static uint64_t tag_of(const struct sources *t, struct span server, struct span who)
{
    uint64_t tag = keyed_span(keyed_span(t->seed, server), who);
    return tag == TAG_EMPTY || tag >= TAG_FREE ? 1 + (tag & UINT32_MAX) : tag;
}

/* First slot of the window of a tag. */
static uint32_t first_slot(const struct sources *t, uint64_t tag)
{
    return (uint32_t)keyed_mix(tag) & (t->slots - 1);
}

static uint64_t tag_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static uint64_t row_sum(const uint32_t *row)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SOURCES_EDGES; i++)
        sum += __atomic_load_n(&row[i], __ATOMIC_SEQ_CST);
    return sum;
}

static bool is_busy(uint64_t tag)
{
    return tag >= TAG_BUSY;
}

/* Takes one off, never below zero: a counter that was wiped meanwhile stays zero. */
static bool take_one(uint32_t *counter)
{
    uint32_t v = __atomic_load_n(counter, __ATOMIC_SEQ_CST);
    while (v)
        if (__atomic_compare_exchange_n(counter, &v, v - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
    return false;
}

/* Waits for a slot that is being renamed. Its edge may have died there: the wait is bounded and the slot then simply
 * not ours. */
static uint64_t tag_settled(const uint64_t *p)
{
    uint64_t tag = tag_load(p);
    for (unsigned i = 0; i < SPINS && is_busy(tag); i++)
        tag = tag_load(p);
    return tag;
}

/* Makes an unused slot ours. A slot is unused when it was never used or all its counters are zero; it is marked busy
 * first, so that whoever counted in between is seen, or sees that the tag is gone and takes the count back. */
static bool claim(const struct sources *t, unsigned edge, uint32_t slot, uint64_t tag)
{
    uint64_t *p = &tags_of(t)[slot];
    uint64_t old = tag_load(p);
    if (is_busy(old) || (old != TAG_EMPTY && row_sum(row_of(t, slot)) != 0)) return false;
    if (!__atomic_compare_exchange_n(p, &old, TAG_BUSY | edge, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    bool unused = row_sum(row_of(t, slot)) == 0;
    /* never back to EMPTY: a busy slot was passed by probes that must not end here */
    __atomic_store_n(p, unused ? tag : (old == TAG_EMPTY ? TAG_FREE : old), __ATOMIC_SEQ_CST);
    return unused;
}

/* The slot of the tag, made if need be; t->slots when the window is full. */
static uint32_t find(const struct sources *t, unsigned edge, uint64_t tag)
{
    uint32_t first = first_slot(t, tag), mask = t->slots - 1;
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t slot = (first + i) & mask;
        uint64_t seen = tag_settled(&tags_of(t)[slot]);
        if (seen == tag) return slot;
        if (seen == TAG_EMPTY) break;
    }
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t slot = (first + i) & mask;
        if (claim(t, edge, slot, tag) || tag_load(&tags_of(t)[slot]) == tag) return slot;
    }
    return t->slots;
}

/* Sessions of a source over its whole window: two edges that claimed at the same time may have made two slots of it. */
static uint64_t count(const struct sources *t, uint64_t tag)
{
    uint32_t first = first_slot(t, tag), mask = t->slots - 1;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t slot = (first + i) & mask;
        uint64_t seen = tag_load(&tags_of(t)[slot]);
        if (seen == TAG_EMPTY) break;
        if (seen == tag) sum += row_sum(row_of(t, slot));
    }
    return sum;
}

static enum sources_answer enter_source(const struct sources *t, unsigned edge, uint64_t tag,
                                        uint32_t per_source)
{
    for (unsigned attempt = 0; attempt < 64; attempt++) {
        uint32_t slot = find(t, edge, tag);
        if (slot == t->slots) return SOURCES_SERVER_FULL;
        uint32_t *row = row_of(t, slot);
        __atomic_fetch_add(&row[edge], 1, __ATOMIC_SEQ_CST);
        bool ours = tag_load(&tags_of(t)[slot]) == tag;
        /* counted first, then looked: of two that enter at once at least one sees both */
        if (ours && count(t, tag) <= per_source) return SOURCES_OK;
        take_one(&row[edge]);
        if (ours) return SOURCES_SOURCE_FULL;
    }
    return SOURCES_SERVER_FULL;
}

static bool leave_source(const struct sources *t, unsigned edge, uint64_t tag)
{
    uint32_t first = first_slot(t, tag), mask = t->slots - 1;
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t slot = (first + i) & mask;
        uint64_t seen = tag_settled(&tags_of(t)[slot]);
        if (seen == TAG_EMPTY) return false;
        if (seen == tag && take_one(&row_of(t, slot)[edge])) return true;
    }
    return false;
}

enum sources_answer sources_hold(const struct sources *t, unsigned edge, struct span server, struct span who,
                                 uint32_t most)
{
    return edge < SOURCES_EDGES ? enter_source(t, edge, tag_of(t, server, who), most) : SOURCES_SERVER_FULL;
}

void sources_release(const struct sources *t, unsigned edge, struct span server, struct span who)
{
    if (edge < SOURCES_EDGES) (void)leave_source(t, edge, tag_of(t, server, who));
}

enum sources_answer sources_enter(struct sources *t, unsigned edge, struct span server, const uint8_t key[16],
                                  uint32_t per_source, uint32_t total)
{
    if (edge >= SOURCES_EDGES) return SOURCES_SERVER_FULL;
    uint64_t all = tag_of(t, server, SPAN(""));
    if (enter_source(t, edge, all, total) != SOURCES_OK) return SOURCES_SERVER_FULL;
    enum sources_answer a = enter_source(t, edge, tag_of(t, server, span_of(key, 16)), per_source);
    if (a == SOURCES_OK)
        __atomic_fetch_add(&head_of(t)->totals[edge], 1, __ATOMIC_SEQ_CST);
    else
        (void)leave_source(t, edge, all);
    return a;
}

void sources_leave(struct sources *t, unsigned edge, struct span server, const uint8_t key[16])
{
    if (edge >= SOURCES_EDGES || !leave_source(t, edge, tag_of(t, server, span_of(key, 16)))) return;
    (void)leave_source(t, edge, tag_of(t, server, SPAN("")));
    take_one(&head_of(t)->totals[edge]);
}

void sources_clear_edge(struct sources *t, unsigned edge)
{
    if (edge >= SOURCES_EDGES) return;
    for (uint32_t slot = 0; slot < t->slots; slot++) {
        uint64_t busy = TAG_BUSY | edge;
        __atomic_store_n(&row_of(t, slot)[edge], 0, __ATOMIC_SEQ_CST);
        __atomic_compare_exchange_n(&tags_of(t)[slot], &busy, TAG_FREE, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&head_of(t)->totals[edge], 0, __ATOMIC_SEQ_CST);
}

uint32_t sources_total(const struct sources *t)
{
    uint64_t sum = row_sum(head_of(t)->totals);
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}
