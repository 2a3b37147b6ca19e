/* network: addresses and networks of clients, both families in one 16-octet form (IPv4 as ::ffff:a.b.c.d). */
#ifndef POLICY_NETWORK_H
#define POLICY_NETWORK_H

#include "base/buf.h"

struct address {
    uint8_t octets[16];
};
struct network {
    struct address base;
    uint8_t bits; /* 0..128; an IPv4 /n is 96 + n */
};

bool address_is_v4(const struct address *a);
bool address_is_loopback(const struct address *a);                /* 127/8 or ::1 */
bool address_is_any(const struct address *a);                     /* 0.0.0.0, :: */
bool address_parse(struct span s, struct address *ret);           /* 192.0.2.1, 2001:db8::1, no brackets */
void address_put(struct buf *b, const struct address *a);         /* canonical text, RFC 5952 */
void address_put_literal(struct buf *b, const struct address *a); /* [192.0.2.1], [IPv6:2001:db8::1] */
/* 192.0.2.0/24; a lone address is /32 or /128; host bits that are set are an error. */
bool network_parse(struct span s, struct network *ret);
/* The same of what may have host bits: the network that it lies in, 192.0.2.0/24 of 192.0.2.7/24. */
bool network_parse_around(struct span s, struct network *ret);
void network_put(struct buf *b, const struct network *n); /* 192.0.2.0/24 */
/* An IPv6 network of any width holds no IPv4 address, unless it is written within ::ffff:0:0/96. */
bool network_holds(const struct network *n, const struct address *a);
bool network_any_holds(const struct network *n, size_t count, const struct address *a); /* one of them does */
/* All of b lies in a, as network_holds asks it; the same network does, too. */
bool network_encloses(const struct network *a, const struct network *b);
/* Union of the networks wider than /8 (IPv4) or /32 (IPv6): invariant I1 makes that a config error. IPv4 hosts behind a translator count
 * as IPv4. */
bool network_union_too_wide(const struct network *n, size_t count);
/* A lone address as routers and container hosts usually have it: the first or the last of its network. */
bool network_looks_like_gateway(const struct network *n);
/* The key of per-source limits: the full address for IPv4 and inside 127/8, the /64 for IPv6. */
void address_source_key(const struct address *a, uint8_t ret[16]);

#endif
