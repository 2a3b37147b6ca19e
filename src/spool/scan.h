/* scan: walks over the records of a log segment in memory and tells a torn tail from damage (STATES.md, "The end of the log"). */
#ifndef SPOOL_SCAN_H
#define SPOOL_SCAN_H

#include "spool/record.h"

enum scan_end {
    SCAN_EXACT, /* a sealed segment whose durable end is known: p ends there */
    SCAN_OPEN,  /* a sealed segment whose end is not known: the last valid record is its end */
    SCAN_LAST,  /* the last segment of the log: it may have a torn tail */
};

struct scan {
    const uint8_t *p;
    size_t n;
    size_t file; /* octets that the file really has, when fewer than n: zeros follow; 0: n */
    uint32_t epoch;
    uint64_t salt;
    enum scan_end how;
    void *context;
    /* Every intact record, in order. */
    void (*record)(void *context, size_t offset, const struct record *r, struct span payload);
    /* Damage, from..to. id: of the record, when its head is intact, else 0. May be null. */
    void (*damage)(void *context, size_t from, size_t to, uint64_t id, const char *text);
    /* results */
    size_t end;     /* behind the last record that counts; LAST: behind the last whole batch */
    uint16_t batch; /* of that record */
    bool whole;     /* that record ended its batch */
    bool clean;     /* LAST: no valid record of this epoch stands behind end */
    uint64_t records, gaps;
};

void scan_segment(struct scan *s);
/* The SEGMENT record at offset 0, written with salt 0. */
bool scan_head(const uint8_t *p, size_t n, uint32_t epoch, struct record *r, struct span *payload);
/* A valid record other than SEGMENT stands at or behind `from`: SEGMENT was durable before it was written. */
bool scan_proves_use(const uint8_t *p, size_t n, size_t from, uint32_t epoch, uint64_t salt);

#endif
