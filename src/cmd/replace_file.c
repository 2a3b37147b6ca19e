#include "cmd/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd/write_all.h"

enum { PIECE = 65536, ACCESS_LIST_OCTETS = 65536 };
#define ACCESS_LIST "system.posix_acl_access"

static const char *say(const char *what)
{
    static char text[256];
    snprintf(text, sizeof text, "%s: %s", what, strerrordesc_np(errno));
    return text;
}

/* The file holds exactly these octets. */
static bool holds(int fd, struct span s)
{
    uint8_t piece[PIECE];
    off_t at = 0;

    for (;;) {
        ssize_t n = pread(fd, piece, sizeof piece, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || (size_t)n > s.n || memcmp(piece, s.p, (size_t)n) != 0) return false;
        if (n == 0) return s.n == 0;
        s = span_skip(s, (size_t)n);
        at += n;
    }
}

/* Locks it, so that of two that replace it one waits for nothing and is refused. */
static const char *look_at(int fd, const char *target, struct span old)
{
    struct stat st, now;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return "somebody else is changing it";
    if (fstat(fd, &st) != 0 || stat(target, &now) != 0) return say("cannot look at it");
    if (!S_ISREG(st.st_mode)) return "it is no regular file";
    if ((st.st_mode & 0222) == 0 || access(target, W_OK) != 0) return "it is read-only";
    if (st.st_dev != now.st_dev || st.st_ino != now.st_ino || !holds(fd, old))
        return "it was changed meanwhile by somebody else: look at it, and try again";
    return NULL;
}

static const char *dress(int fd, int like)
{
    static char list[ACCESS_LIST_OCTETS];
    struct stat st, mine;

    if (fstat(like, &st) != 0 || fstat(fd, &mine) != 0) return say("cannot look at it");
    if ((mine.st_uid != st.st_uid || mine.st_gid != st.st_gid) && fchown(fd, st.st_uid, st.st_gid) != 0)
        return say("it would get another owner");
    if (fchmod(fd, st.st_mode & 07777) != 0) return say("cannot give it its mode");
    ssize_t n = fgetxattr(like, ACCESS_LIST, list, sizeof list);
    if (n > 0 && fsetxattr(fd, ACCESS_LIST, list, (size_t)n, 0) != 0)
        return say("cannot give it its access list");
    return NULL;
}

static void sync_folder(const char *target)
{
    char folder[PATH_MAX];
    int length = (int)(strrchr(target, '/') - target);

    snprintf(folder, sizeof folder, "%.*s", length ? length : 1, target);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd); /* what is there already is one of the two in any case */
    close(fd);
}

static const char *write_beside(int old_file, const char *target, struct span old, struct span text)
{
    char name[PATH_MAX + 16];
    int length = (int)(strrchr(target, '/') + 1 - target);

    snprintf(name, sizeof name, "%.*s.%s.XXXXXX", length, target, target + length);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) return say("cannot write beside it");
    const char *why = dress(fd, old_file);
    if (!why && (!write_all(fd, text) || fsync(fd) != 0)) why = say("cannot write beside it");
    if (!why) why = look_at(old_file, target, old);
    if (!why && rename(name, target) != 0) why = say("cannot put the new one in its place");
    if (why)
        unlink(name);
    else
        sync_folder(target);
    close(fd);
    return why;
}

const char *replace_file(const char *path, struct span old, struct span text)
{
    char target[PATH_MAX];

    if (!realpath(path, target)) return say("cannot find it");
    int fd = open(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return say("cannot read it");
    const char *why = look_at(fd, target, old);
    if (!why) why = write_beside(fd, target, old, text);
    close(fd);
    return why;
}
