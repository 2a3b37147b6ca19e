/* maildir: final delivery into FOLDER/DOMAIN/LOCAL/{tmp,new,cur}, everything below one directory descriptor. The file is written
 * to tmp, synced, renamed into new, and new is synced; only then the message is delivered. Names come from the message id and
 * the recipient's number, so that a delivery whose answer was lost is found again instead of being made twice. */
#ifndef SERVICE_MAILDIR_H
#define SERVICE_MAILDIR_H

#include "spool/job.h"

#define MAILDIR_NAME_OCTETS 200

struct maildir_target {
    int root;                               /* the folder; stays the caller's */
    struct span domain, local;              /* names of folders; checked again here */
    struct span reverse_path, delivered_to; /* of the two fields that are added, without brackets */
    struct span host;                       /* our name, for the file's name */
    uint64_t id;
    uint32_t recipient;
    bool again; /* it may have been delivered before: look for it in new and cur first */
};

struct maildir {                    /* one delivery */
    int tmp, new, file;             /* descriptors, -1 when closed */
    uint64_t octets;                /* written */
    bool last_cr;                   /* a CR at the end of what was read is not written yet */
    bool present;                   /* it is in new (or cur) */
    bool damaged;                   /* the content is not what its CRC says: an alarm is due */
    char name[MAILDIR_NAME_OCTETS]; /* in tmp, NUL-terminated */
    enum job_status status;         /* JOB_DELIVERED as long as all went well */
    const char *enhanced, *text;    /* constant, printable */
};

/* Each step is idle when an earlier one failed; d->status, enhanced and text say how it ended. */
void maildir_begin(struct maildir *d, const struct maildir_target *t);
/* The next extent of the content. segment: a descriptor of its segment; negative: there is none, which defers. CRLF
 * becomes LF (invariant I6), across extents too. */
void maildir_append(struct maildir *d, int segment, const struct extent *e);
/* Content complete: the file is made durable. Then, for a whole batch, the names: publish all, then sync all. */
void maildir_sync(struct maildir *d);
void maildir_publish(struct maildir *d);
void maildir_sync_folder(struct maildir *d);
/* Closes all; what was not published is removed from tmp. */
void maildir_end(struct maildir *d);

#endif
