#include "config/rights.h"

static bool in_group(const struct rights_subject *who, struct span group)
{
    for (uint32_t i = 0; i < who->n_groups; i++)
        if (span_eq_nocase(who->groups[i], group)) return true;
    return false;
}

static bool is_for(const struct config_grant *g, const struct rights_subject *who)
{
    size_t at = span_rfind(who->name, '@');
    switch ((enum config_grant_to)g->to) {
    case GRANT_TO_USER:
    case GRANT_TO_HOST: return span_eq(g->name, who->name);
    case GRANT_TO_GROUP: return in_group(who, g->name);
    case GRANT_TO_DOMAIN: return at != SPAN_NPOS && span_eq(span_skip(who->name, at + 1), g->name);
    }
    return false;
}

uint32_t rights_of(const struct config_server *s, const struct rights_subject *who, rights_origin_fn *fn,
                   void *context)
{
    uint32_t rights = 0, possible = s->profile == PROFILE_LEGACY_DEVICE ? LEGACY_RIGHTS : UINT32_MAX;

    for (uint32_t i = 0; i < who->n_grants; i++) {
        const struct right_grant *g = &who->grants[i];
        uint32_t had = g->rights & possible;
        rights |= had;
        if (fn && had) fn(context, &(struct rights_origin){.rights = had, .group = g->group});
    }
    for (uint32_t i = 0; i < s->n_grants; i++) {
        const struct config_grant *g = &s->grants[i];
        if (!is_for(g, who)) continue;
        rights |= g->right;
        if (fn)
            fn(context, &(struct rights_origin){.rights = g->right,
                                                .line = g,
                                                .group = g->to == GRANT_TO_GROUP ? g->name : SPAN("")});
    }
    return rights; /* lines of such a server grant nothing else: config/legacy */
}

bool rights_open_door(uint32_t rights)
{
    return (rights & (RIGHT_SUBMIT | RIGHT_ORG_PROPS | RIGHT_ORG_STATUS)) != 0;
}
