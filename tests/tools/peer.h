/* peer: everything around a server engine that a test needs: a small policy, a store in memory, a clock, and a watch over
 * what the engine may never do. A broken rule ends the process (abort), so that tests and fuzzers see it.
 *
 * The policy: "user" and "other" exist at dest.example, postmaster everywhere it must, any.example has every mailbox; all
 * else is 550 5.1.1 there and 550 5.7.1 elsewhere. full@dest.example is 452 4.2.2, drop@dest.example 421 4.7.0; the sender
 * banned@sender.example is 550 5.7.1. Whoever says "good" has logged in, with "proven" without the right to submit; "more" is answered by one
 * more challenge, all else by 535. */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include "engine/server.h"

struct octets {
    uint8_t *p;
    size_t n, max;
};
void octets_add(struct octets *o, struct span s);
static inline struct span octets_span(const struct octets *o)
{
    return (struct span){o->p, o->n};
}

struct peer_message {
    struct octets from, recipients, content; /* recipients: each with a blank behind it */
};

struct peer {
    struct server s;
    struct server_conf conf;
    uint64_t now_ms;
    size_t out_octets;     /* size of the reply buffer, at least SERVER_REPLY_ROOM */
    struct octets input;   /* not yet consumed */
    struct octets replies; /* everything that was said */
    struct octets
        events; /* one letter an event: M R B E A S C L l X; the order of things without their slicing */
    struct octets content, from, recipients; /* of the transaction */
    struct peer_message *messages;
    size_t n_messages;
    bool in_transaction, body_begun, closed, handshake, logging_in;
    bool slow_answers;                 /* an ASK is left open over one more call */
    uint16_t refuse_begin, refuse_end; /* code for the next BODY_BEGIN / BODY_END, 0 accepts */
    uint32_t fail_after;               /* server_fail_content after so many BODY events, 0 never */
};

/* The limits of an empty config (base/limits.h), all extensions. */
void peer_conf(struct server_conf *c);
/* p->conf must be set. Also begins a new session on an old peer; messages stay. */
void peer_connect(struct peer *p, bool tls);
/* Octets arrive. Runs the engine until it wants more. */
void peer_feed(struct peer *p, struct span octets);
void peer_tls(struct peer *p);
/* The clock moves on; deadlines are looked at. */
void peer_wait(struct peer *p, uint64_t ms);
void peer_drain(struct peer *p);
void peer_free(struct peer *p);

/* The next whole reply of said (lines joined, with their CRLF); empty when there is none. Aborts on a line that no server
 * may send: over 512 octets, not printable, codes that differ within a reply. */
struct span peer_reply(struct span said);
/* '*' in the pattern stands for any octets. */
bool peer_matches(struct span pattern, struct span text);

#endif
