/* proxy_header: the PROXY protocol, versions 1 and 2, as a load balancer in front of us speaks it. Read only from peers in a
 * listener's `proxy from` networks, never detected: who is not in them is a direct client, and its octets are SMTP. */
#ifndef POLICY_PROXY_HEADER_H
#define POLICY_PROXY_HEADER_H

#include "policy/network.h"

#define PROXY_HEADER_OCTETS_MAX                                                                              \
    536 /* version 1: 107; version 2: 16, addresses, and room for TLVs, which are skipped */

enum proxy_status {
    PROXY_OK,   /* *octets were consumed; what follows is the client's own stream */
    PROXY_MORE, /* the header is not complete */
    PROXY_BAD,  /* no header, or a broken one: close without a word */
};

struct proxy_header {
    bool local;            /* LOCAL or UNKNOWN: a health check of the proxy itself, gets no relay network */
    struct address source; /* the client, unless local */
    uint16_t port;
};

enum proxy_status proxy_header_parse(struct span in, struct proxy_header *ret, size_t *octets);

#endif
