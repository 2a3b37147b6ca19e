/* hop: the next hops of the outbound world. Each connection is served by our own engine, so that what arrives is what was sent; around
 * it the hop misbehaves: it refuses, is slow, breaks off, cuts, doubles, falsifies and forgets replies. */
#ifndef HOP_H
#define HOP_H

#include "engine/server.h"
#include "machine.h"
#include "post.h"

enum { HOP_CONNECTIONS = 96, HOP_TO = 64 };

enum hop_number {            /* as in hN.example */
                  HOP_LIVE,  /* never at fault */
                  HOP_PLAIN, /* no extension at all */
                  HOP_RICH,
                  HOP_LMTP,
                  HOP_SMART, /* a smarthost; PIPELINING without CHUNKING */
                  HOP_LIAR,
                  HOP_LMTP_LIAR,
                  HOP_DEAD,   /* takes connections and says nothing, or takes none */
                  HOP_NEVER,  /* refuses every recipient */
                  HOP_CLIENT, /* of the senders: notifications go there */
                  HOP_COUNT
};

struct connection {
    bool used, closing;
    unsigned hop;
    struct link link;
    struct socket socket;
    struct server engine;
    struct server_conf conf;
    uint8_t trick;
    uint64_t trick_at, replies, slow_until_ms;
    uint8_t *content;
    size_t n_content, max_content;
    uint64_t content_at;     /* of DATA: in the stream of the client; 0: by BDAT */
    bool from_nobody, takes; /* takes: it has taken something */
    unsigned n_to;
    struct {
        struct post_letter *letter;
        uint32_t i;
        bool sender;
    } to[HOP_TO];
};

struct hops {
    struct scene *scene;
    struct post *post;
    bool calm; /* no misbehaviour but that of the dead one and of the one that never takes anything */
    uint64_t dead_until_ms[HOP_COUNT];
    uint32_t serials;
    struct connection connections[HOP_CONNECTIONS];
};

void hops_begin(struct hops *h, struct scene *scene, struct post *post);
void hops_end(struct hops *h);
/* A connection is made: the client's descriptor; -1: refused. */
int hops_connect(struct hops *h, unsigned hop);
/* Octets move, and the hop serves what came. */
void hops_act(struct hops *h, struct connection *c);
/* Everything that can move does; true when something did. */
bool hops_act_all(struct hops *h);
/* The connection breaks: at any octet of either direction, with or without telling. */
void hops_break(struct hops *h, struct connection *c);

#endif
