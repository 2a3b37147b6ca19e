/* kerberos_seen: messages that were used to log in, each by a hash, as long as they would be good again: the clocks' difference that
 * Kerberos permits, back and forth, and what a step may wait in line. In memory, of one process. A fixed table: when it is full of
 * younger ones an older one is forgotten. Threads may share it. */
#ifndef SERVICE_KERBEROS_SEEN_H
#define SERVICE_KERBEROS_SEEN_H

#include <stdbool.h>
#include <stdint.h>

enum { KERBEROS_SEEN_OCTETS = 16 };

struct kerberos_seen;
struct kerberos_seen *kerberos_seen_create(void); /* null: no memory */
void kerberos_seen_free(struct kerberos_seen **s);
/* True: it is new, and remembered. */
bool kerberos_seen_add(struct kerberos_seen *s, const uint8_t hash[KERBEROS_SEEN_OCTETS],
                       uint64_t unix_seconds);

#endif
