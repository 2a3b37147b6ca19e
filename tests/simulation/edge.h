/* edge: the server's side of simulated sessions: engines, and what the service's inbound does around them: envelope, content in
 * parts, an answer only when the store said durable. */
#ifndef EDGE_H
#define EDGE_H

#include "engine/server.h"
#include "scene.h"

#define EDGE_SESSIONS        8
#define EDGE_TRANSACTIONS    10
#define EDGE_ENVELOPE_OCTETS 2048
#define EDGE_CONTENT_OCTETS  6000
#define EDGE_WINDOW_OCTETS   1000 /* of replies that the client has not taken */

struct transaction {
    uint64_t id, began_ms, commit_ms, octets;
    struct session *session; /* null: it is gone, or the transaction is free */
    bool used, opened, committed, failed;
    uint8_t result;
    uint32_t letter, recipients;
    size_t n_envelope, n_content;
    uint8_t envelope[EDGE_ENVELOPE_OCTETS], content[EDGE_CONTENT_OCTETS], first[128];
    size_t n_first;
};

struct session {
    struct server engine;
    struct link *link; /* null: free */
    struct transaction *transaction;
    uint8_t unsent[16384];
    size_t n_unsent;
    bool closing;
};

struct edge {
    struct scene *scene;
    struct server_conf conf;
    uint32_t owner; /* of what is open in the store */
    uint64_t last_id;
    struct session sessions[EDGE_SESSIONS];
    struct transaction transactions[EDGE_TRANSACTIONS];
};

void edge_begin(struct edge *e, struct scene *scene);
/* False: no session is free. */
bool edge_connect(struct edge *e, struct link *link);
void edge_serve(struct edge *e, struct link *link);
void edge_tick(struct edge *e); /* the clock moved */
/* The store's answer. token: the letter's serial, which survives the edge. */
void edge_committed(struct edge *e, uint64_t token, uint64_t id, enum store_status status);
void edge_spooler_lost(struct edge *e); /* it will be opened anew */
/* Its sockets are closed by the system. power: only the process died, the spooler lives. */
void edge_die(struct edge *e, bool power);
bool edge_has(const struct edge *e, const struct link *link);

#endif
