/* The insides of the spool's world, shared by its files. */
#ifndef SIMULATION_WORLD_PRIVATE_H
#define SIMULATION_WORLD_PRIVATE_H

#include "world.h"

#include "spool/envelope.h"
#include "spool/message_id.h"

#define MESSAGES   4000
#define RECIPIENTS 24
#define SEGMENT    65536
#define CONTENT    60000
#define READY      64

enum answer {
    OPEN,
    WAITING,
    QUEUED,
    REFUSED /* must never exist */,
    MAYBE /* never answered: whole or not at all */
};

struct expected {
    uint8_t now, durable;                      /* state */
    uint16_t attempts, durable_attempts, most; /* most: before it was requeued */
    bool requeued;                             /* since the last flush */
    bool telling, told, told_durably;          /* that it is late */
};
struct model {
    uint64_t id, content_seed, octets, sent;
    uint8_t answer;
    bool gone, gone_durably, held, held_durably,
        held_changed;      /* changed: since the last flush, perhaps twice */
    uint32_t n, n_durable; /* recipients, with derived ones */
    uint32_t first;        /* in the envelope */
    struct expected r[RECIPIENTS];
};

struct world {
    struct world_options o;
    struct sim_disk *disk;
    struct store *store;
    uint64_t now_ms, last_id, random;
    struct model *models;
    unsigned n;
    char error[400];
    struct world_numbers numbers;
    uint32_t leases[8];
    unsigned n_leases;
    struct {
        uint64_t id;
        uint32_t recipient, ticket;
    } ready[READY];
    unsigned n_ready;
    uint32_t last_ticket;
    uint8_t content[CONTENT], back[CONTENT], envelope[8192];
    bool hold_all;
    bool
        unsure; /* started on a disk that could not be written, after a stop that was none: what was read there may never have been synced */
};

/* The first fault of a run; later ones follow from it. */
__attribute__((format(printf, 2, 3))) void world_wrong(struct world *w, const char *format, ...);
uint64_t world_dice(struct world *w, uint64_t sides);
struct model *world_model(struct world *w, uint64_t id);
void world_fill(uint8_t *p, uint64_t seed, uint64_t from, uint64_t n);
/* world_due.c */
void world_left(void *context, uint32_t ticket);
bool world_ready(const struct world *w, uint64_t id); /* a recipient of it is */
void world_deliver(struct world *w);
void world_operate(struct world *w, struct model *e); /* e may be null */
void world_put_path(struct buf *b, uint64_t id, uint32_t i);

#endif
