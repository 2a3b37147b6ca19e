/* received: the one field that the server adds (RFC 5321 4.4, RFC 3848, invariant I6). */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/buf.h"

struct received {
    struct span helo;        /* as given, already checked; octets outside printable ASCII are escaped here */
    struct span address;     /* address literal of the client: [192.0.2.1] or [IPv6:...] */
    struct span client_name; /* verified reverse name, or empty */
    struct span by;          /* our host name */
    bool esmtp, tls, auth, utf8, lmtp;
    struct span tls_version, tls_cipher; /* printable, with tls */
    struct span id;                      /* queue id */
    struct span recipient; /* "for <...>", only when there is exactly one recipient; else empty */
    uint64_t unix_seconds;
};

/* "Received: ... CRLF", folded at 78 columns where possible. */
void received_put(struct buf *b, const struct received *r);
/* RFC 5322 date-time in UTC: "Wed, 25 Nov 2026 15:30:00 +0000". */
void date_put(struct buf *b, uint64_t unix_seconds);
/* RFC 3339 UTC with milliseconds, for logs: "2026-11-25T15:30:00.123Z". */
void date_put_rfc3339(struct buf *b, uint64_t unix_milliseconds);

#endif
