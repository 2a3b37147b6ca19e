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

enum answer {
    OPEN,
    WAITING,
    QUEUED,
    REFUSED /* must never exist */,
    MAYBE /* never answered: whole or not at all */
};

struct expected {
    uint8_t now, durable; /* state */
    uint16_t attempts, durable_attempts;
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
    uint8_t content[CONTENT], back[CONTENT], envelope[8192];
    bool hold_all;
};

/* The first fault of a run; later ones follow from it. */
__attribute__((format(printf, 2, 3))) void world_wrong(struct world *w, const char *format, ...);
struct model *world_model(struct world *w, uint64_t id);
void world_fill(uint8_t *p, uint64_t seed, uint64_t from, uint64_t n);
void world_put_path(struct buf *b, uint64_t id, uint32_t i);

#endif
