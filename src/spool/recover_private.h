/* recover_private: what the files that recover a spool share. */
#ifndef SPOOL_RECOVER_PRIVATE_H
#define SPOOL_RECOVER_PRIVATE_H

#include "spool/scan.h"
#include "spool/store_private.h"

struct recovery {
    struct store *s;
    struct segment *g; /* being scanned */
    uint8_t *p;        /* its content */
    size_t max, n;
    bool *end_known;       /* by place in segments.all, for log segments */
    size_t envelope, body; /* heads of the newest intact ENVELOPE and BODY of this segment */
    struct clean mark;
    bool loaded; /* messages came from a checkpoint; the log is read from there */
    struct checkpoint_position from;
    int error;
    uint32_t highest, n_stale;
    uint32_t *stale; /* numbers of new-* files */
};

/* replay.c: for struct scan; the context is the recovery */
void recover_record(void *context, size_t offset, const struct record *r, struct span payload);
void recover_damage(void *context, size_t from, size_t to, uint64_t id, const char *text);

/* recover_checkpoint.c: before the segments are scanned, and afterwards: does what was loaded agree with the log? */
void recover_load(struct recovery *v);
bool recover_agrees(const struct recovery *v);
void recover_forget(struct recovery *v); /* nothing was loaded */

#endif
