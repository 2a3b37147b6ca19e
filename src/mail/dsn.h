/* dsn: delivery status notifications, RFC 3464 in RFC 3462/6522 multipart/report, with RFC 6533 for internationalized mail. One
 * builder for failed, delayed and delivered. The caller sends the result with a null reverse-path, and never for a message
 * that came with one (invariant I8). Everything that is put in may be hostile: nothing of it becomes a field or a part. */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/buf.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED, DSN_ACTION_COUNT };

struct dsn_recipient {
    enum dsn_action action;
    struct span final;      /* local@domain, as written */
    struct span orcpt;      /* "addr-type;address" with the xtext undone (smtp/xtext), or empty */
    struct span status;     /* "5.1.1" */
    struct span diagnostic; /* the reply of the remote server, or our own reason: one line */
    struct span remote; /* name of the remote server that said it, or with which it happened; empty: none */
    uint64_t last_attempt_seconds; /* unix time; 0: none */
    uint64_t retry_until_seconds;  /* with DSN_DELAYED */
    struct span expanded_from;     /* what the sender wrote, when an alias led from it to `final`, or empty */
    bool ours;                     /* diagnostic: our own words; always where there is no remote */
};

struct dsn {
    struct span host;  /* our name */
    struct span to;    /* reverse-path of the message; not empty */
    struct span envid; /* xtext undone, or empty */
    struct span id;    /* queue id of the message */
    uint64_t arrival_seconds, now_seconds;
    uint64_t seed; /* random: for the boundary and the Message-ID */
    bool utf8;     /* the message asked for SMTPUTF8 */
    bool full;     /* RET=FULL: the message comes back, if it is small and text; else its header section */
    struct span content; /* of the message from its start, as much as is at hand */
    bool content_whole;
    const struct dsn_recipient *recipients;
    size_t n; /* at least 1; all of one action */
};

enum { DSN_IS_8BIT = 1, DSN_IS_UTF8 = 2 }; /* what the envelope of the result must ask for */

/* An upper bound for the octets of the result. */
size_t dsn_octets(const struct dsn *d);
/* The message with CRLF lines. Returns DSN_IS_*. b->over when it did not fit, or there was nobody to send it to. */
unsigned dsn_put(struct buf *b, const struct dsn *d);

#endif
