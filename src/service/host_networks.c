#include "service/host_networks.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hex.h"

enum { ROUTES_OCTETS = 262144 };

/* --- routes */

static struct span word(struct span *line)
{
    size_t begin = 0, end;
    while (begin < line->n && (line->p[begin] == ' ' || line->p[begin] == '\t'))
        begin++;
    for (end = begin; end < line->n && line->p[end] != ' ' && line->p[end] != '\t';)
        end++;
    struct span w = span_of(line->p + begin, end - begin);
    *line = span_skip(*line, end);
    return w;
}

static bool all_zero(struct span hex)
{
    for (size_t i = 0; i < hex.n; i++)
        if (hex.p[i] != '0') return false;
    return hex.n > 0;
}

/* Of IPv4 in the octet order of this machine, little-endian wherever this is built for. */
static void add_gateway(struct host_networks *h, struct span hex, bool v6)
{
    struct address a = {{0}};
    uint8_t octets[16];
    struct buf b = buf_on(octets, sizeof octets);
    if (all_zero(hex) || h->n_gateways == HOST_GATEWAYS || !hex_decode(hex, &b)) return;
    if (b.n != (v6 ? 16u : 4u)) return;
    if (v6) {
        memcpy(a.octets, octets, 16);
    } else {
        a.octets[10] = a.octets[11] = 0xff;
        for (unsigned i = 0; i < 4; i++)
            a.octets[12 + i] = octets[3 - i];
    }
    h->gateways[h->n_gateways++] = a;
}

/* "IFACE DESTINATION GATEWAY FLAGS REFERENCES USE METRIC MASK ..." */
static void route_v4(struct host_networks *h, struct span line)
{
    struct span column[8];
    for (size_t i = 0; i < 8; i++)
        column[i] = word(&line);
    if (all_zero(column[1]) && all_zero(column[7])) add_gateway(h, column[2], false);
}

/* "DESTINATION WIDTH SOURCE WIDTH GATEWAY ..." */
static void route_v6(struct host_networks *h, struct span line)
{
    struct span column[5];
    for (size_t i = 0; i < 5; i++)
        column[i] = word(&line);
    if (all_zero(column[0]) && all_zero(column[1])) add_gateway(h, column[4], true);
}

void host_networks_routes(struct host_networks *h, struct span text, bool v6)
{
    while (text.n) {
        struct span line = span_head(text, span_find(text, '\n'));
        text = span_skip(text, line.n + 1);
        (v6 ? route_v6 : route_v4)(h, line);
    }
}

static void read_routes(struct host_networks *h, const char *path, bool v6)
{
    static uint8_t text[ROUTES_OCTETS];
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    for (ssize_t got; n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0;)
        n += (size_t)got;
    close(fd);
    host_networks_routes(h, span_of(text, n), v6);
}

/* --- addresses */

static bool is_bridge(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/class/net/%.15s/bridge", name);
    return access(path, F_OK) == 0;
}

static void add_interface(struct host_networks *h, const struct ifaddrs *i)
{
    struct host_interface *mine = &h->interfaces[h->n_interfaces];
    const struct sockaddr_in *v4 = (const void *)i->ifa_addr;
    const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;
    *mine = (struct host_interface){.bridge = is_bridge(i->ifa_name)};
    if (i->ifa_addr->sa_family == AF_INET) {
        mine->address.octets[10] = mine->address.octets[11] = 0xff;
        memcpy(mine->address.octets + 12, &v4->sin_addr, 4);
    } else if (i->ifa_addr->sa_family == AF_INET6) {
        memcpy(mine->address.octets, &v6->sin6_addr, 16);
    } else {
        return;
    }
    snprintf(mine->name, sizeof mine->name, "%.15s", i->ifa_name);
    h->n_interfaces++;
}

void host_networks_read(struct host_networks *h)
{
    struct ifaddrs *all = NULL;
    *h = (struct host_networks){.n_interfaces = 0};
    if (getifaddrs(&all) == 0) {
        for (const struct ifaddrs *i = all; i && h->n_interfaces < HOST_INTERFACES; i = i->ifa_next)
            if (i->ifa_addr && !(i->ifa_flags & IFF_LOOPBACK)) add_interface(h, i);
        freeifaddrs(all);
    }
    read_routes(h, "/proc/net/route", false);
    read_routes(h, "/proc/net/ipv6_route", true);
}
