#include "policy/guess_private.h"

enum { /* what a failure weighs */
       POINTS_MALFORMED = 1,
       POINTS_TYPO = 1, /* of somebody who is known from there */
       POINTS_WRONG_SECRET = 2,
       POINTS_UNKNOWN_USER = 4,
       DOUBLINGS_MAX = 3
};

#define NOBODY (UINT64_C(1) << 63) /* key of a name that is no principal's */

_Static_assert(LIMIT_GUESS_WAIT_MS_FIRST << DOUBLINGS_MAX <= LIMIT_GUESS_WAIT_MS_MAX, "the longest pause");

size_t guess_octets(void)
{
    return sizeof(struct guess);
}

struct guess *guess_on(void *memory, uint64_t seed)
{
    struct guess *g = memory;
    g->seed = seed;
    return g;
}

uint64_t guess_hash(const struct guess *g, const void *p, size_t n)
{
    const uint8_t *octets = p;
    uint64_t x = g->seed;
    for (size_t i = 0; i < n; i++) { /* splitmix64 over each octet */
        x = (x ^ octets[i]) + 0x9e3779b97f4a7c15u;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
    }
    return x;
}

static uint64_t network_hash(const struct guess *g, const struct network *n)
{
    uint8_t octets[17];
    memcpy(octets, n->base.octets, 16);
    octets[16] = n->bits;
    return guess_hash(g, octets, sizeof octets);
}

uint32_t guess_bucket(const struct guess *g, const struct network *n, uint32_t rows)
{
    return (uint32_t)(network_hash(g, n) % (rows / GUESS_WAYS)) * GUESS_WAYS;
}

bool guess_same(const struct network *a, const struct network *b)
{
    return a->bits == b->bits && memcmp(a->base.octets, b->base.octets, 16) == 0;
}

struct network guess_network(const struct address *a, bool wide)
{
    bool v4 = address_is_v4(a);
    struct network n = {.base = *a, .bits = v4 ? (wide ? 120 : 128) : (wide ? 48 : 64)};
    memset(n.base.octets + n.bits / 8, 0, 16 - n.bits / 8u);
    return n;
}

static uint64_t seconds_since(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

/* --- what is known of accounts */

static uint64_t key_of(const struct guess *g, const struct guess_account *who)
{
    uint8_t lower[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct span name = span_head(who->name, sizeof lower);
    if (who->number) return who->number;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = octet_lower(name.p[i]);
    return guess_hash(g, lower, name.n) | NOBODY;
}

static uint32_t key_bucket(const struct guess *g, uint64_t key, uint32_t rows)
{
    return (uint32_t)(guess_hash(g, &key, sizeof key) % (rows / GUESS_WAYS)) * GUESS_WAYS;
}

static struct guess_friend *friend_find(const struct guess *g, uint64_t key)
{
    const struct guess_friend *f = &g->friends[key_bucket(g, key, LIMIT_GUESS_KNOWN_ACCOUNTS)];
    for (unsigned i = 0; i < GUESS_WAYS; i++)
        if (f[i].key == key) return (struct guess_friend *)(uintptr_t)&f[i];
    return NULL;
}

static bool known_from(const struct guess *g, uint64_t key, const struct network *source, uint64_t now)
{
    const struct guess_friend *f = key & NOBODY ? NULL : friend_find(g, key);
    for (unsigned i = 0; f && i < LIMIT_GUESS_KNOWN_NETWORKS; i++)
        if (f->from[i].at && guess_same(&f->from[i].source, source))
            return seconds_since(f->from[i].at, now) < LIMIT_GUESS_KNOWN_SECONDS;
    return false;
}

static struct guess_vouched *vouched_find(const struct guess *g, const struct network *source)
{
    const struct guess_vouched *v = &g->vouched[guess_bucket(g, source, LIMIT_GUESS_KNOWN_SOURCES)];
    for (unsigned i = 0; i < GUESS_WAYS; i++)
        if (v[i].at && guess_same(&v[i].source, source)) return (struct guess_vouched *)(uintptr_t)&v[i];
    return NULL;
}

bool guess_vouched_for(const struct guess *g, const struct network *source, uint64_t now)
{
    const struct guess_vouched *v = vouched_find(g, source);
    return v && seconds_since(v->at, now) < LIMIT_GUESS_KNOWN_SECONDS;
}

static void vouch(struct guess *g, uint64_t key, const struct network *source, uint64_t at)
{
    struct guess_vouched *v = vouched_find(g, source);
    if (!v) {
        struct guess_vouched *row = &g->vouched[guess_bucket(g, source, LIMIT_GUESS_KNOWN_SOURCES)];
        v = row;
        for (unsigned i = 1; i < GUESS_WAYS; i++)
            if (row[i].at < v->at) v = &row[i];
    } else if (v->at >= at) {
        return;
    }
    *v = (struct guess_vouched){*source, at, key};
}

/* One account vouches for a few networks: who owns one cannot push out what others are known by. */
static void vouch_no_more(struct guess *g, uint64_t key, const struct network *source)
{
    struct guess_vouched *v = vouched_find(g, source);
    if (v && v->key == key) *v = (struct guess_vouched){.at = 0};
}

static struct guess_friend *friend_make(struct guess *g, uint64_t key)
{
    struct guess_friend *f = friend_find(g, key), *row;
    if (f) return f;
    row = &g->friends[key_bucket(g, key, LIMIT_GUESS_KNOWN_ACCOUNTS)];
    f = row;
    for (unsigned i = 1; i < GUESS_WAYS; i++)
        if (row[i].at < f->at) f = &row[i];
    *f = (struct guess_friend){.key = key};
    return f;
}

/* The place of that source among those of an account: its own, or the oldest one's. */
static struct guess_known *know(struct guess *g, uint64_t key, const struct network *source, uint64_t at)
{
    struct guess_friend *f = friend_make(g, key);
    struct guess_known *k = f->from;
    for (unsigned i = 0; i < LIMIT_GUESS_KNOWN_NETWORKS; i++) {
        struct guess_known *one = &f->from[i];
        if (one->at && guess_same(&one->source, source)) {
            k = one;
            break;
        }
        if (one->at < k->at) k = one;
    }
    if (!k->at || !guess_same(&k->source, source)) {
        if (k->at) vouch_no_more(g, key, &k->source);
        *k = (struct guess_known){.source = *source};
    }
    if (at > k->at) k->at = at;
    if (at > f->at) f->at = at;
    vouch(g, key, source, at);
    return k;
}

void guess_know(struct guess *g, uint32_t account, const struct network *source, uint64_t unix_seconds)
{
    if (account && unix_seconds) know(g, account, source, unix_seconds)->kept = unix_seconds;
}

/* --- who was guessed at */

/* Within the period, seen from either side: what is further ahead was noted before the clock went back. */
static bool lately(uint64_t then, uint64_t now)
{
    return then && (then > now ? then - now : now - then) < LIMIT_GUESS_PERIOD_SECONDS;
}

/* Counts one more thing; how many different ones there were in the period. *fresh: it is one that was not counted. */
static uint32_t see(struct guess_seen *seen, uint32_t hash, uint64_t now, bool *fresh)
{
    unsigned k = 0, n = 0;
    for (unsigned i = 0; i < GUESS_SEEN; i++) {
        if (seen[i].at && seen[i].hash == hash) {
            k = i;
            break;
        }
        if (lately(seen[k].at, now) && (!lately(seen[i].at, now) || seen[i].at < seen[k].at)) k = i;
    }
    *fresh = !seen[k].at || seen[k].hash != hash;
    seen[k] = (struct guess_seen){now, hash};
    for (unsigned i = 0; i < GUESS_SEEN; i++)
        n += lately(seen[i].at, now);
    return n;
}

static struct guess_target *target_find(const struct guess *g, uint64_t key)
{
    const struct guess_target *t = &g->targets[key_bucket(g, key, LIMIT_GUESS_ACCOUNTS)];
    for (unsigned i = 0; i < GUESS_WAYS; i++)
        if (t[i].key == key) return (struct guess_target *)(uintptr_t)&t[i];
    return NULL;
}

static bool attacked(const struct guess *g, uint64_t key, uint64_t now)
{
    const struct guess_target *t = target_find(g, key);
    return t && lately(t->raised, now);
}

static void count_target(struct guess *g, uint64_t key, const struct network *wide, uint64_t now,
                         struct guess_news *news)
{
    struct guess_target *t = target_find(g, key);
    bool fresh;
    if (!t) {
        struct guess_target *row = &g->targets[key_bucket(g, key, LIMIT_GUESS_ACCOUNTS)];
        t = row;
        for (unsigned i = 1; i < GUESS_WAYS; i++)
            if (row[i].at < t->at) t = &row[i];
        *t = (struct guess_target){.key = key};
    }
    t->at = now;
    uint32_t n = see(t->from, (uint32_t)network_hash(g, wide), now, &fresh);
    if (n < LIMIT_GUESS_DISTRIBUTED_NETWORKS || attacked(g, key, now)) return;
    t->raised = now;
    news->distributed = true;
    news->distributed_networks = n;
}

/* --- sources */

static uint32_t points_of(const struct guess_source *s, uint64_t now)
{
    if (s->at > now && s->at - now > LIMIT_BAN_SECONDS_MAX) return 0; /* the clock went back */
    uint64_t forgiven = seconds_since(s->at, now) / LIMIT_GUESS_POINT_SECONDS;
    return forgiven < s->points ? s->points - (uint32_t)forgiven : 0;
}

/* Between two logins of that source; 0: none. */
static uint64_t pause_of(uint32_t points)
{
    if (points < LIMIT_GUESS_SLOW_POINTS) return 0;
    uint32_t doublings = (points - LIMIT_GUESS_SLOW_POINTS) / 4;
    return (uint64_t)LIMIT_GUESS_WAIT_MS_FIRST << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
}

/* Points leak from `at` on: what is left of a point that is not forgiven yet goes on leaking. */
static void add_points(struct guess_source *s, uint32_t points, uint64_t now)
{
    uint32_t left = points_of(s, now);
    if (left == 0)
        s->at = now;
    else if (now > s->at)
        s->at = now - (now - s->at) % LIMIT_GUESS_POINT_SECONDS;
    s->points = left + points;
}

/* A name more in the text: printable, so that it may stand anywhere. */
static void note_name(struct guess_ban *ban, struct span name)
{
    size_t at = strlen(ban->text), room = sizeof ban->text - 1 - at;
    if (name.n == 0 || name.n + 1 > room) return;
    if (at) ban->text[at++] = ',';
    for (size_t i = 0; i < name.n; i++) {
        bool odd = name.p[i] <= ' ' || name.p[i] > '~' || strchr(",\"\\", name.p[i]);
        ban->text[at++] = odd ? '?' : (char)name.p[i];
    }
    ban->text[at] = 0;
}

struct failure { /* as every width of its source sees it */
    uint32_t points;
    bool about; /* an account, which is not known from there */
    uint64_t key;
    struct span name;
};

static bool sprays(const struct guess_source *s, uint64_t now)
{
    return lately(s->spray_raised, now);
}

static void raise_spray(struct guess_source *s, uint64_t now, struct guess_news *news)
{
    if (sprays(s, now)) return;
    s->spray_raised = now;
    news->spray = true;
    news->spray_network = s->ban.network;
    news->spray_accounts = s->ban.accounts;
}

/* True: it sprays. */
static bool charge(struct guess *g, const struct address *a, bool wide, const struct failure *f,
                   uint64_t unix_ms, struct guess_news *news)
{
    const uint64_t now = unix_ms / 1000;
    const uint32_t most = wide ? LIMIT_GUESS_BAN_POINTS_WIDE : LIMIT_GUESS_BAN_POINTS;
    const uint32_t many = wide ? LIMIT_GUESS_SPRAY_ACCOUNTS_WIDE : LIMIT_GUESS_SPRAY_ACCOUNTS;
    const struct network n = guess_network(a, wide);
    struct guess_source *s = guess_make(g, &n, now);
    bool banned = guess_in_force(&s->ban, now), fresh = false;

    if (!banned && points_of(s, now) == 0 && s->ban.failures) { /* a new story */
        s->ban.failures = 0;
        s->ban.text[0] = 0;
    }
    add_points(s, f->points, now);
    s->ban.failures += s->ban.failures < UINT32_MAX;
    if (f->about) s->ban.accounts = see(s->seen, (uint32_t)f->key ^ (uint32_t)(f->key >> 32), now, &fresh);
    if (fresh) note_name(&s->ban, f->name);
    uint64_t pause = pause_of(points_of(s, now));
    if (s->next_ms < unix_ms + pause) s->next_ms = unix_ms + pause;
    bool spray = f->about && s->ban.accounts >= many;
    if (spray) raise_spray(s, now, news);
    if (!banned && (spray || s->points >= most)) {
        guess_ban_row(g, s, spray ? GUESS_BY_SPRAY : GUESS_BY_FAILURES, now);
        news->bans[news->n_bans++] = s->ban;
    }
    return sprays(s, now);
}

/* --- questions */

enum guess_answer guess_begin(struct guess *g, const struct address *a, uint64_t unix_ms, uint64_t *wait_ms)
{
    const struct network narrow = guess_network(a, false);
    *wait_ms = 0;
    if (guess_banned(g, a, unix_ms)) return GUESS_BANNED;
    struct guess_source *s = guess_find(g, &narrow);
    uint64_t pause = s ? pause_of(points_of(s, unix_ms / 1000)) : 0;
    if (!pause) return GUESS_LET;
    uint64_t start = s->next_ms > unix_ms ? s->next_ms : unix_ms;
    if (start - unix_ms > 2 * LIMIT_GUESS_WAIT_MS_MAX) start = unix_ms; /* the clock went back */
    if (start - unix_ms > LIMIT_GUESS_WAIT_MS_MAX) return GUESS_LATER;
    s->next_ms = start + pause;
    *wait_ms = start - unix_ms;
    return *wait_ms ? GUESS_WAIT : GUESS_LET;
}

void guess_failed(struct guess *g, const struct address *a, enum guess_failure kind,
                  const struct guess_account *who, uint64_t unix_ms, struct guess_news *ret)
{
    const uint64_t now = unix_ms / 1000;
    const struct network narrow = guess_network(a, false), wide = guess_network(a, true);
    const bool named = kind != GUESS_MALFORMED && (who->number || who->name.n);
    const uint64_t key = key_of(g, who);
    const bool known = named && known_from(g, key, &narrow, now);
    struct failure f = {.about = named && !known, .key = key, .name = who->name};

    *ret = (struct guess_news){.n_bans = 0};
    f.points = kind == GUESS_MALFORMED      ? POINTS_MALFORMED
               : known                      ? POINTS_TYPO
               : kind == GUESS_UNKNOWN_USER ? POINTS_UNKNOWN_USER
                                            : POINTS_WRONG_SECRET;
    if (f.about && attacked(g, key, now)) {
        f.points *= 2;
        ret->wait_ms = LIMIT_GUESS_ATTACKED_WAIT_MS;
    }
    if (f.about) count_target(g, key, &wide, now, ret);
    /* a single source that sprays says nothing of its neighbours */
    if (charge(g, a, false, &f, unix_ms, ret)) f.about = false;
    if (!known) (void)charge(g, a, true, &f, unix_ms, ret);
}

uint64_t guess_wait_ms(const struct guess *g, const struct address *a, uint32_t account, uint64_t unix_ms)
{
    const struct network narrow = guess_network(a, false);
    const uint64_t now = unix_ms / 1000;
    return !known_from(g, account, &narrow, now) && attacked(g, account, now) ? LIMIT_GUESS_ATTACKED_WAIT_MS
                                                                              : 0;
}

bool guess_succeeded(struct guess *g, const struct address *a, uint32_t account, uint64_t unix_ms,
                     uint64_t *wait_ms)
{
    const uint64_t now = unix_ms / 1000;
    const struct network narrow = guess_network(a, false);
    *wait_ms = guess_wait_ms(g, a, account, unix_ms);
    struct guess_known *k = know(g, account, &narrow, now);
    if (k->kept && seconds_since(k->kept, now) < LIMIT_GUESS_KNOWN_AGAIN_SECONDS) return false;
    k->kept = now;
    return true;
}
