/* segment: the files of the spool and who still needs them (STATES.md, "Segment"). */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include "spool/payload.h"
#include "system/disk.h"

enum segment_state { SEGMENT_PREPARED, SEGMENT_ACTIVE, SEGMENT_SEALED, SEGMENT_RECYCLING };

struct segment {
    uint32_t number;
    uint8_t kind;     /* enum segment_kind */
    uint8_t state;    /* enum segment_state */
    bool damaged;     /* quarantined: kept as it is */
    bool kept;        /* what it holds for others could not be noted: not recycled before the next start */
    bool spoiled;     /* a write or sync failed: never written again, removed when nobody needs it */
    bool unsynced;    /* large: written since the last sync */
    int file;         /* writable, or -1 */
    int read_file;    /* read-only, opened when somebody reads, or -1 */
    uint32_t end;     /* what is durable */
    uint32_t written; /* large: what was written (end once synced) */
    uint32_t live;    /* messages at home here */
    uint32_t bodies;  /* extents of messages (open or queued) in it */
    uint32_t leases;
    uint64_t live_octets; /* content and envelopes of those, about */
    uint32_t *needs;      /* sorted: homes of states and tombstones that lie here */
    uint32_t n_needs, max_needs;
};

struct segments {
    struct segment **all; /* by number, ascending */
    size_t n, max;
    unsigned open_files; /* read_file of sealed ones */
};

struct segment *segments_find(const struct segments *t, uint32_t number);
/* A new row; its number is above all others, or fits between. Null: no memory or LIMIT_SEGMENTS. */
struct segment *segments_add(struct segments *t, uint32_t number, enum segment_kind kind,
                             enum segment_state state);
void segments_remove(struct segments *t, const struct disk *d,
                     struct segment *s); /* closes its files, frees it */
void segments_destroy(struct segments *t, const struct disk *d);

/* A file to read it with; keeps at most LIMIT_SEGMENT_FILES_OPEN of them. Negative errno. */
int segment_read_file(struct segments *t, const struct disk *d, struct segment *s);
void segment_close(struct segments *t, const struct disk *d, struct segment *s);

/* s holds a state or a tombstone of a message at home in `home`. Without memory for that, s is kept until the next start. */
void segment_need(struct segment *s, uint32_t home);
/* Nothing will be written to it any more. */
void segment_seal(struct segment *s, const struct disk *d);

enum segment_name { NAME_NEW, NAME_LOG, NAME_LARGE };
void segment_name_put(char name[DISK_NAME_OCTETS], enum segment_name what, uint32_t number);
bool segment_name_read(const char *name, enum segment_name *what, uint32_t *number);
static inline enum segment_name segment_name_of(uint8_t kind)
{
    return kind == SEGMENT_LOG ? NAME_LOG : NAME_LARGE;
}

#endif
