#include "policy/admission.h"

/* b lies in a: the same network does, too. */
static bool encloses(const struct network *a, const struct network *b)
{
    return a->bits <= b->bits && network_holds(a, &b->base);
}

static bool stands_for_itself(const struct admission *a, const struct network *allowed)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!a->rules[i].allow && encloses(&a->rules[i].network, allowed)) return false;
    return true;
}

static bool denied_too(const struct admission *a, const struct network *allowed)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!a->rules[i].allow && a->rules[i].network.bits == allowed->bits &&
            encloses(&a->rules[i].network, allowed))
            return true;
    return false;
}

bool admission_finish(struct admission *a, struct network *both)
{
    a->others = true;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct admission_rule *r = &a->rules[i];
        if (!r->allow) continue;
        if (denied_too(a, &r->network)) {
            *both = r->network;
            return false;
        }
        if (a->others && stands_for_itself(a, &r->network)) a->others = false;
    }
    return true;
}

bool admission_permits(const struct admission *a, const struct address *client,
                       const struct admission_rule **rule)
{
    const struct admission_rule *best = NULL;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct admission_rule *r = &a->rules[i];
        if ((!best || r->network.bits > best->network.bits) && network_holds(&r->network, client)) best = r;
    }
    *rule = best;
    return best ? best->allow : a->others;
}
