/* envelope: the encoded envelope of one message: built by the edge while RCPTs arrive, checked by the spooler, written to
 * disk verbatim as the payload of the envelope record. A head, then recipients one behind the other; the encoding of a
 * recipient is never split over two blocks, so concatenated blocks are the envelope. */
#ifndef SPOOL_ENVELOPE_H
#define SPOOL_ENVELOPE_H

#include "base/limits.h"
#include "base/wire.h"

#define ENVELOPE_VERSION 1

enum { /* flags of a message, as asked for by its sender */
       ENVELOPE_8BITMIME = 1,
       ENVELOPE_BINARYMIME = 2,
       ENVELOPE_SMTPUTF8 = 4,
       ENVELOPE_RET_FULL = 8,
       ENVELOPE_RET_HDRS = 16,
       ENVELOPE_TLS = 32,
       ENVELOPE_AUTHENTICATED = 64,
       ENVELOPE_DSN = 128 /* made by us: never answered by a DSN */
};

struct envelope_head {
    uint32_t flags;             /* ENVELOPE_* */
    uint64_t arrival_ms;        /* unix time at MAIL, by the edge; the spooler bounds it to its own clock */
    uint64_t session;           /* session id, for the log */
    struct span server;         /* virtual server */
    struct span client_address; /* text */
    struct span helo;
    struct span principal;    /* empty: anonymous */
    struct span reverse_path; /* as written, without brackets; empty for <> */
    struct span envid;        /* xtext */
};

struct envelope_recipient {
    uint8_t notify;    /* DSN_NOTIFY_* of smtp/params.h; 0: not given */
    uint8_t local;     /* 1: served here, 0: to be relayed */
    struct span path;  /* as written, without brackets; "postmaster" stays bare */
    struct span orcpt; /* "type;xtext" as written, may be empty */
};

void envelope_put_head(struct buf *b, const struct envelope_head *h);
void envelope_put_recipient(struct buf *b, const struct envelope_recipient *r);

/* Takes flags back from an encoded head, whose octets are at p, and adds others. */
void envelope_change_flags(uint8_t *p, size_t n, uint32_t clear, uint32_t set);

/* Reading: head, then recipients until the end. Everything is checked (lengths, version, no control octets in paths); spans
 * point into the encoded envelope. */
bool envelope_read_head(struct wire *w, struct envelope_head *ret);
bool envelope_read_recipient(struct wire *w,
                             struct envelope_recipient *ret); /* false and !w->bad at the end */
/* The whole envelope is well-formed and has 1..max_recipients recipients; *count receives their number. */
bool envelope_valid(struct span encoded, uint32_t max_recipients, uint32_t *count);

#endif
