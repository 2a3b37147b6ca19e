#include "policy/admission.h"

static bool stands_for_itself(const struct admission *a, const struct network *allowed)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!a->rules[i].allow && network_encloses(&a->rules[i].network, allowed)) return false;
    return true;
}

static bool denied_too(const struct admission *a, const struct network *allowed)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!a->rules[i].allow && a->rules[i].network.bits == allowed->bits &&
            network_encloses(&a->rules[i].network, allowed))
            return true;
    return false;
}

/* --- names */

void admission_name_put(struct buf *b, const struct admission_name *r)
{
    if (r->below) buf_str(b, "*.");
    buf_put(b, r->name);
}

static bool is_below(struct span name, struct span domain)
{
    return name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
           span_eq_nocase(span_skip(name, name.n - domain.n), domain);
}

static bool holds(const struct admission_name *r, struct span name)
{
    return r->below ? is_below(name, r->name) : span_eq_nocase(r->name, name);
}

static bool same_name(const struct admission_name *a, const struct admission_name *b)
{
    return a->below == b->below && span_eq_nocase(a->name, b->name);
}

/* Is there a rule of the other word around it? */
static bool is_exception(const struct admission *a, const struct admission_name *inner)
{
    for (uint32_t i = 0; i < a->n_names; i++) {
        const struct admission_name *r = &a->names[i];
        if (r->allow != inner->allow && r->below &&
            (is_below(inner->name, r->name) || (!inner->below && holds(r, inner->name))))
            return true;
    }
    return false;
}

static const struct admission_name *name_clash(const struct admission *a)
{
    for (uint32_t i = 0; i < a->n_names; i++)
        for (uint32_t k = i + 1; k < a->n_names; k++)
            if (a->names[i].allow != a->names[k].allow && same_name(&a->names[i], &a->names[k]))
                return &a->names[i];
    return NULL;
}

bool admission_finish(struct admission *a, struct admission_clash *clash)
{
    bool denied_name = false;
    *clash = (struct admission_clash){.name = name_clash(a)};
    a->others = true;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct admission_rule *r = &a->rules[i];
        if (!r->allow) continue;
        if (denied_too(a, &r->network)) {
            clash->network = r;
            return false;
        }
        if (a->others && stands_for_itself(a, &r->network)) a->others = false;
    }
    for (uint32_t i = 0; i < a->n_names; i++) {
        if (is_exception(a, &a->names[i])) continue;
        if (a->names[i].allow)
            a->others = false;
        else
            denied_name = true;
    }
    a->others |= denied_name; /* to deny a name says that others come in */
    return !clash->name;
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

bool admission_asks(const struct admission *a, const struct admission_rule *rule)
{
    return !rule && a->n_names > 0;
}

static bool decides(const struct admission_name *r, const struct admission_name *best)
{
    if (!best || r->name.n != best->name.n) return !best || r->name.n > best->name.n;
    if (r->below != best->below) return best->below;
    return !r->allow;
}

bool admission_permits_names(const struct admission *a, const struct span *names, unsigned n,
                             const struct admission_name **rule)
{
    const struct admission_name *best = NULL;
    for (uint32_t i = 0; i < a->n_names; i++)
        for (unsigned k = 0; k < n; k++)
            if (holds(&a->names[i], names[k]) && decides(&a->names[i], best)) best = &a->names[i];
    *rule = best;
    return best ? best->allow : a->others;
}
