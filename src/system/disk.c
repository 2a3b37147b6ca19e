#include "system/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int directory_of(void *disk)
{
    return *(const int *)disk;
}

static int real_list(void *disk, disk_name_fn *fn, void *context)
{
    int fd = openat(directory_of(disk), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int error = -errno;
        close(fd);
        return error;
    }
    int result = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            result = -errno;
            break;
        }
        struct stat st;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            fn(context, entry->d_name);
    }
    closedir(dir);
    return result;
}

/* Past the page cache where the file system can: what is written here is whole pages out of aligned memory, is read back once, by
 * another process and in order, and a copy of each octet less is what makes large messages cheap. */
static int real_open(void *disk, const char *name, enum disk_open how)
{
    static const int modes[] = {[DISK_READ] = O_RDONLY,
                                [DISK_READ_PAST] = O_RDONLY,
                                [DISK_WRITE] = O_RDWR,
                                [DISK_CREATE] = O_RDWR | O_CREAT | O_EXCL};
    int flags = modes[how];
    flags |= O_CLOEXEC | O_NOFOLLOW;
    int fd = -1;
    if (how == DISK_WRITE || how == DISK_READ_PAST) fd = openat(directory_of(disk), name, flags | O_DIRECT);
    if (how == DISK_CREATE) { /* a refused O_DIRECT leaves the file behind: made first, opened again */
        fd = openat(directory_of(disk), name, flags, 0600);
        int direct =
            fd < 0 ? -1 : openat(directory_of(disk), name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_DIRECT);
        if (direct < 0) return fd < 0 ? -errno : fd;
        close(fd);
        return direct;
    }
    if (fd < 0 && (how == DISK_READ || errno == EINVAL)) fd = openat(directory_of(disk), name, flags);
    return fd < 0 ? -errno : fd;
}

static void real_close(void *disk, int file)
{
    (void)disk;
    close(file);
}

static int64_t real_size(void *disk, int file)
{
    struct stat st;
    (void)disk;
    return fstat(file, &st) < 0 ? -errno : st.st_size;
}

#define WRITE_PARTS 16

static int real_write(void *disk, int file, const struct iovec *iov, int n, uint64_t offset)
{
    struct iovec part[WRITE_PARTS];
    (void)disk;
    if (n > WRITE_PARTS) return -EINVAL;
    memcpy(part, iov, (size_t)n * sizeof *iov);
    struct iovec *at = part;
    while (n > 0) {
        ssize_t written = pwritev(file, at, n, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? -errno : -EIO;
        offset += (uint64_t)written;
        size_t left = (size_t)written;
        while (n > 0 && left >= at->iov_len) {
            left -= at->iov_len;
            at++;
            n--;
        }
        if (n > 0) {
            at->iov_base = (uint8_t *)at->iov_base + left;
            at->iov_len -= left;
        }
    }
    return 0;
}

static int64_t real_read(void *disk, int file, void *to, size_t n, uint64_t offset)
{
    size_t done = 0;
    (void)disk;
    while (done < n) {
        ssize_t got = pread(file, (uint8_t *)to + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int real_allocate(void *disk, int file, uint64_t octets)
{
    (void)disk;
    return fallocate(file, 0, 0, (off_t)octets) < 0 ? -errno : 0;
}

static int real_sync(void *disk, int file)
{
    (void)disk;
    return fdatasync(file) < 0 ? -errno : 0;
}

static int real_sync_directory(void *disk)
{
    return fsync(directory_of(disk)) < 0 ? -errno : 0;
}

static int real_rename(void *disk, const char *from, const char *to)
{
    return renameat(directory_of(disk), from, directory_of(disk), to) < 0 ? -errno : 0;
}

static int real_unlink(void *disk, const char *name)
{
    return unlinkat(directory_of(disk), name, 0) < 0 ? -errno : 0;
}

static const struct disk_ops real_ops = {real_list,           real_open,   real_close,    real_size,
                                         real_write,          real_read,   real_allocate, real_sync,
                                         real_sync_directory, real_rename, real_unlink};

struct disk disk_on_directory(const int *directory)
{
    union {
        const int *in;
        void *out;
    } context = {.in = directory};
    return (struct disk){&real_ops, context.out};
}
