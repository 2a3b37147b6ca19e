/* guess_private: the tables. guess: what failures and successes do to them; guess_ban: bans, and what is kept of them. */
#ifndef POLICY_GUESS_PRIVATE_H
#define POLICY_GUESS_PRIVATE_H

#include "policy/guess.h"

enum { GUESS_WAYS = 8, GUESS_SEEN = 16 };

struct guess_seen { /* something that was counted, by its hash */
    uint64_t at;    /* unix seconds; 0: nothing */
    uint32_t hash;
};

struct guess_source {
    uint64_t at;           /* of the last failure, points leak from here; unix seconds */
    uint64_t next_ms;      /* its next login may begin then */
    uint64_t spray_raised; /* unix seconds */
    uint32_t points;
    uint32_t round; /* of guess_load that saw it */
    bool dirty;     /* the store does not have it yet */
    struct guess_seen seen[GUESS_SEEN];
    struct guess_ban ban; /* its network (bits 0: the row is empty); until in the past: none */
};

struct guess_target { /* an account that failures were about */
    uint64_t key, at, raised;
    struct guess_seen from[GUESS_SEEN];
};

struct guess_known { /* where an account logged in */
    struct network source;
    uint64_t at, kept; /* last; and what the store has */
};
struct guess_friend { /* an account that logged in */
    uint64_t key, at;
    struct guess_known from[LIMIT_GUESS_KNOWN_NETWORKS];
};

struct guess_vouched { /* a source that somebody logged in from */
    struct network source;
    uint64_t at, key; /* who */
};

struct guess {
    uint64_t seed, version;
    uint32_t round, taken; /* taken: where guess_take goes on */
    uint32_t n_by_hand;
    struct guess_ban by_hand[LIMIT_GUESS_BANS_BY_HAND];
    struct guess_source sources[LIMIT_GUESS_SOURCES];
    struct guess_target targets[LIMIT_GUESS_ACCOUNTS];
    struct guess_friend friends[LIMIT_GUESS_KNOWN_ACCOUNTS];
    struct guess_vouched vouched[LIMIT_GUESS_KNOWN_SOURCES];
};

uint64_t guess_hash(const struct guess *g, const void *p, size_t n);
/* The first of the rows (GUESS_WAYS of them) where a source may stand. */
uint32_t guess_bucket(const struct guess *g, const struct network *n, uint32_t rows);
bool guess_same(const struct network *a, const struct network *b);
/* The row of that network, or null; or make one of the oldest that is not banned. */
struct guess_source *guess_find(const struct guess *g, const struct network *n);
struct guess_source *guess_make(struct guess *g, const struct network *n, uint64_t now);
/* Somebody logged in from there lately. */
bool guess_vouched_for(const struct guess *g, const struct network *source, uint64_t now);
/* Bans the network of a row from now on. */
void guess_ban_row(struct guess *g, struct guess_source *s, enum guess_reason why, uint64_t now);

#endif
