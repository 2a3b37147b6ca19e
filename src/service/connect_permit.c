/* What the configuration permits: the relay says where it wants to go, and is not believed. */
#include "service/connect_private.h"

static bool same_hop(const struct next_hop *a, const struct next_hop *b)
{
    return a->kind == b->kind && a->protocol == b->protocol && a->implicit_tls == b->implicit_tls &&
           (a->kind == NEXT_HOP_MX || span_eq(a->name, b->name));
}

static bool permit_listed(const struct config *c, const struct next_hop *h)
{
    for (uint32_t i = 0; i < c->n_deliver; i++)
        if (c->deliver[i].how == DELIVER_LMTP && same_hop(&c->deliver[i].hop, h)) return true;
    for (uint32_t i = 0; i < c->n_routes; i++)
        if (same_hop(&c->routes[i].hop, h)) return true;
    for (uint32_t i = 0; i < c->n_sender_routes; i++)
        if (same_hop(&c->sender_routes[i].hop, h)) return true;
    return false;
}

/* A domain goes by MX unless a route of its own or "*" says otherwise; then some other route by MX must be there, for an address in it or
 * for a sender. */
bool permit_hop(const struct config *c, const struct next_hop *h)
{
    if (h->kind != NEXT_HOP_MX) return permit_listed(c, h);
    const struct config_route *r = config_route_find(c, h->name);
    return !r || r->hop.kind == NEXT_HOP_MX || permit_listed(c, h);
}

/* 0.0.0.0 and :: listen on every address of their family. */
static bool is_any(const struct address *listener, const struct address *a)
{
    static const struct address v4 = {{[10] = 0xff, [11] = 0xff}}, v6 = {{0}};
    return memcmp(listener, address_is_v4(a) ? &v4 : &v6, sizeof *listener) == 0;
}

bool permit_is_listener(const struct config *c, const struct address *a, uint16_t port, bool here)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        for (uint32_t k = 0; k < c->servers[i].n_listeners; k++) {
            const struct config_listener *l = &c->servers[i].listeners[k];
            if (l->port != port) continue;
            if (memcmp(&l->address, a, sizeof *a) == 0 || (here && is_any(&l->address, a))) return true;
        }
    return false;
}
