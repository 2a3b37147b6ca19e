/* prepare: makes and recycles segment files ahead of their use, in a helper thread, so that no batch waits for 64 MiB of zeros.
 * In simulation there is no thread: a job is done when it is given. */
#ifndef SPOOL_PREPARE_H
#define SPOOL_PREPARE_H

#include "spool/segment.h"

enum prepare_what {
    PREPARE_CREATE,  /* a new file: log segments are written once with zeros, large ones only allocated */
    PREPARE_RECYCLE, /* the dead segment `old` gets the name of `number` */
    PREPARE_REMOVE,  /* the dead segment `old` is deleted */
};
struct prepare_job {
    uint8_t what; /* enum prepare_what */
    uint8_t kind; /* enum segment_kind */
    uint32_t number, old;
    int file;  /* result: writable, or -1 */
    int error; /* result: 0 or negative errno */
};

struct preparer;
struct preparer *preparer_create(const struct disk *d, uint32_t segment_octets,
                                 bool thread); /* null: errno */
void preparer_destroy(
    struct preparer **p); /* ends after the job at hand; results not fetched are dropped and closed */
/* False when too many wait. */
MUST_USE bool preparer_ask(struct preparer *p, const struct prepare_job *job);
/* The next finished job; wait: blocks while one is under way. False: none. */
bool preparer_result(struct preparer *p, bool wait, struct prepare_job *ret);

#endif
