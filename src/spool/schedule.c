#include "spool/schedule.h"

#include <stdlib.h>

static void put(struct schedule_heap *h, size_t at, struct schedule_item item)
{
    h->items[at] = item;
    message_recipients(item.message)[item.recipient].heap = (uint32_t)at;
}

static void rise(struct schedule_heap *h, size_t at, struct schedule_item item)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (h->items[parent].due_ms <= item.due_ms) break;
        put(h, at, h->items[parent]);
        at = parent;
    }
    put(h, at, item);
}

static void sink(struct schedule_heap *h, size_t at, struct schedule_item item)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && h->items[child + 1].due_ms < h->items[child].due_ms) child++;
        if (h->items[child].due_ms >= item.due_ms) break;
        put(h, at, h->items[child]);
        at = child;
    }
    put(h, at, item);
}

static void settle(struct schedule_heap *h, size_t at, struct schedule_item item)
{
    if (at > 0 && h->items[(at - 1) / 2].due_ms > item.due_ms)
        rise(h, at, item);
    else
        sink(h, at, item);
}

static bool is_local(struct message *m, uint32_t recipient)
{
    return (message_recipients(m)[recipient].flags & RECIPIENT_LOCAL) != 0;
}

static struct schedule_heap *heap_of(struct schedule *s, struct message *m, uint32_t recipient)
{
    return is_local(m, recipient) ? &s->local : &s->outward;
}

bool schedule_set(struct schedule *s, struct message *m, uint32_t recipient, uint64_t due_ms)
{
    struct schedule_heap *h = heap_of(s, m, recipient);
    struct schedule_item item = {due_ms, m, recipient};
    uint32_t at = message_recipients(m)[recipient].heap;
    if (at != NOT_SCHEDULED) {
        settle(h, at, item);
        return true;
    }
    if (h->n == h->max) {
        size_t max = h->max ? h->max * 2 : 1024;
        if (max >= NOT_SCHEDULED) return false;
        struct schedule_item *items = realloc(h->items, max * sizeof *items);
        if (!items) return false;
        h->items = items;
        h->max = max;
    }
    rise(h, h->n++, item);
    return true;
}

void schedule_remove(struct schedule *s, struct message *m, uint32_t recipient)
{
    struct schedule_heap *h = heap_of(s, m, recipient);
    uint32_t at = message_recipients(m)[recipient].heap;
    if (at == NOT_SCHEDULED) return;
    message_recipients(m)[recipient].heap = NOT_SCHEDULED;
    struct schedule_item last = h->items[--h->n];
    if (at < h->n) settle(h, at, last);
}

void schedule_remove_all(struct schedule *s, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        schedule_remove(s, m, i);
}

void schedule_moved(struct schedule *s, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        uint32_t at = message_recipients(m)[i].heap;
        if (at != NOT_SCHEDULED) heap_of(s, m, i)->items[at].message = m;
    }
}

static const struct schedule_item *first_of(const struct schedule_heap *h, bool wanted)
{
    return wanted && h->n ? &h->items[0] : NULL;
}

const struct schedule_item *schedule_first(const struct schedule *s, bool local, bool outward)
{
    const struct schedule_item *a = first_of(&s->local, local), *b = first_of(&s->outward, outward);
    return a && (!b || a->due_ms <= b->due_ms) ? a : b;
}

const struct schedule_item *schedule_of(const struct schedule *s, struct message *m, uint32_t recipient)
{
    uint32_t at = message_recipients(m)[recipient].heap;
    if (at == NOT_SCHEDULED) return NULL;
    return is_local(m, recipient) ? &s->local.items[at] : &s->outward.items[at];
}

void schedule_destroy(struct schedule *s)
{
    free(s->local.items);
    free(s->outward.items);
    *s = (struct schedule){0};
}

static uint64_t mix(uint64_t v) /* splitmix64 */
{
    v += 0x9e3779b97f4a7c15U;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9U;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebU;
    return v ^ (v >> 31);
}

uint64_t schedule_back_off_ms(uint64_t seed, uint64_t id, uint32_t recipient, uint32_t attempts,
                              uint32_t first_seconds, uint32_t max_seconds)
{
    uint64_t wait = (uint64_t)first_seconds * 1000, most = (uint64_t)max_seconds * 1000;
    for (uint32_t i = 1; i < attempts && wait < most; i++)
        wait *= 2;
    if (wait > most) wait = most;
    uint64_t spread = wait * 2 / 5;
    uint64_t jitter =
        spread ? mix(mix(seed ^ id) ^ ((uint64_t)recipient << 32 | attempts)) % (spread + 1) : 0;
    uint64_t least = wait - spread / 2;
    if (least + spread > most) least = most - spread; /* it is the longest */
    return least + jitter;
}
