/* job: what spooler and mailbox say to each other. A job names read-only extents of segments whose descriptors the mailbox
 * holds on a lease; a segment is recycled only when every lease on it was returned or its holder is dead. */
#ifndef SPOOL_JOB_H
#define SPOOL_JOB_H

#include "base/limits.h"
#include "base/wire.h"

#define JOB_EXTENTS 256

struct extent {
    uint32_t segment; /* number of the segment file */
    uint32_t length;  /* octets of content */
    uint64_t offset;  /* of the content in the file */
    uint32_t crc;     /* CRC-32C of the content */
};

#define EXTENT_OCTETS 20 /* encoded */
void extent_put(struct buf *b, const struct extent *e);
struct extent extent_read(struct wire *w);

struct
    job_segment { /* spooler -> holder, with one descriptor (read-only); or, holder -> spooler, a returned lease */
    uint32_t segment;
};

struct
    job_deliver { /* spooler -> mailbox. Longer messages than JOB_EXTENTS extents come in parts: last is false */
    uint64_t id;        /* message */
    uint32_t recipient; /* index within the message */
    uint8_t last;
    struct span domain, local; /* canonical, lower case, of the mailbox; both are path-safe (checked again) */
    struct span delivered_to;  /* the original recipient as written */
    struct span reverse_path;
    uint32_t count;
    struct extent extents[JOB_EXTENTS];
};

enum job_status { JOB_DELIVERED, JOB_DEFERRED, JOB_FAILED, JOB_STATUS_COUNT };
struct job_result { /* mailbox -> spooler */
    uint64_t id;
    uint32_t recipient;
    uint8_t status;
    char enhanced[12]; /* "2.0.0", NUL-terminated */
    struct span text;  /* printable, why */
};

void job_segment_put(struct buf *b, const struct job_segment *m);
bool job_segment_read(struct span payload, struct job_segment *ret);
void job_deliver_put(struct buf *b, const struct job_deliver *m);
bool job_deliver_read(struct span payload, struct job_deliver *ret);
void job_result_put(struct buf *b, const struct job_result *m);
bool job_result_read(struct span payload, struct job_result *ret);

#endif
