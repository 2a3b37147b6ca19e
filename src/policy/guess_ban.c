/* Bans: which count, and what is kept of them. */
#include "policy/guess_private.h"

struct guess_source *guess_find(const struct guess *g, const struct network *n)
{
    const struct guess_source *s = &g->sources[guess_bucket(g, n, LIMIT_GUESS_SOURCES)];
    for (unsigned i = 0; i < GUESS_WAYS; i++)
        if (guess_same(&s[i].ban.network, n)) return (struct guess_source *)(uintptr_t)&s[i];
    return NULL;
}

bool guess_in_force(const struct guess_ban *ban, uint64_t unix_seconds)
{
    return ban->until > unix_seconds &&
           (ban->reason == GUESS_BY_HAND || ban->until - unix_seconds <= LIMIT_BAN_SECONDS_MAX);
}

/* Less is forgotten sooner: what is not banned, the oldest of it; of what is banned, what ends soonest. */
static uint64_t worth(const struct guess_source *s, uint64_t now)
{
    const uint64_t banned = UINT64_C(1) << 62;
    return s->ban.network.bits == 0 ? 0 : guess_in_force(&s->ban, now) ? banned + s->ban.until : 1 + s->at;
}

struct guess_source *guess_make(struct guess *g, const struct network *n, uint64_t now)
{
    struct guess_source *found = guess_find(g, n);
    struct guess_source *s = &g->sources[guess_bucket(g, n, LIMIT_GUESS_SOURCES)];
    if (found) return found;
    found = s;
    for (unsigned i = 1; i < GUESS_WAYS; i++)
        if (worth(&s[i], now) < worth(found, now)) found = &s[i];
    *found = (struct guess_source){.ban = {.network = *n}};
    return found;
}

void guess_ban_row(struct guess *g, struct guess_source *s, enum guess_reason why, uint64_t now)
{
    uint64_t seconds = LIMIT_BAN_SECONDS_FIRST;
    if (now > s->ban.until && now - s->ban.until > LIMIT_BAN_FORGET_SECONDS) s->ban.strikes = 0;
    for (uint32_t i = 0; i < s->ban.strikes && seconds < LIMIT_BAN_SECONDS_MAX; i++)
        seconds *= 4;
    g->version++;
    s->ban.strikes++;
    s->ban.since = now;
    s->ban.until = now + (seconds < LIMIT_BAN_SECONDS_MAX ? seconds : LIMIT_BAN_SECONDS_MAX);
    s->ban.reason = (uint8_t)why;
    s->dirty = true;
    s->points = LIMIT_GUESS_SLOW_POINTS; /* what it begins with when it is over */
    s->at = s->ban.until;
    memset(s->seen, 0, sizeof s->seen);
}

static const struct guess_ban *row_ban(const struct guess *g, const struct network *n, uint64_t now)
{
    const struct guess_source *s = guess_find(g, n);
    return s && guess_in_force(&s->ban, now) ? &s->ban : NULL;
}

static const struct guess_ban *find_ban(const struct guess *g, const struct address *a, uint64_t now)
{
    const struct network narrow = guess_network(a, false), wide = guess_network(a, true);
    const struct guess_ban *ban;
    for (uint32_t i = 0; i < g->n_by_hand; i++)
        if (guess_in_force(&g->by_hand[i], now) && network_holds(&g->by_hand[i].network, a))
            return &g->by_hand[i];
    ban = row_ban(g, &narrow, now);
    /* what neighbours did does not count where somebody logged in lately */
    return ban || guess_vouched_for(g, &narrow, now) ? ban : row_ban(g, &wide, now);
}

bool guess_banned(const struct guess *g, const struct address *a, uint64_t unix_ms)
{
    return find_ban(g, a, unix_ms / 1000) != NULL;
}

bool guess_ban_of(const struct guess *g, const struct address *a, uint64_t unix_ms, struct guess_ban *ret)
{
    const struct guess_ban *ban = find_ban(g, a, unix_ms / 1000);
    if (ban) *ret = *ban;
    return ban != NULL;
}

bool guess_take(struct guess *g, struct guess_ban *ret)
{
    for (; g->taken < LIMIT_GUESS_SOURCES; g->taken++) {
        struct guess_source *s = &g->sources[g->taken];
        if (!s->dirty) continue;
        s->dirty = false;
        *ret = s->ban;
        return true;
    }
    g->taken = 0;
    return false;
}

void guess_give_back(struct guess *g, const struct guess_ban *ban)
{
    struct guess_source *s = guess_find(g, &ban->network);
    if (s) s->dirty = true;
}

static void load(struct guess *g, const struct guess_ban *ban, uint64_t now)
{
    if (ban->reason == GUESS_BY_HAND) {
        if (g->n_by_hand < LIMIT_GUESS_BANS_BY_HAND) g->by_hand[g->n_by_hand++] = *ban;
        return;
    }
    struct guess_source *s = guess_make(g, &ban->network, now);
    s->round = g->round;
    if (s->dirty || s->ban.until == ban->until) return;
    s->ban = *ban;
    s->ban.text[sizeof s->ban.text - 1] = 0;
    s->points = LIMIT_GUESS_SLOW_POINTS;
    s->at = ban->until;
}

void guess_load(struct guess *g, const struct guess_ban *bans, size_t n, uint64_t unix_ms)
{
    const uint64_t now = unix_ms / 1000;
    g->round++;
    g->version++;
    g->n_by_hand = 0;
    for (size_t i = 0; i < n; i++)
        load(g, &bans[i], now);
    for (uint32_t i = 0; i < LIMIT_GUESS_SOURCES; i++) {
        struct guess_source *s = &g->sources[i];
        if (guess_in_force(&s->ban, now) && !s->dirty && s->round != g->round)
            *s = (struct guess_source){.ban = {.network = s->ban.network}};
    }
}

uint64_t guess_version(const struct guess *g)
{
    return g->version;
}

bool guess_bars(const struct guess_ban *ban, bool logins)
{
    struct network source = guess_network(&ban->network.base, false);
    return ban->reason == GUESS_BY_HAND || (logins && guess_same(&source, &ban->network));
}

uint32_t guess_barred(const struct guess *g, bool logins, uint64_t unix_ms, struct barred_entry *ret)
{
    const uint64_t now = unix_ms / 1000;
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_by_hand; i++)
        if (guess_in_force(&g->by_hand[i], now))
            ret[n++] = (struct barred_entry){g->by_hand[i].network, g->by_hand[i].until, true, false};
    for (uint32_t i = 0; i < LIMIT_GUESS_SOURCES; i++) {
        const struct guess_ban *ban = &g->sources[i].ban;
        if (guess_in_force(ban, now) && guess_bars(ban, logins))
            ret[n++] = (struct barred_entry){ban->network, ban->until, false, false};
    }
    return n;
}

uint32_t guess_count(const struct guess *g, uint64_t unix_ms)
{
    const uint64_t now = unix_ms / 1000;
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_by_hand; i++)
        n += guess_in_force(&g->by_hand[i], now);
    for (uint32_t i = 0; i < LIMIT_GUESS_SOURCES; i++)
        n += guess_in_force(&g->sources[i].ban, now);
    return n;
}
