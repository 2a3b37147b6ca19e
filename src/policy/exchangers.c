#include "policy/exchangers.h"

/* splitmix64 */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void exchangers_order(struct exchanger *e, uint32_t n, uint64_t seed)
{
    for (uint32_t i = n; i > 1; i--) { /* Fisher and Yates */
        uint32_t k = (uint32_t)(next_random(&seed) % i);
        struct exchanger swap = e[i - 1];
        e[i - 1] = e[k];
        e[k] = swap;
    }
    for (uint32_t i = 1; i < n; i++) /* stable, and n is small */
        for (uint32_t k = i; k > 0 && e[k - 1].preference > e[k].preference; k--) {
            struct exchanger swap = e[k - 1];
            e[k - 1] = e[k];
            e[k] = swap;
        }
}

uint32_t exchangers_better(const struct exchanger *e, uint32_t n, const struct span *ours, uint32_t n_ours)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n_ours; k++) {
            if (!span_eq_nocase(e[i].name, ours[k])) continue;
            uint32_t left = i;
            while (left > 0 && e[left - 1].preference == e[i].preference)
                left--;
            return left;
        }
    return n;
}
