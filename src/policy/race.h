/* race: which address is tried when, so that a dead one costs a moment and not a time-out (RFC 8305), without disregard for the preference
 * that a domain gives its hosts (RFC 5321 5.1). Pure: the caller connects, tells what became of it, and brings the time. */
#ifndef POLICY_RACE_H
#define POLICY_RACE_H

#include "base/limits.h"
#include "base/span.h"

#define RACE_RUNNERS 32

enum race_state { RACE_WAITING, RACE_RUNNING, RACE_LOST };

struct race {
    uint32_t n;
    struct {
        uint16_t preference;
        uint8_t state; /* enum race_state */
        uint64_t started_ms;
    } runners[RACE_RUNNERS];
    bool more;                /* further hosts are there whose addresses were not asked for */
    uint16_t more_preference; /* of the next of them */
    uint32_t pending;         /* hosts that are being looked up */
    uint64_t asked_ms;        /* since when the newest of them is */
};

enum race_step {
    RACE_START, /* *runner now (it is RACE_RUNNING from here on) */
    RACE_NEED, /* look up the next host (it is counted as pending from here on): set more and more_preference */
    RACE_WAIT, /* until something happens, or *until_ms (UINT64_MAX: no reason of the race's own) */
    RACE_OVER, /* everything was tried */
};

/* In order of preference. False: no room. */
bool race_add(struct race *r, uint16_t preference);
enum race_step race_next(struct race *r, uint64_t now_ms, uint32_t *runner, uint64_t *until_ms);
/* Runners of this preference and worse do not run any more; those that ran are the caller's to stop. */
void race_cut(struct race *r, uint16_t preference);

#endif
