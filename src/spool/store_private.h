/* store_private: the insides that journal, large, recover, recycle, verify and store share. */
#ifndef SPOOL_STORE_PRIVATE_H
#define SPOOL_STORE_PRIVATE_H

#include "spool/prepare.h"
#include "spool/record.h"
#include "spool/store.h"

struct pending { /* a commit that waits for its batch */
    struct message *message;
    uint64_t token;
    size_t record; /* head of its COMMIT in the batch */
    bool large;    /* has content in large segments: they are synced before */
    bool failed;
};

struct batch {
    uint8_t *p;
    size_t n, max;
    size_t last; /* head of the newest record; SIZE_MAX: none */
    bool urgent; /* it holds more than content: somebody waits for it */
    bool moving; /* holds copies only (recycle.c): nothing of it is written again when it fails */
    struct pending *commits;
    uint32_t n_commits;
    struct message **finished; /* out of the index; what they need is released when the batch is durable */
    uint32_t n_finished, max_finished;
};

struct open_message { /* chunks came, no commit yet */
    uint64_t id, content_octets;
    struct extent *extents;
    uint32_t n_extents, max_extents;
    uint32_t owner;
    bool broken;
};

struct evacuation {    /* a segment being copied forward */
    uint32_t segment;  /* 0: none */
    uint64_t cursor;   /* message looked at last */
    uint64_t after_ms; /* none is chosen before */
};

#define READY_MAX (LIMIT_SEGMENTS_SPARE + 4)

struct damage {            /* a damaged place: head of the first bad record, end of the last */
    uint64_t from, to, id; /* id: of the message it belongs to, 0: unknown */
    uint32_t segment;
    bool told;
    const char *text;
};

struct checkpoint {
    bool there, useless; /* a file `checkpoint`; it is not in order: another one is due */
    uint64_t size, done; /* octets of it; octets_written when it was begun */
    int file;            /* of the one being written; -1: none */
    uint64_t done_next, offset, cursor, last, messages, blocks;
    uint64_t after_ms; /* none is begun before */
    bool loaded;       /* this start was from it */
    uint64_t written;  /* completed since the start */
    uint8_t *p;        /* block being made */
    size_t max;
};

struct store {
    struct checkpoint checkpoint;
    struct store_options o;
    struct segments segments;
    uint32_t next_number;
    uint64_t salt;
    struct segment *log, *large;                          /* active; null: none yet */
    struct segment *ready[SEGMENT_KIND_COUNT][READY_MAX]; /* prepared, ascending */
    unsigned n_ready[SEGMENT_KIND_COUNT], asked[SEGMENT_KIND_COUNT];
    int prepare_error[SEGMENT_KIND_COUNT];
    uint64_t prepare_after_ms[SEGMENT_KIND_COUNT];
    struct preparer *preparer;
    struct batch batches[2], *batch; /* the one being built; the other holds a failed one */
    size_t batch_max;
    uint16_t batch_number;
    bool stuck; /* a failed batch waits for a successor */
    uint64_t stuck_until_ms;
    bool full;
    uint8_t *large_buffer;
    size_t large_n; /* octets in it; they belong at large->written */
    struct index index;
    struct schedule schedule;
    struct id_map open; /* struct open_message */
    struct evacuation evacuation;
    bool recheck;          /* some segment may have become free */
    uint8_t *scratch;      /* LIMIT_ENVELOPE_OCTETS, for reading back */
    bool placing;          /* store_place_again is not through */
    uint64_t place_cursor; /* message placed last */
    uint64_t due_id;       /* whom store_due named last */
    uint32_t due_recipient;
    uint64_t now_ms;
    uint64_t committed, refused, finished, n_batches, octets_written, syncs;
    bool salt_known, salt_kept; /* read from the disk; the file `salt` is durable */
    bool marked, mark_holds;    /* `clean-stop` may be on disk; it is intact and describes what is there */
    struct damage *damages;     /* LIMIT_DAMAGES */
    uint32_t n_damages;
    uint64_t more_damages; /* told, but beyond the limit */
};

/* journal.c: the active log segment and its batch */
struct slot {
    uint8_t *payload;
    size_t head;
    uint32_t offset; /* of the payload in the segment */
    struct record record;
};
/* Room for that many octets of records, in one piece of the active segment; may flush and begin a segment. urgent: states, which
 * may use the reserve. STORE_DURABLE: yes. */
enum store_status journal_room(struct store *s, size_t octets, bool urgent);
struct slot journal_begin(struct store *s, enum record_type type, uint8_t flags, uint64_t id,
                          uint32_t length);
void journal_end(struct store *s, struct slot *slot, uint32_t payload_crc);
void journal_end_crc(struct store *s, struct slot *slot); /* payload_crc is computed here */
struct journal_mark {                                     /* where the batch stands */
    size_t n, last;
    bool urgent;
};
struct journal_mark journal_mark(const struct store *s);
void journal_cut(struct store *s, struct journal_mark mark); /* takes back what was begun since */
/* Would journal_room say yes without a flush and without a fresh segment? */
bool journal_fits(const struct store *s, size_t octets);
bool journal_flush(struct store *s);
bool journal_recover_failed(struct store *s);            /* tries again to make a successor */
void journal_finish(struct store *s, struct message *m); /* m leaves the index with this batch */

/* large.c */
bool large_add(struct store *s, struct open_message *o, const struct span *parts, uint32_t n);
bool large_extent_add(struct open_message *o, const struct extent *e);
bool large_sync(
    struct store *s); /* writes what waits and syncs what is unsynced; failures are kept in the segments */
bool large_durable(const struct store *s, const struct extent *e); /* of a large segment, after large_sync */
void large_prepare(struct store *s);                               /* keeps one segment ahead */
bool segment_ready(struct store *s, enum segment_kind kind,
                   int *error); /* waits for the helper; error: errno */
struct segment *segment_take(struct store *s, enum segment_kind kind, int *error);
uint32_t segment_octets(const struct store *s);

/* store.c */
void store_pin(struct store *s, const struct message *m, int sign); /* counts it in its segments */
void store_pin_extents(struct store *s, const struct extent *extents, uint32_t n, int sign);
void store_place_message(struct store *s, struct message *m);
void store_place_recipient(struct store *s, struct message *m, uint32_t recipient);
void store_forget_open(struct store *s, struct open_message *o);
void store_say(struct store *s, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
               int error, const char *text);

/* damage.c: each damaged place is counted and told once */
void damage_note(struct store *s, uint32_t segment, uint64_t from, uint64_t to, uint64_t id,
                 const char *text);
void damage_tell(struct store *s); /* what was noted and not told yet */
static inline void store_damage(struct store *s, uint32_t segment, uint64_t from, uint64_t to, uint64_t id,
                                const char *text)
{
    damage_note(s, segment, from, to, id, text);
    damage_tell(s);
}
bool damage_known(const struct store *s, uint32_t segment, uint64_t from, uint64_t to);
bool damage_extent_known(const struct store *s, const struct extent *e);
void damage_forget(struct store *s, uint32_t segment); /* the segment is gone, nobody needed it */

/* clean.c: the files `salt` and `clean-stop` (STATES.md, "The mark of a clean stop") */
struct clean_row {
    uint32_t number, end;
    uint8_t kind;
};
struct clean {
    uint64_t salt, messages;
    uint32_t active, n;     /* active: number of the log segment that is written on, or 0 */
    struct clean_row *rows; /* malloc */
};
void clean_salt_read(struct store *s);               /* into s->salt, when it is there */
int clean_salt_keep(struct store *s);                /* durable; 0 or a negative errno */
bool clean_read(struct store *s, struct clean *ret); /* false: no mark that is intact; ret->rows is null */
bool clean_write(struct store *s);                   /* everything is durable, nobody else touches the disk */
bool clean_remove(struct store *s);                  /* durably; true when there is none */

/* due.c: more of what store_place_again has begun */
void store_place_step(struct store *s);
/* due.c: if it is ready, its queue is told that it leaves */
void store_leave_ready(struct store *s, struct recipient *r);

/* change.c: why a recipient waits, out of its history */
void store_know_reason(struct store *s, struct recipient *r, struct span history);

/* change.c: fills the derived recipients of an EXPANDED state into m, which has room for them and their strings */
void store_derive(struct message *m, const struct state_payload *state);

/* read.c: reading back, from the batch when it is not written yet */
bool store_read_record(struct store *s, uint32_t segment, uint32_t head_offset, enum record_type type,
                       uint64_t id, uint8_t *to, size_t max, struct span *payload);
bool store_read_extent(struct store *s, const struct extent *e,
                       uint8_t *to); /* e->length octets; false: damaged */

/* checkpoint.c */
void checkpoint_step(struct store *s);   /* some bounded work */
void checkpoint_finish(struct store *s); /* at a clean stop: one that is up to date */
void checkpoint_close(struct store *s);
void checkpoint_drop(struct store *s); /* none is wanted */
/* checkpoint_message.c: one message, encoded. Room: checkpoint_message_octets. */
size_t checkpoint_message_octets(const struct message *m);
void checkpoint_message_put(struct buf *b, const struct message *m);
/* Built, not in the map, its reasons not counted. Null: malformed (*error 0) or no memory. */
struct message *checkpoint_message_read(struct index *x, struct wire *w, int *error);
/* checkpoint_read.c: loads it into the index. False: there is none that can be used, and nothing was loaded; *error: ENOMEM or 0. */
struct checkpoint_position {
    uint32_t segment, end;
};
bool checkpoint_read(struct store *s, struct checkpoint_position *ret, int *error);
enum checkpoint_block { CHECKPOINT_HEAD, CHECKPOINT_NEEDS, CHECKPOINT_MESSAGES, CHECKPOINT_END };
#define CHECKPOINT_NAME     "checkpoint"
#define CHECKPOINT_NAME_NEW "new-checkpoint"

/* recover.c, recycle.c */
bool store_recover(struct store *s, const char **error);
void recycle_step(struct store *s);
void evacuate_step(struct store *s);

#endif
