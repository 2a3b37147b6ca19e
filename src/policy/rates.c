#include "policy/rates.h"

#include "policy/keyed_hash.h"

/* Layout: a head of 64 octets, then the slots. A word of a slot has when something was counted last in its part of the window (ms, 40
 * bits), and how much (24 bits). */
#define PARTS   5u          /* of a window; the one that runs comes on top */
#define WORDS   (PARTS + 1) /* of a slot */
#define WINDOW  16u         /* slots that may hold a key, from its hash on */
#define COUNTED 0xffffffu
#define MAGIC   0x3130534554415253u /* "SRATES01" */

struct head {
    uint64_t magic, seed;
    uint32_t slots, reserved[11];
};
struct slot {
    uint64_t tag;     /* 0: never used */
    uint64_t used_ms; /* last */
    uint64_t words[WORDS];
};
_Static_assert(sizeof(struct head) == 64 && sizeof(struct slot) == 64, "a slot is one cache line");

static struct slot *slots_of(const struct rates *t)
{
    return (struct slot *)(void *)(t->memory + sizeof(struct head));
}

static bool slots_valid(uint32_t slots)
{
    return slots >= 64 && (slots & (slots - 1)) == 0;
}

size_t rates_octets(uint32_t slots)
{
    return sizeof(struct head) + (size_t)slots * sizeof(struct slot);
}

void rates_init(void *memory, uint32_t slots, uint64_t seed)
{
    *(struct head *)memory = (struct head){.magic = MAGIC, .seed = seed, .slots = slots};
}

bool rates_open(struct rates *t, void *memory, size_t octets)
{
    struct head h;
    if (!memory || octets < sizeof h || (uintptr_t)memory % 64) return false;
    memcpy(&h, memory, sizeof h);
    if (h.magic != MAGIC || !slots_valid(h.slots) || octets != rates_octets(h.slots)) return false;
    *t = (struct rates){(uint8_t *)memory, h.slots, h.seed};
    return true;
}

/* --- keys */

static uint64_t tag_of(const struct rates *t, const struct rate_key *key)
{
    uint64_t h = keyed_span(keyed_span(keyed_mix(t->seed + key->kind), key->server), key->who);
    return h ? h : 1;
}

/* --- slots */

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static uint64_t last_of(uint64_t word)
{
    return word >> 24;
}

static struct slot *known(const struct rates *t, uint64_t tag)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        struct slot *s = &slots_of(t)[(tag + i) & (t->slots - 1)];
        if (load(&s->tag) == tag) return s;
    }
    return NULL;
}

/* A slot that was never used, else the one that was quiet longest: what another edge counts there at this moment is lost or ours. */
static struct slot *claim(const struct rates *t, uint64_t tag)
{
    struct slot *best = NULL;
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < WINDOW && oldest > 0; i++) {
        struct slot *s = &slots_of(t)[(tag + i) & (t->slots - 1)];
        uint64_t last = load(&s->tag) ? load(&s->used_ms) + 1 : 0;
        if (last < oldest) {
            best = s;
            oldest = last;
        }
    }
    uint64_t old = load(&best->tag);
    for (unsigned i = 0; i < WORDS; i++)
        __atomic_store_n(&best->words[i], 0, __ATOMIC_SEQ_CST);
    (void)__atomic_compare_exchange_n(&best->tag, &old, tag, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return best; /* another one's in a race: then this one count went to it */
}

/* --- counting */

struct change { /* of a word */
    uint64_t before, after;
};

static struct change add_one(uint64_t *word, uint64_t now_ms, uint64_t part_ms)
{
    struct change c = {.before = load(word)};
    do {
        uint64_t last = last_of(c.before), counted = c.before & COUNTED;
        bool same = last / part_ms == now_ms / part_ms;
        uint64_t at = same && last > now_ms ? last : now_ms;
        c.after = at << 24 | (!same ? 1 : counted < COUNTED ? counted + 1 : COUNTED);
    } while (
        !__atomic_compare_exchange_n(word, &c.before, c.after, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return c;
}

static void take_one(uint64_t *word, uint64_t at_ms, uint64_t part_ms)
{
    uint64_t was = load(word);
    while (last_of(was) / part_ms == at_ms / part_ms && (was & COUNTED) &&
           !__atomic_compare_exchange_n(word, &was, was - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

/* What counts at that time. */
static uint64_t sum(const uint64_t words[WORDS], uint64_t part_ms, uint64_t at_ms)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < WORDS; i++)
        if (last_of(words[i]) + PARTS * part_ms > at_ms) n += words[i] & COUNTED;
    return n;
}

/* The first time at which there is room again: parts leave the window one after the other. */
static uint64_t room_ms(const uint64_t words[WORDS], uint32_t count, uint64_t part_ms, uint64_t now_ms)
{
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t leaves = last_of(words[i]) + PARTS * part_ms;
        if (leaves > now_ms && leaves < best && sum(words, part_ms, leaves) < count) best = leaves;
    }
    return best;
}

/* 1/PARTS of the window, in ms. */
static uint64_t part_of(uint32_t seconds)
{
    return ((uint64_t)seconds * 1000 + PARTS - 1) / PARTS;
}

/* It was not to be: as if it had never been there, unless others came meanwhile. */
static void undo(uint64_t *word, struct change c, uint64_t now_ms, uint64_t part_ms)
{
    if (!__atomic_compare_exchange_n(word, &c.after, c.before, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        take_one(word, now_ms, part_ms);
}

uint32_t rates_count(const struct rates *t, const struct rate_key *key, uint32_t count, uint32_t seconds,
                     uint64_t now_ms)
{
    uint64_t tag = tag_of(t, key), part_ms = part_of(seconds), words[WORDS];
    struct slot *s = known(t, tag);
    if (!s) s = claim(t, tag);
    __atomic_store_n(&s->used_ms, now_ms, __ATOMIC_SEQ_CST);
    /* counted first, then looked: of two that come at once at least one sees both */
    uint64_t *word = &s->words[now_ms / part_ms % WORDS];
    struct change c = add_one(word, now_ms, part_ms);
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = load(&s->words[i]);
    if (sum(words, part_ms, now_ms) <= count) return 0;
    undo(word, c, now_ms, part_ms);
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = load(&s->words[i]);
    uint64_t at = room_ms(words, count, part_ms, now_ms);
    uint64_t wait = at == UINT64_MAX ? seconds : (at - now_ms + 999) / 1000;
    return wait < 1 ? 1 : wait > seconds ? seconds : (uint32_t)wait;
}

void rates_give_back(const struct rates *t, const struct rate_key *key, uint32_t seconds, uint64_t counted_ms)
{
    uint64_t part_ms = part_of(seconds);
    struct slot *s = known(t, tag_of(t, key));
    if (s) take_one(&s->words[counted_ms / part_ms % WORDS], counted_ms, part_ms);
}
