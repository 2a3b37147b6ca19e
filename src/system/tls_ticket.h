/* tls_ticket: the keys that protect session tickets (RFC 5077, RFC 8446 4.6.1). They are made by the supervisor, shared by all
 * edges so that each accepts the tickets of the others, renewed every hour, and are no private keys. */
#ifndef SYSTEM_TLS_TICKET_H
#define SYSTEM_TLS_TICKET_H

#include "base/span.h"

#define TLS_TICKET_KEYS    2    /* the newest, which encrypts, and the one before, which still decrypts */
#define TLS_TICKET_SECONDS 3600 /* supervisor: rotate this often; also the life of a ticket */

struct tls_ticket_key {
    uint8_t name[16], cipher[32], mac[32];
};

struct tls_ticket_keys { /* newest first */
    struct tls_ticket_key key[TLS_TICKET_KEYS];
};

/* Supervisor: *k is zeroed before the first call; pushes one fresh key (getrandom). False: no random octets. */
MUST_USE bool tls_ticket_rotate(struct tls_ticket_keys *k);
/* Supervisor: a sealed memfd with them, for GRANT_TICKET_KEYS; -1: errno. */
int tls_ticket_memfd(const struct tls_ticket_keys *k);
/* Edge: takes over the keys (pread; fd stays the caller's). False: not such a file, the keys before stay in use. Without
 * any keys no tickets are given. */
MUST_USE bool tls_ticket_load(int fd);
/* Null until loaded. */
const struct tls_ticket_keys *tls_ticket_current(void);

#endif
