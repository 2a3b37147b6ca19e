/* secret: comparing what only the right one can know, in a time that tells nothing of where it differs. */
#ifndef SASL_SECRET_H
#define SASL_SECRET_H

#include "base/span.h"

/* The lengths are no secret. */
static inline bool secret_equal(struct span a, struct span b)
{
    volatile uint8_t differs = 0;
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        differs |= a.p[i] ^ b.p[i];
    return differs == 0;
}

#endif
