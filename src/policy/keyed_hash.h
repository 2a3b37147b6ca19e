/* keyed_hash: where a name lies in a table that strangers choose the names of; with a random seed nobody can choose names that share places. */
#ifndef POLICY_KEYED_HASH_H
#define POLICY_KEYED_HASH_H

#include "base/span.h"

static inline uint64_t keyed_mix(uint64_t x) /* the finaliser of splitmix64 */
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* One more part, its length included: "a", "bc" and "ab", "c" are two names. h: the seed, or what came of the part before. */
static inline uint64_t keyed_span(uint64_t h, struct span s)
{
    h = keyed_mix(h ^ s.n);
    while (s.n) {
        uint64_t word = 0;
        size_t n = s.n < 8 ? s.n : 8;
        memcpy(&word, s.p, n);
        h = keyed_mix(h ^ word) + 0x9e3779b97f4a7c15u;
        s = span_skip(s, n);
    }
    return h;
}

#endif
