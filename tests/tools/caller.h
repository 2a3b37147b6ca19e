/* caller: everything around a client engine that a test needs: messages to send, what was said, what came of it, and a watch over
 * what the engine may never do. A broken rule ends the process (abort), so that tests and fuzzers see it. */
#ifndef TESTS_CALLER_H
#define TESTS_CALLER_H

#include "engine/client.h"
#include "peer.h"

#define CALLER_TRANSACTIONS 8

struct caller {
    struct client *c;
    uint64_t now_ms;
    struct octets input;  /* not yet consumed */
    struct octets said;   /* commands and content, in order */
    struct octets events; /* text: see caller.c */
    size_t heard;         /* octets that the server said */
    const struct client_transaction *todo;
    unsigned n_todo, at; /* transactions to play; the one that is open or comes next */
    struct span content; /* of each of them */
    bool hold_content;   /* the content is not handed over until caller_content */
    bool fail_content;   /* ... and half of it cannot be read */
    bool content_open, dot_stuffed;
    bool open, ready, closed, handshake;
    const char *mechanism; /* for AUTH; null: no credential fits */
    const char *const *responses;
    unsigned n_responses, responded;
    bool unproven;    /* the mechanism has not seen yet what the server must show */
    const char *note; /* told beside a refusal, or why there is no mechanism */
    /* of each recipient of each transaction: class of its result (0: none yet), and how much had been heard by then */
    uint8_t result[CALLER_TRANSACTIONS][LIMIT_RELAY_RECIPIENTS];
    size_t result_at[CALLER_TRANSACTIONS][LIMIT_RELAY_RECIPIENTS];
};

void caller_begin(struct caller *p, const struct client_conf *conf);
/* Octets arrive. Runs the engine until it wants more. */
void caller_hear(struct caller *p, struct span octets);
void caller_content(struct caller *p);
void caller_tls(struct caller *p);
void caller_lost(struct caller *p);
/* The clock moves to the deadline. */
void caller_wait(struct caller *p);
void caller_free(struct caller *p);

#endif
