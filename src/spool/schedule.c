#include "spool/schedule.h"

#include <stdlib.h>

static void put(struct schedule *s, size_t at, struct schedule_item item)
{
    s->items[at] = item;
    message_recipients(item.message)[item.recipient].heap = (uint32_t)at;
}

static void rise(struct schedule *s, size_t at, struct schedule_item item)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (s->items[parent].due_ms <= item.due_ms) break;
        put(s, at, s->items[parent]);
        at = parent;
    }
    put(s, at, item);
}

static void sink(struct schedule *s, size_t at, struct schedule_item item)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= s->n) break;
        if (child + 1 < s->n && s->items[child + 1].due_ms < s->items[child].due_ms) child++;
        if (s->items[child].due_ms >= item.due_ms) break;
        put(s, at, s->items[child]);
        at = child;
    }
    put(s, at, item);
}

static void settle(struct schedule *s, size_t at, struct schedule_item item)
{
    if (at > 0 && s->items[(at - 1) / 2].due_ms > item.due_ms)
        rise(s, at, item);
    else
        sink(s, at, item);
}

bool schedule_set(struct schedule *s, struct message *m, uint32_t recipient, uint64_t due_ms)
{
    struct schedule_item item = {due_ms, m, recipient};
    uint32_t at = message_recipients(m)[recipient].heap;
    if (at != NOT_SCHEDULED) {
        settle(s, at, item);
        return true;
    }
    if (s->n == s->max) {
        size_t max = s->max ? s->max * 2 : 1024;
        if (max >= NOT_SCHEDULED) return false;
        struct schedule_item *items = realloc(s->items, max * sizeof *items);
        if (!items) return false;
        s->items = items;
        s->max = max;
    }
    rise(s, s->n++, item);
    return true;
}

void schedule_remove(struct schedule *s, struct message *m, uint32_t recipient)
{
    uint32_t at = message_recipients(m)[recipient].heap;
    if (at == NOT_SCHEDULED) return;
    message_recipients(m)[recipient].heap = NOT_SCHEDULED;
    struct schedule_item last = s->items[--s->n];
    if (at < s->n) settle(s, at, last);
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
        if (at != NOT_SCHEDULED) s->items[at].message = m;
    }
}

const struct schedule_item *schedule_first(const struct schedule *s)
{
    return s->n ? &s->items[0] : NULL;
}

void schedule_destroy(struct schedule *s)
{
    free(s->items);
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
    return wait - spread / 2 + jitter;
}
