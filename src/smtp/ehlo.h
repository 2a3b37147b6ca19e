/* ehlo: the extensions of a session: written by the server, read by the client and the gate. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include "base/buf.h"

enum {
    EXT_PIPELINING = 1,
    EXT_SIZE = 2,
    EXT_8BITMIME = 4,
    EXT_BINARYMIME = 8,
    EXT_CHUNKING = 16,
    EXT_SMTPUTF8 = 32,
    EXT_DSN = 64,
    EXT_ENHANCEDSTATUSCODES = 128,
    EXT_LIMITS = 256,
    EXT_STARTTLS = 512,
    EXT_AUTH = 1024,
    EXT_VRFY = 2048,
    EXT_HELP = 4096,
    EXT_XCLIENT = 8192,
    EXT_XFORWARD = 16384,
    EXT_REQUIRETLS = 32768
};

struct ehlo {
    uint32_t extensions;                   /* EXT_* */
    uint64_t size;                         /* with EXT_SIZE; 0 when no figure was given */
    struct span auth;                      /* mechanisms, blank-separated, with EXT_AUTH */
    uint32_t limit_rcptmax, limit_mailmax; /* with EXT_LIMITS (RFC 9422); 0 when absent */
};

/* The whole multi-line 250 reply; greeting is "host greets you" text of the first line. */
void ehlo_put(struct buf *out, struct span first, const struct ehlo *e);
/* One line behind the code, first line excluded, of a server's reply: merges into *e. Unknown keywords are ignored. */
void ehlo_read_line(struct span text, struct ehlo *e);

#endif
