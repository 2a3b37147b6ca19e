/* Networks that relay, or whose word on a client's address is believed, beside where this host stands: an address from which
 * strangers arrive, too, makes an open relay of it. */
#include "service/config_files_private.h"

enum { ADDRESS_OCTETS = 64 };

/* Two texts are made at a time. */
static const char *text_of(char memory[ADDRESS_OCTETS], const struct network *n, const struct address *a)
{
    struct buf b = buf_on(memory, ADDRESS_OCTETS - 1);
    if (n)
        network_put(&b, n);
    else
        address_put(&b, a);
    memory[b.n] = '\0';
    return memory;
}

struct shared { /* an address that may be many strangers' */
    const struct address *address;
    const char *what, *name; /* name: of an interface, or "" */
};

/* The first of it that the network holds: gateways, then bridges, then (own) any address of this host. */
static bool find_shared(const struct host_networks *h, const struct network *n, bool own, struct shared *ret)
{
    for (uint32_t i = 0; i < h->n_gateways; i++)
        if (network_holds(n, &h->gateways[i])) {
            *ret = (struct shared){&h->gateways[i], "the gateway of this host", ""};
            return true;
        }
    for (unsigned bridges = 2; bridges-- > 0;)
        for (uint32_t i = 0; i < h->n_interfaces; i++) {
            const struct host_interface *f = &h->interfaces[i];
            if (f->bridge != (bridges == 1) || (!f->bridge && !own) || !network_holds(n, &f->address))
                continue;
            *ret = (struct shared){
                &f->address, f->bridge ? "this host's address on the bridge " : "this host's address on ",
                f->name};
            return true;
        }
    return false;
}

static void check_relay(const struct config_files *f, const struct config_server *s,
                        const struct host_networks *h)
{
    bool own;
    const struct config_place place = config_server_said(f->config, s, "relay-networks", false, &own);
    for (uint32_t i = 0; i < s->n_relay_networks; i++) {
        char network[ADDRESS_OCTETS], address[ADDRESS_OCTETS];
        struct shared found;
        if (!find_shared(h, &s->relay_networks[i], true, &found)) continue;
        config_report_add(
            f->report, CONFIG_WARNING, place,
            CONFIG_FILES_SAY("relay network ", text_of(network, &s->relay_networks[i], NULL), " holds ",
                             text_of(address, NULL, found.address), ", ", found.what, found.name),
            "whoever comes in through address translation, a proxy, a tunnel or a container's published port "
            "may have that address, and would be relayed: list the single hosts that send");
    }
}

static void check_proxies(const struct config_files *f, const struct config_listener *l,
                          const struct host_networks *h)
{
    for (uint32_t i = 0; i < l->n_proxy_from; i++) {
        char network[ADDRESS_OCTETS], address[ADDRESS_OCTETS];
        struct shared found;
        if (!find_shared(h, &l->proxy_from[i], false, &found)) continue;
        config_report_add(
            f->report, CONFIG_WARNING, l->place,
            CONFIG_FILES_SAY("proxy network ", text_of(network, &l->proxy_from[i], NULL), " holds ",
                             text_of(address, NULL, found.address), ", ", found.what, found.name),
            "strangers that come in through it could name any address as their own, one of a relay network "
            "too: name the single proxies");
    }
}

void config_files_networks(const struct config_files *f, const struct host_networks *h)
{
    const struct config *c = f->config;
    for (uint32_t i = 0; i < c->n_servers; i++) {
        const struct config_server *s = &c->servers[i];
        check_relay(f, s, h);
        for (uint32_t k = 0; k < s->n_listeners; k++)
            if (k == 0 || s->listeners[k].proxy_from != s->listeners[k - 1].proxy_from)
                check_proxies(f, &s->listeners[k], h); /* one listen line, one complaint */
    }
}
