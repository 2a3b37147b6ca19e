/* scene: what clients, edge and spool of a simulated session world share: dice, clocks, the letters that were ever written, the
 * first thing that went wrong, and a hash over everything that happened. */
#ifndef SCENE_H
#define SCENE_H

#include "letter.h"
#include "spool/store.h"

/* Defects on purpose, to see that the checks see them. */
enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_EARLY, /* answers before the flush */
    SABOTAGE_CHUNK, /* now and then a chunk is forgotten */
    SABOTAGE_RESET, /* a message that was cut off by a reset is kept */
    SABOTAGE_TWICE, /* now and then a message is kept twice */
    SABOTAGE_COUNT
};

struct scene_numbers {
    uint64_t sessions, sent, accepted, refused, appeared, lost_250, late, delivered, bounced, crashes,
        restarts, resets, chunks, replies;
};

struct scene {
    struct sim_disk *dice;
    struct store *store;
    uint64_t mono_ms, unix_ms; /* the clock that only goes on, and the one that jumps */
    struct letter *letters;
    uint32_t n_letters;
    enum sabotage sabotage;
    bool talk;
    uint64_t hash;
    char error[400];
    struct scene_numbers numbers;
};

__attribute__((format(printf, 2, 3))) void scene_wrong(struct scene *s, const char *format, ...);
/* Something happened: goes into the hash, and is told. */
void scene_note(struct scene *s, const char *what, uint64_t a, uint64_t b);
/* Octets went somewhere: into the hash. */
void scene_octets(struct scene *s, struct span octets);
struct letter *scene_new_letter(struct scene *s, uint32_t session);
struct letter *scene_letter(struct scene *s, uint64_t serial); /* null: there is no such letter */

#endif
