#include "policy/race.h"

bool race_add(struct race *r, uint16_t preference)
{
    if (r->n == RACE_RUNNERS) return false;
    r->runners[r->n].preference = preference;
    r->runners[r->n].state = RACE_WAITING;
    r->runners[r->n].started_ms = 0;
    r->n++;
    return true;
}

/* The best of those that wait: a host whose names came late may be better than one that is there already. */
static bool first_waiting(const struct race *r, uint32_t *ret)
{
    bool found = false;
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->runners[i].state != RACE_WAITING) continue;
        if (found && r->runners[*ret].preference <= r->runners[i].preference) continue;
        *ret = i;
        found = true;
    }
    return found;
}

/* When one of this preference may start: beside its equals after a moment, beside better ones after they had their chance. */
static uint64_t start_ms(const struct race *r, uint16_t preference)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->runners[i].state != RACE_RUNNING) continue;
        uint64_t wait =
            r->runners[i].preference < preference ? LIMIT_CONNECT_PREFERENCE_MS : LIMIT_CONNECT_STAGGER_MS;
        if (r->runners[i].started_ms + wait > at) at = r->runners[i].started_ms + wait;
    }
    return at;
}

/* When the next host is looked up: when its turn would come, and not while another look-up may still bring something. */
static uint64_t need_ms(const struct race *r)
{
    uint64_t at = start_ms(r, r->more_preference), patience = r->asked_ms + LIMIT_CONNECT_LOOKUP_MS;
    return r->pending && patience > at ? patience : at;
}

enum race_step race_next(struct race *r, uint64_t now_ms, uint32_t *runner, uint64_t *until_ms)
{
    uint32_t i = 0;
    bool running = false;
    *until_ms = UINT64_MAX;
    if (first_waiting(r, &i)) {
        *until_ms = start_ms(r, r->runners[i].preference);
        if (*until_ms > now_ms) return RACE_WAIT;
        r->runners[i].state = RACE_RUNNING;
        r->runners[i].started_ms = now_ms;
        *runner = i;
        return RACE_START;
    }
    if (r->more) {
        *until_ms = need_ms(r);
        if (*until_ms > now_ms) return RACE_WAIT;
        r->pending++;
        r->asked_ms = now_ms;
        return RACE_NEED;
    }
    for (i = 0; i < r->n; i++)
        running |= r->runners[i].state == RACE_RUNNING;
    return running || r->pending ? RACE_WAIT : RACE_OVER;
}

void race_cut(struct race *r, uint16_t preference)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->runners[i].preference >= preference) r->runners[i].state = RACE_LOST;
    if (r->more && r->more_preference >= preference) r->more = false;
}
