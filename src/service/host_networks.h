/* host_networks: where this host stands in its networks: its addresses, the bridges it makes for containers and virtual machines, the gateways of
 * its default routes. */
#ifndef SERVICE_HOST_NETWORKS_H
#define SERVICE_HOST_NETWORKS_H

#include "policy/network.h"

enum { HOST_INTERFACES = 256, HOST_GATEWAYS = 16, HOST_NAME_OCTETS = 16 };

struct host_interface { /* one address; loopback ones are left out */
    char name[HOST_NAME_OCTETS];
    struct address address;
    bool bridge;
};

struct host_networks {
    struct host_interface interfaces[HOST_INTERFACES];
    uint32_t n_interfaces;
    struct address gateways[HOST_GATEWAYS];
    uint32_t n_gateways;
};

/* As the kernel says it now; what it does not say is not there. */
void host_networks_read(struct host_networks *h);
/* Gateways of default routes from the text of /proc/net/route (v6: of /proc/net/ipv6_route), beside those that are there. */
void host_networks_routes(struct host_networks *h, struct span text, bool v6);

#endif
