/* disk: the few things the spool does to files, as a table, so that a simulator can stand in for the kernel. All names are plain
 * file names below one directory descriptor (never a path). Every operation returns a negative errno on failure. A `file` is a
 * small number; for the real disk it is a descriptor. Operations on different files may run in different threads. */
#ifndef SYSTEM_DISK_H
#define SYSTEM_DISK_H

#include "base/span.h"

#include <sys/uio.h>

#define DISK_NAME_OCTETS 32
#define DISK_ALIGN       4096 /* of memory, offset and length of every write */

enum disk_open {
    DISK_READ,
    DISK_READ_PAST, /* for reading past the page cache where that can be; aligned to DISK_ALIGN as writes are */
    DISK_WRITE,
    DISK_CREATE /* must not exist; readable and writable */
};

typedef void disk_name_fn(void *context, const char *name);

struct disk_ops {
    int (*list)(void *disk, disk_name_fn *fn, void *context);      /* every regular file, in no order */
    int (*open)(void *disk, const char *name, enum disk_open how); /* >= 0: the file */
    void (*close)(void *disk, int file);
    int64_t (*size)(void *disk, int file);
    int (*write)(void *disk, int file, const struct iovec *iov, int n,
                 uint64_t offset); /* all of it, or an error; aligned to DISK_ALIGN */
    int64_t (*read)(void *disk, int file, void *to, size_t n,
                    uint64_t offset);                       /* fewer at the end of the file */
    int (*allocate)(void *disk, int file, uint64_t octets); /* space for that many, read as zeros */
    int (*sync)(void *disk, int file);                      /* the data, and what is needed to read it back */
    int (*sync_directory)(void *disk);                      /* the names */
    int (*rename)(void *disk, const char *from, const char *to);
    int (*unlink)(void *disk, const char *name);
};

struct disk {
    const struct disk_ops *ops;
    void *context;
};

/* The real one. directory: descriptor of the folder, kept by the caller and open as long as the disk is used. */
struct disk disk_on_directory(const int *directory);

static inline int disk_write(const struct disk *d, int file, const void *p, size_t n, uint64_t offset)
{
    union {
        const void *in;
        void *out;
    } base = {.in = p}; /* iovec has no const */
    struct iovec v = {base.out, n};
    return d->ops->write(d->context, file, &v, 1, offset);
}

#endif
