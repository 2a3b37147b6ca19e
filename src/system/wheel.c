/* A slot of level 0 holds one millisecond of the 256 that share base's upper bits; a slot of level n holds 256^n ms. A timer
 * lies on the level of the highest octet in which its time differs from base, so whatever lies on a level is later than
 * everything below it, and only the top level wraps. */
#include <stddef.h>
#include <string.h>

#include "system/loop_private.h"

enum { OCTET = 8, TOP = WHEEL_LEVELS - 1 };

void wheel_init(struct wheel *w, uint64_t now_ms)
{
    memset(w, 0, sizeof *w);
    w->base = now_ms;
}

static void link_first(struct timer **head, struct timer *t)
{
    t->next = *head;
    if (t->next) t->next->prev = &t->next;
    t->prev = head;
    *head = t;
}

void wheel_stop(struct wheel *w, struct timer *t)
{
    if (!t->prev) return;
    *t->prev = t->next;
    if (t->next) {
        t->next->prev = t->prev;
    } else { /* the last of its list; was it also the first, of a slot? */
        uintptr_t at = (uintptr_t)t->prev, first = (uintptr_t)w->slots;
        if (at >= first && at < first + sizeof w->slots) {
            size_t slot = (at - first) / sizeof w->slots[0];
            w->used[slot / WHEEL_SLOTS][slot % WHEEL_SLOTS / 64] &= ~(UINT64_C(1) << slot % 64);
        }
    }
    t->next = NULL;
    t->prev = NULL;
}

static void put(struct wheel *w, struct timer *t)
{
    uint64_t differs = t->due_ms ^ w->base;
    unsigned level = differs < UINT64_C(1) << OCTET         ? 0
                     : differs < UINT64_C(1) << (2 * OCTET) ? 1
                     : differs < UINT64_C(1) << (3 * OCTET) ? 2
                                                            : TOP;
    unsigned slot = (unsigned)(t->due_ms >> (level * OCTET)) % WHEEL_SLOTS;
    w->used[level][slot / 64] |= UINT64_C(1) << slot % 64;
    link_first(&w->slots[level * WHEEL_SLOTS + slot], t);
}

void wheel_set(struct wheel *w, struct timer *t, uint64_t due_ms)
{
    wheel_stop(w, t);
    if (due_ms <= w->base) due_ms = w->base + 1;
    if (due_ms - w->base > UINT32_MAX) due_ms = w->base + UINT32_MAX;
    t->due_ms = due_ms;
    put(w, t);
}

/* The first used slot of a level at or after `from`; WHEEL_SLOTS when there is none. */
static unsigned first_used(const struct wheel *w, unsigned level, unsigned from)
{
    for (unsigned i = from / 64; i < WHEEL_SLOTS / 64; i++) {
        uint64_t bits = w->used[level][i];
        if (i == from / 64) bits &= ~UINT64_C(0) << from % 64;
        if (bits) return i * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return WHEEL_SLOTS;
}

/* The next slot in time: its list, and when it begins. */
static bool next_slot(const struct wheel *w, unsigned *level, unsigned *slot, uint64_t *begins)
{
    for (unsigned n = 0; n < WHEEL_LEVELS; n++) {
        unsigned shift = n * OCTET;
        unsigned here = (unsigned)(w->base >> shift) % WHEEL_SLOTS;
        uint64_t round = w->base >> (shift + OCTET) << (shift + OCTET);
        unsigned s = here + 1 < WHEEL_SLOTS ? first_used(w, n, here + 1) : WHEEL_SLOTS;
        if (s == WHEEL_SLOTS && n == TOP) { /* a round later: up to and with the slot where base is now */
            s = first_used(w, n, 0);
            round += UINT64_C(1) << (shift + OCTET);
        }
        if (s == WHEEL_SLOTS) continue;
        *level = n;
        *slot = s;
        *begins = round + ((uint64_t)s << shift);
        return true;
    }
    return false;
}

bool wheel_next(const struct wheel *w, uint64_t *due_ms)
{
    unsigned level, slot;
    return next_slot(w, &level, &slot, due_ms);
}

/* Moves the list of a slot to w->firing. */
static void take_slot(struct wheel *w, unsigned level, unsigned slot)
{
    struct timer **head = &w->slots[level * WHEEL_SLOTS + slot];
    w->firing = *head;
    w->firing->prev = &w->firing;
    *head = NULL;
    w->used[level][slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
    unsigned level, slot;
    uint64_t begins;
    while (next_slot(w, &level, &slot, &begins) && begins <= now_ms) {
        w->base = begins;
        take_slot(w, level, slot);
        while (w->firing) { /* a callback may stop any timer, also those that wait here */
            struct timer *t = w->firing;
            wheel_stop(w, t);
            if (t->due_ms > begins)
                put(w, t); /* from a coarse slot to a finer one */
            else
                t->fn(t);
        }
    }
    if (now_ms > w->base) w->base = now_ms;
}
