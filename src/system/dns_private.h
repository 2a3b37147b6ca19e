/* dns: inside. dns.c: questions; dns_event.c: libunbound's events on our loop. */
#ifndef SYSTEM_DNS_PRIVATE_H
#define SYSTEM_DNS_PRIVATE_H

#include "system/loop.h"

struct ub_event_base;

/* What libunbound wants of an event loop, by ours. It must outlive the context. Null: no memory. */
struct ub_event_base *dns_event_base_create(struct loop *l);
void dns_event_base_free(struct ub_event_base **b);

#endif
