/* fixture: a store on a disk in memory, with what it said last. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "sim_disk.h"
#include "spool/envelope.h"
#include "spool/store.h"

#define FIXTURE_SEGMENT 65536
#define FIXTURE_NOW     UINT64_C(1795620000000)

struct fixture {
    struct sim_disk *disk;
    struct store *store;
    uint64_t now_ms;
    bool hold, no_route;
    uint32_t delay_seconds; /* UINT32_MAX at first; counts with the next opening */
    bool checkpoint;        /* of each queue, after 1 octet of log; counts with the next opening */
    uint32_t left;          /* ticket that left last */
    unsigned n_left;
    unsigned answers, durable, failed;
    uint64_t last_token;
    unsigned alarms[ALARM_COUNT];
    uint64_t damaged_id;
};

struct fixture *fixture_new(void);
void fixture_free(struct fixture **f);
bool fixture_open(struct fixture *f);
void fixture_reopen(struct fixture *f); /* closes in order, opens again; must succeed */
void fixture_crash(struct fixture *f);  /* with everything that was not synced lost or not; then opens */

/* A message of so many octets and recipients "r0@example.org" ...; content from its id. */
enum store_status fixture_commit(struct fixture *f, uint64_t id, size_t octets, uint32_t recipients);
void fixture_content(uint64_t id, uint8_t *to, size_t octets);
bool fixture_whole(struct fixture *f, uint64_t id,
                   size_t octets);                   /* it is there, with exactly that content */
bool fixture_finish(struct fixture *f, uint64_t id); /* all its recipients are delivered */
bool fixture_flush(struct fixture *f);
void fixture_maintain(struct fixture *f, unsigned times);

#endif
