/* client_fixture: a client and one or two transactions, as a row of a table describes them. */
#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include "../../tools/caller.h"

enum { /* how */
       LMTP = 1,
       MAY = 2,
       MUST_TLS = 4,
       AUTH = 8,
       TLS_ACTIVE = 16,
       EIGHT = 32,
       BINARY = 64,
       UTF8 = 128,
       TWICE = 256, /* two transactions */
       RUDE = 512,  /* the server talks out of turn: what comes of it depends on how it is cut */
       DSN = 1024,  /* ENVID, RET, ORCPT, NOTIFY */
       HOLD = 2048, /* the content is handed over only at the end */
       DAMAGED = 4096,
       UTF8_LOCAL = 8192, /* the sender is called ü */
       IDN = 16384,       /* the recipient is u0@bücher.example */
};

/* The content is "Hi", ".dot", of 10 octets; the sender a@b, the recipients u0@d, u1@d ... todo: two of them, the caller's. */
void client_fixture(struct caller *p, unsigned how, unsigned recipients, struct client_transaction *todo);

#endif
